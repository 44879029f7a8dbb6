"""Full-text rows of the catalogue, and BM25 over them.

The tables hold no text (`content=''`): a row is taken out again by handing SQLite the same terms that went in,
which are always made from the note's and chunks' own rows. So whoever changes those rows takes `note_text` before and
after and, where they differ, calls `remove_note` with the one and `add_note` with the other, in one transaction.
Whether the morphemes of Korean words are among the terms is in `meta`, and holds for every row.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from dataclasses import dataclass

from obsidian_indexer.store.morphemes import marked_morphemes, required_analyser
from obsidian_indexer.store.rows import path_from_row
from obsidian_indexer.store.terms import TERMS_VERSION, document_terms, spelt_words

CHUNK_WEIGHTS = (2.0, 1.0)
"""BM25 weights of a chunk's headings and body."""
NOTE_WEIGHTS = (8.0, 6.0, 3.0, 3.0, 2.0, 1.0)
"""BM25 weights of a note's title, aliases, headings, tags, path and body."""

_WITH = "+"


@dataclass(frozen=True, slots=True)
class TermHit:
    """A row that matched: a chunk's or a note's id, and its BM25 score (higher is better)."""

    id: int
    score: float


@dataclass(frozen=True, slots=True)
class NoteText:
    """What of a note is findable by words, as its rows have it.

    `fields` are title, aliases, headings and tags (JSON but for the first) and path; `chunks` are id, headings (JSON)
    and text of each chunk in order, `anchors` id and text of what its links call their targets.
    """

    fields: tuple[str, str, str, str, str | bytes]
    chunks: tuple[tuple[int, str, str], ...]
    anchors: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NoteTerms:
    """What the full-text tables hold of a note: `fields` are its title, aliases, headings, tags and folder.

    `chunks` are (headings, body) of each chunk in order; the note's own body is all of theirs. `words` are those of all
    of it that a misspelt word may be meant for, each once; `anchors` are those of its links.
    """

    fields: tuple[str, str, str, str, str]
    chunks: tuple[tuple[str, str], ...]
    words: str
    anchors: tuple[str, ...]


def make_terms(
    title: str,
    aliases: str,
    headings: str,
    tags: str,
    path: str | bytes,
    chunks: Iterable[tuple[str, str]],
    anchors: Iterable[str] = (),
    *,
    morphemes: bool = False,
) -> NoteTerms:
    """The terms of a note from the fields of its `NoteText`, (headings, text) of its chunks and text of its links.

    With `morphemes`, those of its Korean words too, but for links. Raises ConfigError when they cannot be had.
    """

    def terms_of(text: str) -> str:
        terms = document_terms(text)
        return " ".join((terms, *marked_morphemes(text))) if morphemes else terms

    folder = path_from_row(path).encode("utf-8", "replace").decode().rpartition("/")[0]
    fields = (
        terms_of(title),
        terms_of(" ; ".join(json.loads(aliases))),
        terms_of(" ; ".join(heading["text"] for heading in json.loads(headings))),
        terms_of(" ; ".join(json.loads(tags))),
        terms_of(folder),
    )
    of_chunks = tuple((terms_of(" ".join(json.loads(above))), terms_of(text)) for above, text in chunks)
    # A morpheme is none of these words: its mark is no letter.
    words = spelt_words(*fields, *(body for _, body in of_chunks))
    return NoteTerms(fields, of_chunks, words, tuple(map(document_terms, anchors)))


def note_text(connection: sqlite3.Connection, note_id: int) -> NoteText | None:
    """What the full-text tables hold of a note, or are to hold; None of one that is stored as ignored."""
    fields = connection.execute(
        "SELECT title, aliases, headings, tags, path FROM notes WHERE id=? AND state <> 'ignored'", (note_id,)
    ).fetchone()
    if fields is None:
        return None
    chunks = connection.execute("SELECT id, headings, text FROM chunks WHERE note_id=? ORDER BY seq", (note_id,))
    anchors = connection.execute("SELECT id, text FROM anchors WHERE note_id=? ORDER BY id", (note_id,))
    return NoteText(fields, tuple(chunks), tuple(anchors))


