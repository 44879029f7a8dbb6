"""What the legs found made one ranking: the weight of each leg is here and nowhere else.

    score = translations·x + (1 − translations) · (titles·t + links·l + (1 − titles − links) · (
                semantic · spread((1 − note_meaning)·c + note_meaning·m)
                + (1 − semantic) · best-divided((1 − whole_notes)·p + whole_notes·n)))

with p, n: BM25 of passage and whole note; c: cosine of the passage, m: mean cosine of its note's passages; t, l: what
titles and links say of the note; x: p and n of the query's words in the other language.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from obsidian_indexer.options import SearchOptions
from obsidian_indexer.search.fusion import Fused, Leg, WeightedLeg, fuse
from obsidian_indexer.search.legs import NoteEvidence, Passages, Words, first_chunks, spread
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.terms import split_runs

KEYWORD, SEMANTIC, TITLES, LINKS, TRANSLATIONS = "keyword", "semantic", "titles", "links", "translations"
"""The legs, as hits and explanations name them."""
# A model that reads a query letter by letter still knows a name or number in it.
_UNSURE = 0.05
# Hangul, kana and Han are looked up by pairs of characters, which find a word within any other; what the words say is
# then worth more, beside a model that is weaker there (docs/search-quality.md).
_PAIRS_TELL = 0.4
# Translated words count this much less where the vault knows all of the query's own.
_KNOWN_TELL = 2 / 3


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each leg counts, each in [0, 1].

    `translations` is a share of the whole score where there are any, `titles` and `links` are shares of what that
    leaves; `semantic` is the semantic leg's share of the rest, the keyword leg has what that leaves. `whole_notes` is
    the share of whole notes within the keyword leg, `note_meaning` that within the semantic leg.
    """

    semantic: float
    titles: float
    links: float
    whole_notes: float
    note_meaning: float
    translations: float

    @classmethod
    def of(cls, options: SearchOptions) -> Weights:
        """The weights that the settings name."""
        return cls(
            options.semantic_weight,
            options.title_weight,
            options.link_weight,
            options.whole_note_weight,
            options.note_meaning_weight,
            options.translation_weight,
        )

    def for_words(self, words: str) -> Weights:
        """These for a query: the semantic share goes down with the letters that are looked up in pairs."""
        runs = split_runs(words)
        n_letters = sum(len(run) for run, _ in runs)
        paired = sum(len(run) for run, unspaced in runs if unspaced) / n_letters if n_letters else 0.0
        return replace(self, semantic=self.semantic * (1 - _PAIRS_TELL * paired))

    def by_words(self) -> Weights:
        """These for a search by words alone."""
        return replace(self, semantic=0.0, titles=0.0)

    def by_meaning(self) -> Weights:
        """These for a search by meaning alone."""
        return replace(self, semantic=1.0, links=0.0, translations=0.0)

    def unsure(self) -> Weights:
        """These for a query in a script that the model does not know."""
        return replace(self, semantic=min(self.semantic, _UNSURE), titles=min(self.titles, _UNSURE))


@dataclass(frozen=True, slots=True)
class Found:
    """What the legs found for one query, before any weight is put on it.

    `translated` is what the query's words in the other language find, `unknown` the share of its own that no note
    holds. `near` are passages by their cosine with the query, `note_cosines` the means of their notes, by note id;
    `titles` and `links` are by note id.
    """

    words: Words = field(default_factory=Words)
    translated: Words = field(default_factory=Words)
    unknown: float = 0.0
    near: Passages = field(default_factory=Passages)
    note_cosines: Mapping[int, float] = field(default_factory=dict)
    titles: Mapping[int, NoteEvidence] = field(default_factory=dict)
    links: Mapping[int, NoteEvidence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the hits may be: the note of each found chunk, the first one of a note that no leg has a passage of."""

    note_of: Mapping[int, int]

    @classmethod
    def of(cls, catalog: Catalog, found: Found, scope: Scope) -> Places:
        """The places of what was found."""
        note_of = {**found.words.passages.note_of, **found.translated.passages.note_of, **found.near.note_of}
        left = {*found.words.notes, *found.translated.notes, *found.titles, *found.links}.difference(note_of.values())
        first = first_chunks(catalog.connection, sorted(left), scope)
        return cls(note_of | {chunk_id: note_id for note_id, chunk_id in first.items()})


def weigh(found: Found, places: Places, weights: Weights) -> Fused:
    """One ranking of the places. What is said of a whole note counts for each of its places."""
    translations = weights.translations * (1 - _KNOWN_TELL * (1 - found.unknown)) if found.translated.notes else 0.0
    others = 1 - translations
    rest = others * (1 - weights.titles - weights.links)
    by_words = partial(_keyword_leg, places=places, whole_notes=weights.whole_notes)
    return fuse(
        [
            WeightedLeg(KEYWORD, rest * (1 - weights.semantic), by_words(found.words)),
            WeightedLeg(SEMANTIC, rest * weights.semantic, _semantic_leg(found, places, weights.note_meaning)),
            WeightedLeg(TITLES, others * weights.titles, _note_leg(found.titles, places)),
            WeightedLeg(LINKS, others * weights.links, _note_leg(found.links, places)),
            WeightedLeg(TRANSLATIONS, translations, by_words(found.translated)),
        ]
    )


def _keyword_leg(words: Words, places: Places, whole_notes: float) -> Leg:
    scores: dict[int, float] = {}
    for place, note_id in places.note_of.items():
        score = (1 - whole_notes) * words.passages.scores.get(place, 0.0) + whole_notes * words.notes.get(note_id, 0.0)
        if score:
            scores[place] = score
    best = max(scores.values(), default=0.0) or 1.0
    return Leg.ranked({place: score / best for place, score in scores.items()}, {}, terms=words.terms)


def _semantic_leg(found: Found, places: Places, note_meaning: float) -> Leg:
    """Passages by cosine with the query, and their notes. Scores run from 0 at the last candidate to 1 at the best."""
    cosines, note_of = found.near.scores, places.note_of
    whole = {place: found.note_cosines.get(note_of[place], cosine) for place, cosine in cosines.items()}
    mixed = {place: (1 - note_meaning) * cosine + note_meaning * whole[place] for place, cosine in cosines.items()}

    def detail(place: int) -> str:
        return f"cosine {cosines[place]:.3f}, its note {whole[place]:.3f}"

    return Leg.ranked(spread(mixed), cosines, detail=detail)


def _note_leg(evidence: Mapping[int, NoteEvidence], places: Places) -> Leg:
    """NoteEvidence on notes at each of their places; all places of a note have its rank."""
    order = sorted(evidence, key=lambda note_id: (-evidence[note_id].score, note_id))
    rank = {note_id: rank for rank, note_id in enumerate(order, 1)}
    of_note = _by_note(places, evidence)
    return Leg(
        {place: evidence[note_id].score for note_id, held in of_note.items() for place in held},
        {place: rank[note_id] for note_id, held in of_note.items() for place in held},
        detail=lambda place: evidence[places.note_of[place]].detail,
    )


def _by_note(places: Places, wanted: Iterable[int]) -> dict[int, list[int]]:
    of_note: defaultdict[int, list[int]] = defaultdict(list)
    for place, note_id in places.note_of.items():
        if note_id in wanted:
            of_note[note_id].append(place)
    return of_note
