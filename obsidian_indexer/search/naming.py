"""A query that is the name of a note, and the place that then comes first."""

from __future__ import annotations

from obsidian_indexer.records import NameKind
from obsidian_indexer.search.fusion import Fused, Leg, WeightedLeg, put_first
from obsidian_indexer.search.legs import first_chunks, notes_of_chunks
from obsidian_indexer.search.query import Query
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.store.catalog import Catalog

NAME = "name"
"""The rule, as explanations name it."""


def named_first(catalog: Catalog, query: Query, fused: Fused, scope: Scope) -> Fused:
    """The notes that are called as the query says put before all others, each at its best passage.

    The whole query counts or, beside operators, its words. A note without passages in the scope is left out.
    """
    named = {found.note_id: found.name for found in catalog.names.called((query.words, query.text))}
    if scope.note_ids is not None:
        named = {note_id: named[note_id] for note_id in named.keys() & set(scope.note_ids)}
    if not named:
        return fused
    best: dict[int, int] = {}
    note_of = notes_of_chunks(catalog.connection, fused.ranking)
    for place in fused.ranking:
        if note_of.get(place) in named:
            best.setdefault(note_of[place], place)
    best |= first_chunks(catalog.connection, [note_id for note_id in named if note_id not in best], scope)
    details = {
        place: f"the query is its {name.kind}" + ("" if name.kind is NameKind.TITLE else f": {name.text}")
        for place, name in ((place, named[note_id]) for note_id, place in best.items())
    }
    return put_first(fused, WeightedLeg(NAME, 1.0, Leg.ranked(dict.fromkeys(details, 1.0), {}, detail=details.get)))
