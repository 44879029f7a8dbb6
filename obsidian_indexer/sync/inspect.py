"""Notes as the indexer sees them, without any index: what `parse` shows."""

from __future__ import annotations

from functools import cached_property

from obsidian_indexer.chunk import chunk_note
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import load_tokenizer
from obsidian_indexer.errors import NoteError
from obsidian_indexer.options import Options
from obsidian_indexer.records import Chunk, Link, Note
from obsidian_indexer.sync.prepare import chunk_limits
from obsidian_indexer.vault.links import LinkIndex, resolve_subpath
from obsidian_indexer.vault.names import telling_title
from obsidian_indexer.vault.read import parse_file
from obsidian_indexer.vault.scan import list_attachments, read_file
from obsidian_indexer.vault.settings import read_settings

LinkPlace = tuple[str | None, tuple[int, int] | None]
"""The vault path that a link leads to, and the lines of the heading or block there."""


class NoteInspector:
    """Parses notes of one vault; what notes share (settings, tokenizer, the list of files) is read once.

    What many notes of the vault share word for word is not known here, so it is shown as embedded.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._spec = resolve_model(options.embedding)
        self._tokenizer = load_tokenizer(self._spec)
        self._settings = read_settings(options.vault_path)
        self._parsed: dict[str, Note] = {}

    def inspect(self, path: str) -> tuple[Note, list[Chunk], list[LinkPlace]]:
        """A note, its chunks, and for each of its links where it leads. Raises NoteError."""
        note = self._note(path)
        limits = chunk_limits(self._options.chunking, self._spec)
        count, n_special = self._tokenizer.count, self._tokenizer.n_special
        chunks = chunk_note(note, limits, count, title=telling_title(note), special_tokens=n_special)
        return note, chunks, [self._place(link, path) for link in note.links]

    def _note(self, path: str) -> Note:
        if path not in self._parsed:
            data = read_file(self._options.vault_path, path, self._options.vault)
            self._parsed[path] = parse_file(path, data, self._options.vault, self._settings)
        return self._parsed[path]

    @cached_property
    def _links(self) -> LinkIndex:
        follow = self._options.vault.follow_symlinks
        return LinkIndex(list_attachments(self._options.vault_path, follow_symlinks=follow))

    def _place(self, link: Link, source: str) -> LinkPlace:
        target = source if link.target == "" else self._links.resolve(link.target, source)
        if target is None or not (link.heading or link.block) or not target.lower().endswith(".md"):
            return target, None
        try:
            return target, resolve_subpath(self._note(target), link.heading, link.block)
        except NoteError:
            return target, None