def add_note(connection: sqlite3.Connection, note_id: int, note: NoteText, terms: NoteTerms | None = None) -> None:
    """Put the full-text rows of a note and its chunks in; `terms`, where already made, must be those of `note`."""
    chunk_rows, note_row, words, anchor_rows = _rows(connection, note_id, note, terms)
    connection.executemany("INSERT INTO chunk_terms(rowid, headings, body) VALUES (?,?,?)", chunk_rows)
    connection.executemany("INSERT INTO anchor_terms(rowid, text) VALUES (?,?)", anchor_rows)
    connection.execute(
        "INSERT INTO note_terms(rowid, title, aliases, headings, tags, path, body) VALUES (?,?,?,?,?,?,?)", note_row
    )
    connection.execute("INSERT INTO note_words(rowid, words) VALUES (?,?)", (note_id, words))


def remove_note(connection: sqlite3.Connection, note_id: int, note: NoteText) -> None:
    """Take the full-text rows of a note and its chunks out; `note` must be what went in."""
    chunk_rows, note_row, words, anchor_rows = _rows(connection, note_id, note, None)
    connection.executemany(
        "INSERT INTO chunk_terms(chunk_terms, rowid, headings, body) VALUES ('delete',?,?,?)", chunk_rows
    )
    connection.execute(
        "INSERT INTO note_terms(note_terms, rowid, title, aliases, headings, tags, path, body) "
        "VALUES ('delete',?,?,?,?,?,?,?)",
        note_row,
    )
    connection.execute("INSERT INTO note_words(note_words, rowid, words) VALUES ('delete',?,?)", (note_id, words))
    connection.executemany("INSERT INTO anchor_terms(anchor_terms, rowid, text) VALUES ('delete',?,?)", anchor_rows)


def _rows(
    connection: sqlite3.Connection, note_id: int, note: NoteText, terms: NoteTerms | None
) -> tuple[list[tuple[int, str, str]], tuple[object, ...], str, list[tuple[int, str]]]:
    if terms is None:
        chunks, anchors = ((above, text) for _, above, text in note.chunks), (text for _, text in note.anchors)
        terms = make_terms(*note.fields, chunks, anchors, morphemes=holds_morphemes(connection))
    chunk_rows = [(chunk_id, *words) for (chunk_id, _, _), words in zip(note.chunks, terms.chunks, strict=True)]
    anchor_rows = [(anchor_id, words) for (anchor_id, _), words in zip(note.anchors, terms.anchors, strict=True)]
    return chunk_rows, (note_id, *terms.fields, " ".join(body for _, body in terms.chunks)), terms.words, anchor_rows


def terms_version(*, morphemes: bool) -> str:
    """Names the terms that the tables are to hold. Raises ConfigError when morphemes cannot be had."""
    return f"{TERMS_VERSION}{_WITH}{required_analyser()}" if morphemes else TERMS_VERSION


def held_version(connection: sqlite3.Connection) -> str:
    """Names the terms that the tables hold, as `terms_version` does; empty of tables that were never filled."""
    row = connection.execute("SELECT value FROM meta WHERE key='terms_version'").fetchone()
    return "" if row is None else str(row[0])


def holds_morphemes(connection: sqlite3.Connection) -> bool:
    """Whether the tables hold the morphemes of Korean words."""
    return _WITH in held_version(connection)


def rebuild_if_stale(connection: sqlite3.Connection) -> None:
    """Make every full-text row anew when the way text is split has changed.

    Morphemes are then left for the next run, so that no reader needs what makes them.
    """
    if held_version(connection).partition(_WITH)[0] != TERMS_VERSION:
        rebuild(connection, TERMS_VERSION)


def rebuild(connection: sqlite3.Connection, version: str, check: Callable[[], None] = lambda: None) -> None:
    """Make every full-text row anew with these terms, all or none; `check` is called between notes and may raise."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("INSERT INTO chunk_terms(chunk_terms) VALUES ('delete-all')")
        connection.execute("INSERT INTO note_terms(note_terms) VALUES ('delete-all')")
        connection.execute("INSERT INTO note_words(note_words) VALUES ('delete-all')")
        connection.execute("INSERT INTO anchor_terms(anchor_terms) VALUES ('delete-all')")
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('terms_version', ?)", (version,))
        for (note_id,) in connection.execute("SELECT id FROM notes").fetchall():
            check()
            note = note_text(connection, note_id)
            if note is not None:
                add_note(connection, note_id, note)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def holds_term(connection: sqlite3.Connection, phrase: str) -> bool:
    """Whether any note holds an FTS5 phrase, anywhere that words are searched."""
    found = connection.execute("SELECT 1 FROM note_terms WHERE note_terms MATCH ? LIMIT 1", (phrase,)).fetchone()
    return found is not None


def count_holding(connection: sqlite3.Connection, phrase: str, most: int) -> int:
    """How many notes hold an FTS5 phrase, counted up to `most`."""
    return _Table(connection, "note_terms", NOTE_WEIGHTS).count([phrase], most)


def word_counts(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Every word that a misspelt one may be meant for, and how many notes hold it."""
    return connection.execute("SELECT term, doc FROM word_counts").fetchall()


