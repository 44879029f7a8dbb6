"""Full-text rows of the catalogue, and BM25 over them.

The two tables hold no text (`content=''`): a row is taken out again by handing SQLite the same terms that went in,
which are always made from the note's and chunks' own rows. So whoever changes those rows takes `note_text` before and
after and, where they differ, calls `remove_note` with the one and `add_note` with the other, in one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from obsidian_indexer.store.rows import path_from_row
from obsidian_indexer.store.terms import TERMS_VERSION, document_terms

CHUNK_WEIGHTS = (2.0, 1.0)
"""BM25 weights of a chunk's headings and body."""
NOTE_WEIGHTS = (8.0, 6.0, 3.0, 3.0, 2.0, 1.0)
"""BM25 weights of a note's title, aliases, headings, tags, path and body."""


@dataclass(frozen=True, slots=True)
class TermHit:
    """A row that matched: a chunk's or a note's id, and its BM25 score (higher is better)."""

    id: int
    score: float


@dataclass(frozen=True, slots=True)
class NoteText:
    """What of a note is findable by words, as its rows have it.

    `fields` are title, aliases, headings and tags (JSON but for the first) and path; `chunks` are id, headings (JSON)
    and text of each chunk in order.
    """

    fields: tuple[str, str, str, str, str | bytes]
    chunks: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class NoteTerms:
    """What the full-text tables hold of a note: `fields` are its title, aliases, headings, tags and folder.

    `chunks` are (headings, body) of each chunk in order; the note's own body is all of theirs.
    """

    fields: tuple[str, str, str, str, str]
    chunks: tuple[tuple[str, str], ...]


def make_terms(
    title: str, aliases: str, headings: str, tags: str, path: str | bytes, chunks: Iterable[tuple[str, str]]
) -> NoteTerms:
    """The terms of a note from the fields of its `NoteText` and from (headings, text) of its chunks."""
    folder = path_from_row(path).encode("utf-8", "replace").decode().rpartition("/")[0]
    return NoteTerms(
        (
            document_terms(title),
            document_terms(" ; ".join(json.loads(aliases))),
            document_terms(" ; ".join(heading["text"] for heading in json.loads(headings))),
            document_terms(" ; ".join(json.loads(tags))),
            document_terms(folder),
        ),
        tuple((document_terms(" ".join(json.loads(above))), document_terms(text)) for above, text in chunks),
    )


def note_text(connection: sqlite3.Connection, note_id: int) -> NoteText | None:
    """What the full-text tables hold of a note, or are to hold; None of one that is stored as ignored."""
    fields = connection.execute(
        "SELECT title, aliases, headings, tags, path FROM notes WHERE id=? AND state <> 'ignored'", (note_id,)
    ).fetchone()
    if fields is None:
        return None
    chunks = connection.execute("SELECT id, headings, text FROM chunks WHERE note_id=? ORDER BY seq", (note_id,))
    return NoteText(fields, tuple(chunks))


def add_note(connection: sqlite3.Connection, note_id: int, note: NoteText, terms: NoteTerms | None = None) -> None:
    """Put the full-text rows of a note and its chunks in; `terms`, where already made, must be those of `note`."""
    chunk_rows, note_row = _rows(note_id, note, terms)
    connection.executemany("INSERT INTO chunk_terms(rowid, headings, body) VALUES (?,?,?)", chunk_rows)
    connection.execute(
        "INSERT INTO note_terms(rowid, title, aliases, headings, tags, path, body) VALUES (?,?,?,?,?,?,?)", note_row
    )


def remove_note(connection: sqlite3.Connection, note_id: int, note: NoteText) -> None:
    """Take the full-text rows of a note and its chunks out; `note` must be what went in."""
    chunk_rows, note_row = _rows(note_id, note, None)
    connection.executemany(
        "INSERT INTO chunk_terms(chunk_terms, rowid, headings, body) VALUES ('delete',?,?,?)", chunk_rows
    )
    connection.execute(
        "INSERT INTO note_terms(note_terms, rowid, title, aliases, headings, tags, path, body) "
        "VALUES ('delete',?,?,?,?,?,?,?)",
        note_row,
    )


def _rows(
    note_id: int, note: NoteText, terms: NoteTerms | None
) -> tuple[list[tuple[int, str, str]], tuple[object, ...]]:
    terms = terms or make_terms(*note.fields, ((above, text) for _, above, text in note.chunks))
    chunk_rows = [(chunk_id, *words) for (chunk_id, _, _), words in zip(note.chunks, terms.chunks, strict=True)]
    return chunk_rows, (note_id, *terms.fields, " ".join(body for _, body in terms.chunks))


