"""The names of notes: a query is compared with them, as they are written and by what they mean."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from obsidian_indexer.records import Name, NameKind
from obsidian_indexer.store.rows import clean_text, closed_up, marks, pages, path_from_row

NameRow = tuple[str, str, str, bytes | None, int]
"""closed-up form, text, kind, key and tokens of the text; no key where it is not embedded."""


@dataclass(frozen=True, slots=True)
class NamedNote:
    """A note and one of its names."""

    note_id: int
    name: Name


def name_rows(names: Iterable[Name], *, embedded: bool) -> tuple[NameRow, ...]:
    """The rows of a note's names; `embedded` says whether the note has a passage that they could find."""
    return tuple(_row(clean_text(name.text), name.kind, name.n_tokens if embedded else 0) for name in names)


def _row(text: str, kind: NameKind, n_tokens: int) -> NameRow:
    return closed_up(text), text, kind.value, hashlib.sha256(text.encode()).digest() if n_tokens else None, n_tokens


class NameTable:
    """The names of one connection. Writers call it inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def replace(self, note_id: int, names: Sequence[NameRow]) -> None:
        """Give a note these names and no other."""
        stored = self._db.execute(
            "SELECT folded, text, kind, key, n_tokens FROM names WHERE note_id=? ORDER BY id", (note_id,)
        )
        if stored.fetchall() == list(names):
            return
        self._db.execute("DELETE FROM names WHERE note_id=?", (note_id,))
        self._db.executemany(
            "INSERT INTO names(folded, text, kind, key, n_tokens, note_id) VALUES (?,?,?,?,?,?)",
            [(*name, note_id) for name in names],
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

    def by_id(self, ids: Sequence[int]) -> dict[int, NamedNote]:
        """Some names with their notes, by their own ids."""
        found: dict[int, NamedNote] = {}
        for page in pages(ids):
            rows = self._db.execute(f"SELECT id, note_id, text, kind FROM names WHERE id IN ({marks(page)})", page)
            found.update((row_id, NamedNote(note, Name(text, NameKind(kind)))) for row_id, note, text, kind in rows)
        return found

    def called(self, texts: Iterable[str]) -> list[NamedNote]:
        """The notes that have one of these names, whatever its case, Unicode form and blanks, each with the first.

        A heading is no name by itself: many notes open with the same one.
        """
        forms = sorted({closed_up(text) for text in texts} - {""})
        rows = self._db.execute(
            f"SELECT note_id, text, kind FROM names WHERE folded IN ({marks(forms)}) "
            f"AND kind <> '{NameKind.HEADING}' ORDER BY note_id, id DESC",
            forms,
        )
        found = {note_id: NamedNote(note_id, Name(text, NameKind(kind))) for note_id, text, kind in rows}
        return list(found.values())