def match_chunks(
    connection: sqlite3.Connection,
    phrases: Sequence[str],
    limit: int,
    note_ids: Collection[int] | None = None,
    chunk_ids: Collection[int] | None = None,
) -> list[TermHit]:
    """Chunks that hold any of some FTS5 phrases, best first; narrowed to `chunk_ids`, else to those of `note_ids`."""
    table = _Table(connection, "chunk_terms", CHUNK_WEIGHTS)
    if chunk_ids is not None:
        return table.best_among(phrases, limit, chunk_ids)
    if note_ids is None:
        return table.best(phrases, limit)
    wanted = note_ids if isinstance(note_ids, Set) else frozenset(note_ids)

    def kept(hits: Sequence[TermHit]) -> list[TermHit]:
        note_of = dict(
            connection.execute(
                f"SELECT id, note_id FROM chunks INDEXED BY chunks_place WHERE id IN ({_VALUES})",
                (_json(hit.id for hit in hits),),
            )
        )
        return [hit for hit in hits if note_of.get(hit.id) in wanted]

    share = len(wanted) / max(1, _last_id(connection, "notes"))
    narrow = f"SELECT id FROM chunks WHERE note_id IN ({_VALUES})"
    return table.best_within(phrases, limit, share, kept, narrow, wanted)


def match_notes(
    connection: sqlite3.Connection, phrases: Sequence[str], limit: int, note_ids: Collection[int] | None = None
) -> list[TermHit]:
    """Notes that hold any of some FTS5 phrases, best first; `note_ids` narrows to those."""
    table = _Table(connection, "note_terms", NOTE_WEIGHTS)
    return table.best(phrases, limit) if note_ids is None else table.best_among(phrases, limit, note_ids)


def match_anchors(connection: sqlite3.Connection, phrases: Sequence[str], limit: int) -> list[TermHit]:
    """What links call notes, where it holds any of some FTS5 phrases, best first.

    A score is the share of the phrases' whole weight, at most 1: what the text scores of what one of usual length with
    every phrase would, also where no link holds some of them.
    """
    table = _Table(connection, "anchor_terms", (1.0,))
    hits = table.best(phrases, limit)
    whole = table.weight(phrases) if hits else 1.0
    return [TermHit(hit.id, min(1.0, hit.score / whole)) for hit in hits]


_VALUES = "SELECT value FROM json_each(?)"
# bm25() takes 1.1 µs a row, passing over one 0.1 µs. The best 20 of 100,000 passages are next to always among these
# (`keyword_same_best` of benchmarks/search_latency.py).
_SCORED_ROWS = 2000
# A phrase of so many times those rows is never among the rare ones where there are others.
_FREQUENT = 4
# A scope that holds this share of all rows costs more to hand to SQLite than to look for a few rows more.
_LARGE_SCOPE = 0.25


