"""What each leg finds: by the words of passages and notes, by the words of links, by meaning."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from obsidian_indexer.search.graph import notes_linked
from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import TermHit, match_anchors, match_chunks, match_notes
from obsidian_indexer.store.rows import marks, pages

# Link texts that are looked at. They are short: what lies behind the best ones holds few of the words.
_ANCHORS = 100
# A further note that links in the same words adds this share of what is left to say, the next one the square of it.
_AGREEMENT = 0.5


@dataclass(frozen=True, slots=True)
class NoteEvidence:
    """What a leg says of a whole note: a score in [0, 1], and why in a few words."""

    score: float
    detail: str


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages that a leg found: a score by chunk id, and the note of each."""

    scores: Mapping[int, float] = field(default_factory=dict)
    note_of: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Words:
    """BM25 of passages and of whole notes (by note id), each divided by its best; what was looked up.

    So neither collection's statistics decide how they mix.
    """

    passages: Passages = field(default_factory=Passages)
    notes: Mapping[int, float] = field(default_factory=dict)
    terms: Sequence[str] = ()


def find_words(catalog: Catalog, terms: Sequence[str], limit: int, scope: Scope) -> Words:
    """Passages and notes by terms."""
    return Words(find_passages(catalog, terms, limit, scope), find_notes(catalog, terms, limit, scope), terms)


def find_passages(catalog: Catalog, terms: Sequence[str], limit: int, scope: Scope) -> Passages:
    """Passages by their own words and the headings above them: BM25, the best 1."""
    if not terms:
        return Passages()
    hits = match_chunks(catalog.connection, match_phrases(terms), limit, scope.note_ids, scope.chunk_ids)
    return Passages(_by_best(hits), notes_of_chunks(catalog.connection, [hit.id for hit in hits]))


def find_notes(catalog: Catalog, terms: Sequence[str], limit: int, scope: Scope) -> dict[int, float]:
    """Notes by title, aliases, headings, tags, path and body: BM25 by note id, the best 1."""
    return _by_best(match_notes(catalog.connection, match_phrases(terms), limit, scope.note_ids)) if terms else {}


def find_links(catalog: Catalog, words: str, scope: Scope) -> dict[int, NoteEvidence]:
    """Notes by what other notes call them where they link to them.

    A note scores what its best link text holds of the query; other notes that link to it add to that.
    """
    terms = match_terms(words)
    if not terms:
        return {}
    hits = match_anchors(catalog.connection, match_phrases(terms), _ANCHORS)
    anchors = catalog.links.anchors([hit.id for hit in hits])
    known = [hit for hit in hits if hit.id in anchors]
    ends = notes_linked(catalog, [(anchors[hit.id].target, anchors[hit.id].source) for hit in known])
    allowed = None if scope.note_ids is None else set(scope.note_ids)
    scores: defaultdict[int, dict[str, float]] = defaultdict(dict)
    details: dict[int, str] = {}
    for hit, end in zip(known, ends, strict=True):
        if end is not None and (allowed is None or end in allowed):
            anchor = anchors[hit.id]
            scores[end].setdefault(anchor.source, hit.score)
            details.setdefault(end, f'"{anchor.text}" in {anchor.source}')
    return {
        note_id: NoteEvidence(_agreed(list(of_source.values())), details[note_id] + _and_more(len(of_source) - 1))
        for note_id, of_source in scores.items()
    }


def find_titles(catalog: Catalog, cosines: Mapping[int, float]) -> dict[int, NoteEvidence]:
    """Notes by the cosines of their names (by name id), each by its nearest; 0 at the last candidate, 1 at the best."""
    names = catalog.names.by_id(list(cosines))
    nearest: dict[int, int] = {}
    for name_id in sorted(names, key=lambda name_id: -cosines[name_id]):
        nearest.setdefault(names[name_id].note_id, name_id)
    scores = spread({note_id: cosines[name_id] for note_id, name_id in nearest.items()})
    return {
        note_id: NoteEvidence(
            scores[note_id], f'{names[name_id].name.kind} "{names[name_id].name.text}", cosine {cosines[name_id]:.3f}'
        )
        for note_id, name_id in nearest.items()
    }


def spread(cosines: Mapping[int, float]) -> dict[int, float]:
    """Cosines as scores from 0 at the last to 1 at the best."""
    low, high = min(cosines.values(), default=0.0), max(cosines.values(), default=0.0)
    width = (high - low) or 1.0
    return {place: (cosine - low) / width for place, cosine in cosines.items()}


def _agreed(scores: Sequence[float]) -> float:
    """One score of several in [0, 1], the best first: never below the best, never above 1."""
    total, share = 0.0, 1.0
    for score in scores:
        total += share * score * (1 - total)
        share *= _AGREEMENT
    return total


def _and_more(count: int) -> str:
    return f" and in {count} more" if count else ""


def _by_best(hits: Sequence[TermHit]) -> dict[int, float]:
    best = max((hit.score for hit in hits), default=0.0) or 1.0
    return {hit.id: hit.score / best for hit in hits}


def notes_of_chunks(connection: sqlite3.Connection, chunk_ids: Sequence[int]) -> dict[int, int]:
    """The note of each chunk that is still there."""
    found: dict[int, int] = {}
    for page in pages(chunk_ids):
        # By its own choice SQLite reads the rows themselves, which are long.
        rows = connection.execute(
            f"SELECT id, note_id FROM chunks INDEXED BY chunks_place WHERE id IN ({marks(page)})", page
        )
        found.update(rows.fetchall())
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
