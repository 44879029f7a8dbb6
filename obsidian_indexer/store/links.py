"""The links that notes hold, as written.

Where they lead is never stored: it changes with every file that comes or goes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from obsidian_indexer.records import VaultLink
from obsidian_indexer.store.rows import marks, pages, path_from_row, path_to_row

_SELECT = (
    "SELECT n.path, l.target, l.heading, l.block, l.display, l.embed, l.line, l.property "
    "FROM links l JOIN notes n ON n.id = l.note_id "
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a link in the note `source` calls its target."""

    source: str
    target: str
    text: str


class LinkTable:
    """The links of one connection; every `resolved` is None here."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def of_note(self, path: str) -> list[VaultLink]:
        """The links in a note: those of its properties, then those of its body, each in order."""
        return list(self._links("WHERE n.path = ? ORDER BY l.rowid", [path_to_row(path)]))

    def by_name(self, keys: Sequence[str]) -> list[VaultLink]:
        """The links whose target's last part has one of these `name_key`s, by source and line."""
        found: list[VaultLink] = []
        for page in pages(keys):
            found += self._links(f"WHERE l.name_key IN ({marks(page)}) ORDER BY n.path, l.line, l.rowid", page)
        return found

    def anchors(self, ids: Sequence[int]) -> dict[int, Anchor]:
        """What some links call their targets, by id."""
        found: dict[int, Anchor] = {}
        for page in pages(ids):
            rows = self._db.execute(
                "SELECT a.id, n.path, a.target, a.text FROM anchors a JOIN notes n ON n.id = a.note_id "
                f"WHERE a.id IN ({marks(page)})",
                page,
            )
            found.update((row_id, Anchor(path_from_row(source), *rest)) for row_id, source, *rest in rows)
        return found

    def all(self) -> Iterator[VaultLink]:
        """Every link of the vault, by source and line."""
        return self._links("ORDER BY n.path, l.line, l.rowid", ())

    def _links(self, condition: str, values: Sequence[object]) -> Iterator[VaultLink]:
        for source, target, heading, block, display, embed, line, key in self._db.execute(_SELECT + condition, values):
            yield VaultLink(path_from_row(source), target, None, heading, block, display, bool(embed), line, key)
