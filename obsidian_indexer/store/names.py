"""The names of notes: what a query is compared with to see whether it names a note."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from obsidian_indexer.records import Name, NameKind
from obsidian_indexer.store.rows import clean_text, closed_up, marks, pages, path_from_row

NameRow = tuple[str, str, str]
"""closed-up form, text, kind."""


@dataclass(frozen=True, slots=True)
class NamedNote:
    """A note and one of its names."""

    note_id: int
    name: Name


def name_rows(names: Iterable[Name]) -> tuple[NameRow, ...]:
    """The rows of a note's names."""
    texts = ((clean_text(name.text), name.kind) for name in names)
    return tuple((closed_up(text), text, kind.value) for text, kind in texts)


class NameTable:
    """The names of one connection. Writers call it inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def replace(self, note_id: int, names: Sequence[NameRow]) -> None:
        """Give a note these names and no other."""
        stored = self._db.execute("SELECT folded, text, kind FROM names WHERE note_id=? ORDER BY id", (note_id,))
        if stored.fetchall() == list(names):
            return
        self._db.execute("DELETE FROM names WHERE note_id=?", (note_id,))
        self._db.executemany(
            "INSERT INTO names(folded, text, kind, note_id) VALUES (?,?,?,?)", [(*name, note_id) for name in names]
        )

    def files(self, names: Iterable[str]) -> dict[str, int]:
        """The ids of the notes whose file may go by one of these names, without its extension, by path."""
        found: dict[str, int] = {}
        for page in pages(sorted({closed_up(name) for name in names} - {""})):
            rows = self._db.execute(
                "SELECT n.path, n.id FROM names m JOIN notes n ON n.id = m.note_id "
                f"WHERE m.kind IN ('{NameKind.TITLE}', '{NameKind.FILE}') AND m.folded IN ({marks(page)})",
                page,
            )
            found.update((path_from_row(path), note_id) for path, note_id in rows)
        return found

    def called(self, texts: Iterable[str]) -> list[NamedNote]:
        """The notes that have one of these names, whatever its case, Unicode form and blanks, each with the first."""
        forms = sorted({closed_up(text) for text in texts} - {""})
        rows = self._db.execute(
            f"SELECT note_id, text, kind FROM names WHERE folded IN ({marks(forms)}) ORDER BY note_id, id DESC", forms
        )
        found = {note_id: NamedNote(note_id, Name(text, NameKind(kind))) for note_id, text, kind in rows}
        return list(found.values())
