"""Full-text rows of the catalogue, and BM25 over them.

The two tables hold no text (`content=''`): a row is taken out again by handing SQLite the same terms that went in,
which are always made from the note's and chunks' own rows. So whoever changes those rows calls `remove_note` before and
`add_note` after, in one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
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
class NoteTerms:
    """What the full-text tables hold of a note: `fields` are its title, aliases, headings, tags and folder.

    `chunks` are (headings, body) of each chunk in order; the note's own body is all of theirs.
    """

    fields: tuple[str, str, str, str, str]
    chunks: tuple[tuple[str, str], ...]


def make_terms(
    title: str,
    aliases: str,
    headings: str,
    tags: str,
    path: str | bytes,
    chunks: Iterable[tuple[str, str]],
) -> NoteTerms:
    """The terms of a note from the values in its row, and from (headings, text) in those of its chunks."""
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


def add_note(connection: sqlite3.Connection, note_id: int, terms: NoteTerms | None = None) -> None:
    """Put the full-text rows of a note and its chunks in; `terms`, where already made, must be those of its rows."""
    terms = terms or _terms(connection, note_id)
    connection.executemany(
        "INSERT INTO chunk_terms(rowid, headings, body) VALUES (?,?,?)", _chunk_rows(connection, note_id, terms)
    )
    connection.execute(
        "INSERT INTO note_terms(rowid, title, aliases, headings, tags, path, body) VALUES (?,?,?,?,?,?,?)",
        _note_row(note_id, terms),
    )


def remove_note(connection: sqlite3.Connection, note_id: int) -> None:
    """Take them out; a note that was stored as ignored has none."""
    state = connection.execute("SELECT state FROM notes WHERE id=?", (note_id,)).fetchone()
    if state is None or state[0] == "ignored":
        return
    terms = _terms(connection, note_id)
    connection.executemany(
        "INSERT INTO chunk_terms(chunk_terms, rowid, headings, body) VALUES ('delete',?,?,?)",
        _chunk_rows(connection, note_id, terms),
    )
    connection.execute(
        "INSERT INTO note_terms(note_terms, rowid, title, aliases, headings, tags, path, body) "
        "VALUES ('delete',?,?,?,?,?,?,?)",
        _note_row(note_id, terms),
    )


def _chunk_rows(connection: sqlite3.Connection, note_id: int, terms: NoteTerms) -> list[tuple[int, str, str]]:
    ids = connection.execute("SELECT id FROM chunks WHERE note_id=? ORDER BY seq", (note_id,)).fetchall()
    return [(chunk_id, *words) for (chunk_id,), words in zip(ids, terms.chunks, strict=True)]


def _note_row(note_id: int, terms: NoteTerms) -> tuple[object, ...]:
    return (note_id, *terms.fields, " ".join(body for _, body in terms.chunks))


def _terms(connection: sqlite3.Connection, note_id: int) -> NoteTerms:
    """The terms of a note as its rows are now."""
    title, aliases, headings, tags, path = connection.execute(
        "SELECT title, aliases, headings, tags, path FROM notes WHERE id=?", (note_id,)
    ).fetchone()
    chunks = connection.execute("SELECT headings, text FROM chunks WHERE note_id=? ORDER BY seq", (note_id,))
    return make_terms(title, aliases, headings, tags, path, chunks)


def rebuild_if_stale(connection: sqlite3.Connection) -> None:
    """Make every full-text row anew when the way text is split has changed."""
    row = connection.execute("SELECT value FROM meta WHERE key='terms_version'").fetchone()
    if row is not None and row[0] == TERMS_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("INSERT INTO chunk_terms(chunk_terms) VALUES ('delete-all')")
        connection.execute("INSERT INTO note_terms(note_terms) VALUES ('delete-all')")
        for (note_id,) in connection.execute("SELECT id FROM notes WHERE state <> 'ignored'").fetchall():
            add_note(connection, note_id)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('terms_version', ?)", (TERMS_VERSION,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def match_chunks(
    connection: sqlite3.Connection, match: str, limit: int, note_ids: Sequence[int] | None = None
) -> list[TermHit]:
    """Chunks that match an FTS5 expression, best first; `note_ids` narrows to those notes."""
    narrow = (
        ""
        if note_ids is None
        else "AND rowid IN (SELECT id FROM chunks WHERE note_id IN (SELECT value FROM json_each(?))) "
    )
    return _match(connection, "chunk_terms", CHUNK_WEIGHTS, match, limit, narrow, note_ids)


def match_notes(
    connection: sqlite3.Connection, match: str, limit: int, note_ids: Sequence[int] | None = None
) -> list[TermHit]:
    """Notes that match an FTS5 expression, best first; `note_ids` narrows to those."""
    narrow = "" if note_ids is None else "AND rowid IN (SELECT value FROM json_each(?)) "
    return _match(connection, "note_terms", NOTE_WEIGHTS, match, limit, narrow, note_ids)


def _match(
    connection: sqlite3.Connection,
    table: str,
    weights: tuple[float, ...],
    match: str,
    limit: int,
    narrow: str,
    note_ids: Sequence[int] | None,
) -> list[TermHit]:
    bm25 = f"bm25({table}, {', '.join(str(weight) for weight in weights)})"
    bound: list[object] = [match]
    if note_ids is not None:
        bound.append(json.dumps(list(note_ids)))
    rows = connection.execute(
        f"SELECT rowid, {bm25} AS score FROM {table} WHERE {table} MATCH ? {narrow}ORDER BY score LIMIT ?",
        (*bound, limit),
    )
    return [TermHit(row_id, -score) for row_id, score in rows]
