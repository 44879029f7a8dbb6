"""One file's bytes to a Note: hash, decode, parse."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from obsidian_indexer.options import VaultOptions
from obsidian_indexer.records import Note, NoteKind
from obsidian_indexer.vault.daily import daily_date
from obsidian_indexer.vault.decode import decode
from obsidian_indexer.vault.parse import parse_text
from obsidian_indexer.vault.settings import VaultSettings


def parse_file(path: str, data: bytes, options: VaultOptions, settings: VaultSettings | None = None) -> Note:
    """The note that `data`, the bytes of the file at `path`, holds.

    `settings` names the daily notes' format and the templates folder; without it Obsidian's defaults count. Raises
    NoteError when the bytes are no text.
    """
    text, warnings = decode(data)
    sha256 = hashlib.sha256(data).hexdigest()
    note = parse_text(path, text, sha256, lenient_tags=options.lenient_tags, warnings=warnings)
    settings = settings or VaultSettings()
    kind = note.kind
    if kind is NoteKind.MARKDOWN and settings.is_template(path):
        kind = NoteKind.TEMPLATE
    date = daily_date(path, settings) or note.date
    return replace(note, kind=kind, date=date, n_lines=_count_lines(text))


def _count_lines(text: str) -> int:
    """Lines of the file; a final line break starts no new one."""
    breaks = text.count("\n") + text.count("\r") - text.count("\r\n")
    return breaks + (0 if text.endswith(("\n", "\r")) else 1) if text else 0
