"""Why a hit was found: what each leg said of it, and the terms of the query that it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from obsidian_indexer.records import Explanation, MatchedTerm
from obsidian_indexer.search.fusion import Fused
from obsidian_indexer.search.query import match_phrases
from obsidian_indexer.store.fulltext import match_chunks, match_notes
from obsidian_indexer.store.morphemes import MARK


def explain_places(connection: sqlite3.Connection, fused: Fused, note_of: Mapping[int, int]) -> dict[int, Explanation]:
    """An explanation of each place (chunk id) that is shown, given its note."""
    terms = _matched_terms(connection, fused, note_of)
    return {place: Explanation(fused.evidence(place), terms[place]) for place in note_of}


def _matched_terms(
    connection: sqlite3.Connection, fused: Fused, note_of: Mapping[int, int]
) -> dict[int, tuple[MatchedTerm, ...]]:
    """The looked-up terms that each place or its note holds, the weightiest first.

    BM25 is a sum over the terms of a query, so that a term alone scores what it adds. A morpheme that is also a pair of
    syllables is one term to the reader.
    """
    places, notes = list(note_of), list(set(note_of.values()))
    held: dict[int, dict[str, MatchedTerm]] = {place: {} for place in places}
    for term in fused.terms():
        phrases = match_phrases([term])
        of_place = {hit.id: hit.score for hit in match_chunks(connection, phrases, len(places), chunk_ids=places)}
        of_note = {hit.id: hit.score for hit in match_notes(connection, phrases, len(notes), notes)}
        for place, note in note_of.items():
            if place in of_place or note in of_note:
                shown = term.removeprefix(MARK)
                so_far = held[place].get(shown, MatchedTerm(shown, 0.0, 0.0))
                passage, whole = of_place.get(place, 0.0), of_note.get(note, 0.0)
                held[place][shown] = MatchedTerm(
                    shown, round(so_far.passage + passage, 4), round(so_far.note + whole, 4)
                )
    return {
        place: tuple(sorted(found.values(), key=lambda term: (-term.passage, -term.note, term.term)))
        for place, found in held.items()
    }
