"""Notes and chunks in the catalogue: what is indexed, from which file state, cut into which passages.

Every write of a note replaces all its rows within the caller's transaction; chunks that did not change keep their id.
The full-text rows and block counts are rewritten with them, so no reader ever sees one without the other.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from obsidian_indexer.records import Failure, FileStat, Scope
from obsidian_indexer.store import fulltext
from obsidian_indexer.store.fulltext import NoteTerms, NoteText
from obsidian_indexer.store.names import NameTable
from obsidian_indexer.store.note_rows import AnchorRow, ChunkRow, NoteRows
from obsidian_indexer.store.rows import clean_text, marks, pages, path_from_row, path_to_row
from obsidian_indexer.store.shared_blocks import SharedBlocks

T = TypeVar("T", bound=Hashable)

_COLUMNS = "SELECT id, path, mtime_ns, size, sha256, read_ns, chunker, state FROM notes"
_WRITTEN = (
    "mtime_ns, size, born_ns, sha256, read_ns, chunker, state, reason, title, kind, aliases, tags, properties, "
    "headings, warnings, date, folded_path, folded_name, created"
)
_INSERT = f"INSERT INTO notes({_WRITTEN}, path) VALUES ({marks(_WRITTEN.split(','))},?)"
_UPDATE = f"UPDATE notes SET ({_WRITTEN}) = ({marks(_WRITTEN.split(','))}) WHERE path = ?"
_CHUNK = "seq, headings, start_line, end_line, text, embedded_text, n_tokens, key"
_INSERT_CHUNK = f"INSERT INTO chunks({_CHUNK}, note_id) VALUES ({marks(_CHUNK.split(','))},?)"
_UPDATE_CHUNK = f"UPDATE chunks SET ({_CHUNK}) = ({marks(_CHUNK.split(','))}) WHERE id=?"


@dataclass(frozen=True, slots=True)
class StoredNote:
    """What the catalogue remembers of a file, enough to tell whether it changed."""

    id: int
    path: str
    mtime_ns: int
    size: int
    sha256: str
    read_ns: int
    chunker: str
    state: str


@dataclass(frozen=True, slots=True)
class IndexedNote:
    """A parsed note on its way into the catalogue. `state`: indexed, empty or ignored."""

    stat: FileStat
    read_ns: int
    chunker: str
    rows: NoteRows
    state: str = "indexed"
    reason: str | None = None


class Notes:
    """The note and chunk tables of one connection. Writers call it inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._blocks = SharedBlocks(connection)
        self._names = NameTable(connection)

    def stored(self, paths: Iterable[str] | None = None) -> dict[str, StoredNote]:
        """Every stored note by path, or only those named."""
        found: dict[str, StoredNote] = {}
        if paths is None:
            rows: Iterable[tuple[object, ...]] = self._db.execute(_COLUMNS)
            for row in rows:
                note = _stored(row)
                found[note.path] = note
            return found
        for page in pages([path_to_row(path) for path in paths]):
            for row in self._db.execute(f"{_COLUMNS} WHERE path IN ({marks(page)})", page):
                note = _stored(row)
                found[note.path] = note
        return found

    def within(self, scope: Scope) -> dict[str, StoredNote]:
        """The stored notes of a part of the vault, by path."""
        found = self.stored(scope.paths)
        for folder in scope.folders:
            # '0' follows '/': the half-open range holds exactly what lies below the folder.
            for row in self._db.execute(f"{_COLUMNS} WHERE path >= ? AND path < ?", (f"{folder}/", f"{folder}0")):
                note = _stored(row)
                found[note.path] = note
        return found

    def replace(self, item: IndexedNote) -> None:
        """Write one note, taking the place of whatever was stored under its path."""
        rows, stat = item.rows, item.stat
        path = path_to_row(stat.path)
        row = self._db.execute("SELECT id FROM notes WHERE path = ?", (path,)).fetchone()
        values = (
            stat.mtime_ns,
            stat.size,
            stat.born_ns,
            rows.sha256,
            item.read_ns,
            item.chunker,
            item.state,
            item.reason,
            *rows.columns,
            path,
        )
        before = None
        if row is None:
            note_id = int(self._db.execute(_INSERT, values).lastrowid or 0)
        else:
            note_id = int(row[0])
            before = fulltext.note_text(self._db, note_id)
            self._db.execute(_UPDATE, values)
            self._db.execute("DELETE FROM tags WHERE note_id=?", (note_id,))
            self._db.execute("DELETE FROM links WHERE note_id=?", (note_id,))
            self._db.execute("DELETE FROM property_names WHERE note_id=?", (note_id,))
        self._db.executemany("INSERT INTO tags VALUES (?,?)", [(note_id, tag) for tag in rows.tags])
        self._db.executemany(
            "INSERT INTO property_names VALUES (?,?)", [(note_id, name) for name in rows.property_names]
        )
        source = rows.source
        # Not as REPLACE: beside a foreign key that opens a savepoint, at each of which the full-text tables write out
        # what they hold, a segment for every note.
        self._db.execute(
            "INSERT INTO sources VALUES (?,?,?,?) ON CONFLICT(note_id) DO UPDATE "
            "SET text=excluded.text, blocks=excluded.blocks, tasks=excluded.tasks",
            (note_id, source.text, source.blocks, source.tasks),
        )
        self._db.executemany("INSERT INTO links VALUES (?,?,?,?,?,?,?,?,?)", [(note_id, *link) for link in rows.links])
        self._names.replace(note_id, rows.names)
        self._replace_anchors(note_id, rows.anchors)
        self._replace_chunks(note_id, rows.chunks, is_new=row is None)
        if item.state == "ignored":
            self._blocks.remove(note_id)
        else:
            self._blocks.replace(note_id, rows.blocks, rows.left_out)
        self._replace_terms(note_id, before, rows.terms)
        self._db.execute("DELETE FROM failures WHERE path = ? AND key IS NULL", (path,))

    def _replace_terms(self, note_id: int, before: NoteText | None, terms: NoteTerms | None = None) -> None:
        after = fulltext.note_text(self._db, note_id)
        if before == after:
            return
        if before is not None:
            fulltext.remove_note(self._db, note_id, before)
        if after is not None:
            fulltext.add_note(self._db, note_id, after, terms)

    def _replace_anchors(self, note_id: int, anchors: Sequence[AnchorRow]) -> None:
        stored = self._db.execute("SELECT target, text FROM anchors WHERE note_id=? ORDER BY id", (note_id,))
        if stored.fetchall() != list(anchors):
            self._db.execute("DELETE FROM anchors WHERE note_id=?", (note_id,))
            self._db.executemany(
                "INSERT INTO anchors(target, text, note_id) VALUES (?,?,?)", [(*anchor, note_id) for anchor in anchors]
            )

    def _replace_chunks(self, note_id: int, chunks: Sequence[ChunkRow], *, is_new: bool) -> None:
        """Chunks keep their id: they are matched by key, else by what they show, in order of appearance."""
        stored: list[tuple[int, bytes, str, str]] = []
        if not is_new:
            rows = self._db.execute(
                "SELECT id, key, headings, text FROM chunks WHERE note_id=? ORDER BY seq", (note_id,)
            )
            stored = rows.fetchall()
        ids = _matched({n: chunk[7] for n, chunk in enumerate(chunks)}, {row[0]: row[1] for row in stored})
        taken = set(ids.values())
        ids |= _matched(
            {n: (chunk[1], chunk[4]) for n, chunk in enumerate(chunks) if n not in ids},
            {row[0]: row[2:] for row in stored if row[0] not in taken},
        )
        taken.update(ids.values())
        self._db.executemany("DELETE FROM chunks WHERE id=?", [(row[0],) for row in stored if row[0] not in taken])
        self._db.executemany(_UPDATE_CHUNK, [(*chunks[n], chunk_id) for n, chunk_id in ids.items()])
        self._db.executemany(_INSERT_CHUNK, [(*chunk, note_id) for n, chunk in enumerate(chunks) if n not in ids])

    def touch(self, stat: FileStat, read_ns: int) -> None:
        """Note that a file was seen with the same content under a new date."""
        self._db.execute(
            "UPDATE notes SET mtime_ns=?, size=?, read_ns=? WHERE path=?",
            (stat.mtime_ns, stat.size, read_ns, path_to_row(stat.path)),
        )

    def rename(self, old: str, new: str) -> None:
        """Move a note to another path, chunks and all; the caller replaces it afterwards for its new title."""
        row = self._db.execute("SELECT id FROM notes WHERE path=?", (path_to_row(old),)).fetchone()
        if row is None:
            return
        before = fulltext.note_text(self._db, row[0])
        self._db.execute("UPDATE notes SET path=? WHERE id=?", (path_to_row(new), row[0]))
        self._db.execute("DELETE FROM failures WHERE path=? AND key IS NULL", (path_to_row(old),))
        self._replace_terms(row[0], before)

    def remove(self, path: str) -> None:
        """Forget a note and its chunks; its vectors stay until they are pruned."""
        row = self._db.execute("SELECT id FROM notes WHERE path=?", (path_to_row(path),)).fetchone()
        if row is not None:
            before = fulltext.note_text(self._db, row[0])
            self._blocks.remove(row[0])
            self._db.execute("DELETE FROM notes WHERE id=?", (row[0],))
            self._replace_terms(row[0], before)
        self._db.execute("DELETE FROM failures WHERE path=? AND key IS NULL", (path_to_row(path),))

    def fail(self, failure: Failure) -> None:
        """Record that a note could not be read or parsed; what was indexed of it before stays."""
        self._db.execute("DELETE FROM failures WHERE path=? AND key IS NULL", (path_to_row(failure.path),))
        self._db.execute(
            "INSERT INTO failures(path, stage, reason) VALUES (?,?,?)",
            (path_to_row(failure.path), failure.stage, clean_text(failure.reason)),
        )

    def failures(self) -> list[Failure]:
        """Every recorded failure by path: of notes, and of chunks and names that a note still has."""
        # CROSS JOIN keeps the order of the tables: left to itself, SQLite walks every chunk to find no failure.
        rows = self._db.execute(
            "SELECT path, stage, reason FROM failures WHERE key IS NULL UNION ALL "
            "SELECT DISTINCT n.path, f.stage, f.reason FROM failures f CROSS JOIN chunks c ON c.key = f.key "
            "CROSS JOIN notes n ON n.id = c.note_id WHERE f.key IS NOT NULL UNION "
            "SELECT n.path, f.stage, f.reason FROM failures f CROSS JOIN names m ON m.key = f.key "
            "CROSS JOIN notes n ON n.id = m.note_id WHERE f.key IS NOT NULL ORDER BY 1"
        )
        return [Failure(path_from_row(path), stage, reason) for path, stage, reason in rows]

    def counts(self) -> tuple[int, int]:
        """How many notes are indexed, and how many chunks they have."""
        notes = self._db.execute("SELECT count(*) FROM notes WHERE state IN ('indexed', 'empty')").fetchone()[0]
        return int(notes), self.count_chunks()

    def count_chunks(self) -> int:
        """How many chunks there are."""
        return int(self._db.execute("SELECT count(*) FROM chunks").fetchone()[0])

    def count_ignored(self) -> int:
        """How many notes their own tags or properties keep out."""
        return int(self._db.execute("SELECT count(*) FROM notes WHERE state = 'ignored'").fetchone()[0])

    def remarks(self) -> dict[str, str]:
        """What there is to say of a note, by path: why it is left out, or what in it could not be read as written."""
        found: dict[str, str] = {}
        for path, reason, warnings in self._db.execute(
            "SELECT path, reason, warnings FROM notes WHERE reason IS NOT NULL OR warnings <> '[]'"
        ):
            said = [f"line {warning['line']}: {warning['message']}" for warning in json.loads(warnings)]
            found[path_from_row(path)] = reason or "; ".join(said)
        return found


def _matched(wanted: Mapping[int, T], stored: Mapping[int, T]) -> dict[int, int]:
    """For positions in `wanted`, the id of a stored value equal to theirs, each given once and in order."""
    free: dict[T, list[int]] = defaultdict(list)
    for row_id, value in stored.items():
        free[value].append(row_id)
    return {position: free[value].pop(0) for position, value in wanted.items() if free.get(value)}


def _stored(row: tuple[object, ...]) -> StoredNote:
    note_id, path, *rest = row
    return StoredNote(note_id, path_from_row(path), *rest)  # type: ignore[arg-type]