def rebuild_if_stale(connection: sqlite3.Connection) -> None:
    """Make every full-text row anew when the way text is split has changed."""
    row = connection.execute("SELECT value FROM meta WHERE key='terms_version'").fetchone()
    if row is not None and row[0] == TERMS_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("INSERT INTO chunk_terms(chunk_terms) VALUES ('delete-all')")
        connection.execute("INSERT INTO note_terms(note_terms) VALUES ('delete-all')")
        for (note_id,) in connection.execute("SELECT id FROM notes").fetchall():
            note = note_text(connection, note_id)
            if note is not None:
                add_note(connection, note_id, note)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('terms_version', ?)", (TERMS_VERSION,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def match_chunks(
    connection: sqlite3.Connection,
    phrases: Sequence[str],
    limit: int,
    note_ids: Collection[int] | None = None,
    chunk_ids: Collection[int] | None = None,
) -> list[TermHit]:
    """Chunks that hold any of some FTS5 phrases, best first; narrowed to `chunk_ids`, else to those of `note_ids`."""
    condition = ""
    if chunk_ids is not None:
        condition = _AMONG
    elif note_ids is not None:
        condition = f"AND +rowid IN (SELECT id FROM chunks WHERE note_id IN ({_VALUES})) "
    return _Table(
        connection, "chunk_terms", CHUNK_WEIGHTS, condition, note_ids if chunk_ids is None else chunk_ids
    ).best(phrases, limit)


def match_notes(
    connection: sqlite3.Connection, phrases: Sequence[str], limit: int, note_ids: Collection[int] | None = None
) -> list[TermHit]:
    """Notes that hold any of some FTS5 phrases, best first; `note_ids` narrows to those."""
    condition = "" if note_ids is None else _AMONG
    return _Table(connection, "note_terms", NOTE_WEIGHTS, condition, note_ids).best(phrases, limit)


_VALUES = "SELECT value FROM json_each(?)"
# Without the plus, SQLite runs the whole match once for each row of the list: 50 times slower for a tenth of the notes.
_AMONG = f"AND +rowid IN ({_VALUES}) "
# bm25() takes 1.1 µs a row, passing over it 0.1 µs (benchmarks/search_latency.py).
_SCORED_ROWS = 6000


class _Table:
    """One full-text table, its BM25 weights, and the rows that may be found."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        weights: tuple[float, ...],
        condition: str,
        ids: Collection[int] | None,
    ) -> None:
        self._db = connection
        self._name = name
        self._bm25 = f"bm25({name}, {', '.join(str(weight) for weight in weights)})"
        self._condition = condition
        self._bound = () if ids is None else (json.dumps(list(ids)),)

    def best(self, phrases: Sequence[str], limit: int) -> list[TermHit]:
        """Rows that hold any of the phrases, best first.

        Where they are many, rows that hold nothing but the most frequent phrases are not looked at, as long as there
        are `limit` others. Scores are the same either way.
        """
        if len(phrases) > 1 and self._count(phrases, _SCORED_ROWS + 1) > _SCORED_ROWS:
            rare, frequent = self._split(phrases, limit)
            if frequent:
                found = {hit.id: hit for hit in self._match(_any_of(rare), limit)}
                # A row that holds both kinds has its whole score from here.
                both = f"({_any_of(rare)}) AND ({_any_of(frequent)})"
                found |= {hit.id: hit for hit in self._match(both, limit)}
                if len(found) >= limit:
                    return sorted(found.values(), key=lambda hit: (-hit.score, hit.id))[:limit]
        return self._match(_any_of(phrases), limit)

    def _split(self, phrases: Sequence[str], limit: int) -> tuple[list[str], list[str]]:
        """The rarest phrases, as many as can be scored in time and enough to find `limit` rows, and the others."""
        counts = sorted((self._count([phrase], None), phrase) for phrase in phrases)
        rare: list[str] = []
        rows = 0
        for count, phrase in counts:
            if rows >= limit and rows + count > _SCORED_ROWS:
                break
            rare.append(phrase)
            rows += count
        return rare, [phrase for _, phrase in counts[len(rare) :]]

    def _count(self, phrases: Sequence[str], most: int | None) -> int:
        """How many rows hold any of the phrases, wherever they lie; counted up to `most`."""
        row = self._db.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {self._name} WHERE {self._name} MATCH ? LIMIT ?)",
            (_any_of(phrases), -1 if most is None else most),
        ).fetchone()
        return int(row[0])

    def _match(self, expression: str, limit: int) -> list[TermHit]:
        rows = self._db.execute(
            f"SELECT rowid, {self._bm25} AS score FROM {self._name} WHERE {self._name} MATCH ? {self._condition}"
            "ORDER BY score LIMIT ?",
            (expression, *self._bound, limit),
        )
        return [TermHit(row_id, -score) for row_id, score in rows]


def _any_of(phrases: Sequence[str]) -> str:
    return " OR ".join(phrases)