class _Table:
    """One full-text table and its BM25 weights."""

    def __init__(self, connection: sqlite3.Connection, name: str, weights: tuple[float, ...]) -> None:
        self._db = connection
        self._name = name
        self._bm25 = f"bm25({name}, {', '.join(str(weight) for weight in weights)})"

    def best(
        self, phrases: Sequence[str], limit: int, narrow: str = "", ids: Collection[int] = (), share: float = 1.0
    ) -> list[TermHit]:
        """Rows that hold any of the phrases, best first.

        `narrow` is an SQL list of the rows that may be found, `ids` what it is made of, `share` how many of all rows it
        holds. Where many rows match, those that hold nothing but the most frequent phrases are not looked at, as long
        as there are `limit` others. Scores are the same either way.
        """
        # Without the plus, SQLite runs the whole match once for each row of the list.
        condition, bound = (f"AND +rowid IN ({narrow}) ", (_json(ids),)) if narrow else ("", ())
        most = int(_SCORED_ROWS / max(share, 1e-3))
        if len(phrases) > 1 and self.count(phrases, most + 1) > most:
            rare, frequent = self._split(phrases, limit, most)
            if frequent:
                found = {hit.id: hit for hit in self._match(_any_of(rare), limit, condition, bound)}
                # A row that holds both kinds has its whole score from here.
                both = f"({_any_of(rare)}) AND ({_any_of(frequent)})"
                found |= {hit.id: hit for hit in self._match(both, limit, condition, bound)}
                if len(found) >= limit:
                    return sorted(found.values(), key=lambda hit: (-hit.score, hit.id))[:limit]
        return self._match(_any_of(phrases), limit, condition, bound)

    def best_among(self, phrases: Sequence[str], limit: int, ids: Collection[int]) -> list[TermHit]:
        """The same of these rows only."""
        wanted = ids if isinstance(ids, Set) else frozenset(ids)
        share = len(wanted) / max(1, _last_id(self._db, f"{self._name}_docsize"))
        return self.best_within(
            phrases, limit, share, lambda hits: [hit for hit in hits if hit.id in wanted], _VALUES, wanted
        )

    def best_within(
        self,
        phrases: Sequence[str],
        limit: int,
        share: float,
        kept: Callable[[Sequence[TermHit]], list[TermHit]],
        narrow: str,
        ids: Collection[int],
    ) -> list[TermHit]:
        """The same of a scope that holds about this share of all rows; `kept` picks the rows that lie in it."""
        if share >= _LARGE_SCOPE:
            wide = int(1.5 * limit / min(1.0, share)) + 50
            hits = self.best(phrases, wide)
            inside = kept(hits)
            if len(inside) >= limit or len(hits) < wide:
                return inside[:limit]
        return self.best(phrases, limit, narrow, ids, share)

    def weight(self, phrases: Sequence[str]) -> float:
        """What a row of usual length that holds each of the phrases once scores, about."""
        n_rows = _last_id(self._db, f"{self._name}_docsize")
        return sum(_weight(n_rows, self.count([phrase], _FREQUENT * _SCORED_ROWS)) for phrase in phrases)

    def _split(self, phrases: Sequence[str], limit: int, most: int) -> tuple[list[str], list[str]]:
        """The rarest phrases and the others.

        The rare ones match about `most` rows, but enough to find `limit`, and so many more rows that all the others
        together weigh no more than the rarest of them: a row without a rare phrase is then none of the best.
        """
        # By how much a phrase is too frequent makes no difference.
        counts = sorted((self.count([phrase], _FREQUENT * most), phrase) for phrase in phrases)
        n_rows = _last_id(self._db, f"{self._name}_docsize")
        weights = [_weight(n_rows, count) for count, _ in counts]
        n_rare = rows = 0
        for count, _ in counts:
            outweighed = sum(weights[n_rare:]) <= weights[0] or rows + count > _FREQUENT * most
            if rows >= limit and rows + count > most and outweighed:
                break
            n_rare, rows = n_rare + 1, rows + count
        ordered = [phrase for _, phrase in counts]
        return ordered[:n_rare], ordered[n_rare:]

    def count(self, phrases: Sequence[str], most: int) -> int:
        """How many rows hold any of the phrases, wherever they lie; counted up to `most`."""
        row = self._db.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {self._name} WHERE {self._name} MATCH ? LIMIT ?)",
            (_any_of(phrases), most),
        ).fetchone()
        return int(row[0])

    def _match(self, expression: str, limit: int, condition: str, bound: tuple[str, ...]) -> list[TermHit]:
        rows = self._db.execute(
            f"SELECT rowid, {self._bm25} AS score FROM {self._name} WHERE {self._name} MATCH ? {condition}"
            "ORDER BY score LIMIT ?",
            (expression, *bound, limit),
        )
        return [TermHit(row_id, -score) for row_id, score in rows]


def _any_of(phrases: Sequence[str]) -> str:
    return " OR ".join(phrases)


def _weight(n_rows: int, n_holding: int) -> float:
    """What a phrase adds to a score at its first occurrence, about: the inverse document frequency as bm25() has it."""
    return max(math.log((n_rows - n_holding + 0.5) / (n_holding + 0.5)), 1e-6) if n_holding < n_rows else 1e-6


def _last_id(connection: sqlite3.Connection, table: str) -> int:
    """About how many rows a table has, at no cost."""
    return int(connection.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0])


def _json(ids: Iterable[int]) -> str:
    return json.dumps(list(ids))
