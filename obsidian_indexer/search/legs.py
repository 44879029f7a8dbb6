"""The two legs: passages by their words, passages by their meaning."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from obsidian_indexer.search.fusion import Leg
from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import match_chunks, match_notes
from obsidian_indexer.store.rows import marks, pages

# Share of the whole note's BM25 in the keyword leg; the rest is the passage's own.
_NOTE_SHARE = 0.7


def keyword_leg(catalog: Catalog, words: str, limit: int, scope: Scope) -> Leg:
    """Passages by BM25 of their own words and of their whole note's (title, aliases, headings, tags, path, body).

    Both are divided by their best score, so neither collection's statistics decide how they mix. A note that only
    matches as a whole is represented by its first passage in the scope.
    """
    terms = _known_or_prefix(catalog.connection, match_terms(words))
    if not terms:
        return Leg()
    phrases = match_phrases(terms)
    chunk_hits = match_chunks(catalog.connection, phrases, limit, scope.note_ids, scope.chunk_ids)
    note_hits = match_notes(catalog.connection, phrases, limit, scope.note_ids)
    best_chunk = max((hit.score for hit in chunk_hits), default=0.0) or 1.0
    best_note = max((hit.score for hit in note_hits), default=0.0) or 1.0
    of_note = {hit.id: hit.score / best_note for hit in note_hits}
    notes_of = notes_of_chunks(catalog.connection, [hit.id for hit in chunk_hits])
    scores = {
        hit.id: (1 - _NOTE_SHARE) * hit.score / best_chunk + _NOTE_SHARE * of_note.get(notes_of[hit.id], 0.0)
        for hit in chunk_hits
        if hit.id in notes_of
    }
    represented = set(notes_of.values())
    first = first_chunks(catalog.connection, [note_id for note_id in of_note if note_id not in represented], scope)
    scores.update({chunk_id: _NOTE_SHARE * of_note[note_id] for note_id, chunk_id in first.items()})
    best = max(scores.values(), default=0.0) or 1.0
    return Leg.ranked({chunk_id: score / best for chunk_id, score in scores.items()}, {}, terms=terms)


def semantic_leg(similarities: Mapping[int, float]) -> Leg:
    """Passages by cosine with the query. Scores run from 0 at the last candidate to 1 at the best."""
    if not similarities:
        return Leg()
    low, high = min(similarities.values()), max(similarities.values())
    spread = (high - low) or 1.0
    return Leg.ranked({chunk_id: (value - low) / spread for chunk_id, value in similarities.items()}, similarities)


def _known_or_prefix(connection: sqlite3.Connection, terms: list[str]) -> list[str]:
    """The last word as a prefix when no note holds it as it is: it may still be being typed."""
    if terms and len(terms[-1]) >= 2 and not terms[-1].endswith("*"):
        exact = connection.execute(
            "SELECT 1 FROM chunk_terms WHERE chunk_terms MATCH ? LIMIT 1", match_phrases(terms[-1:])
        ).fetchone()
        if exact is None:
            return [*terms[:-1], terms[-1] + "*"]
    return terms


def notes_of_chunks(connection: sqlite3.Connection, chunk_ids: Sequence[int]) -> dict[int, int]:
    """The note of each chunk that is still there."""
    found: dict[int, int] = {}
    for page in pages(chunk_ids):
        found.update(connection.execute(f"SELECT id, note_id FROM chunks WHERE id IN ({marks(page)})", page).fetchall())
    return found


def first_chunks(connection: sqlite3.Connection, note_ids: Sequence[int], scope: Scope) -> dict[int, int]:
    """The first chunk in the scope of each note that has one."""
    narrow, bound = "seq = 0", []
    if scope.chunk_ids is not None:
        narrow, bound = "id IN (SELECT value FROM json_each(?))", [json.dumps(list(scope.chunk_ids))]
    found: dict[int, int] = {}
    for page in pages(note_ids):
        rows = connection.execute(
            f"SELECT note_id, id, min(seq) FROM chunks WHERE {narrow} AND note_id IN ({marks(page)}) GROUP BY note_id",
            [*bound, *page],
        )
        found.update({note_id: chunk_id for note_id, chunk_id, _ in rows})
    return found
