"""Several legs made one ranking: a weighted sum of their scores, and what each of them said of a place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from obsidian_indexer.records import Evidence


def _no_detail(place: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Leg:
    """What one leg found: a score in [0, 1] for each place (a chunk id), and its rank (1 is best).

    `similarities` are cosines, where the leg compares vectors; `terms` those it looked up, where it looks up terms.
    `detail` says of a place that was found why, in a few words, where its rank and score do not.
    """

    scores: Mapping[int, float] = field(default_factory=dict)
    ranks: Mapping[int, int] = field(default_factory=dict)
    similarities: Mapping[int, float] = field(default_factory=dict)
    terms: Sequence[str] = ()
    detail: Callable[[int], str | None] = _no_detail

    @classmethod
    def ranked(
        cls,
        scores: Mapping[int, float],
        similarities: Mapping[int, float] | None = None,
        *,
        terms: Sequence[str] = (),
        detail: Callable[[int], str | None] = _no_detail,
    ) -> Leg:
        """A leg of these scores; without `similarities`, the scores are cosines themselves."""
        order = sorted(scores, key=lambda place: (-scores[place], place))
        ranks = {place: rank for rank, place in enumerate(order, 1)}
        return cls(scores, ranks, scores if similarities is None else similarities, terms, detail)


@dataclass(frozen=True, slots=True)
class WeightedLeg:
    """A leg under the name that explanations give it, and the weight of its scores in the sum."""

    name: str
    weight: float
    leg: Leg


@dataclass(frozen=True, slots=True)
class Fused:
    """One score for each place that any leg found, the places best first, and the legs it came from."""

    legs: tuple[WeightedLeg, ...]
    scores: Mapping[int, float]
    ranking: tuple[int, ...]

    def rank(self, name: str, place: int) -> int | None:
        """The place's rank in the leg of this name."""
        return next((voted.leg.ranks.get(place) for voted in self.legs if voted.name == name), None)

    def similarity(self, name: str, place: int) -> float | None:
        """The place's cosine with the query, as the leg of this name has it."""
        return next((voted.leg.similarities.get(place) for voted in self.legs if voted.name == name), None)

    def terms(self) -> tuple[str, ...]:
        """Every term that a leg looked up."""
        return tuple(dict.fromkeys(term for voted in self.legs for term in voted.leg.terms))

    def evidence(self, place: int) -> tuple[Evidence, ...]:
        """What each leg that found the place says of it, in the order of the legs."""
        return tuple(
            Evidence(
                voted.name,
                voted.leg.ranks[place],
                round(voted.leg.scores[place], 4),
                round(voted.weight, 4),
                voted.leg.detail(place) or _cosine(voted.leg.similarities.get(place)),
            )
            for voted in self.legs
            if place in voted.leg.ranks
        )


def fuse(legs: Sequence[WeightedLeg]) -> Fused:
    """A weighted sum of the legs' scores; a place that a leg did not find has 0 there."""
    scores: dict[int, float] = {}
    for voted in legs:
        for place, score in voted.leg.scores.items():
            scores[place] = scores.get(place, 0.0) + voted.weight * score
    return Fused(tuple(legs), scores, tuple(sorted(scores, key=lambda place: (-scores[place], place))))


def put_first(fused: Fused, voted: WeightedLeg) -> Fused:
    """The places of one more leg before all others, in the order that they have anyway; the leg's scores are added."""
    scores = {**fused.scores}
    for place, score in voted.leg.scores.items():
        scores[place] = scores.get(place, 0.0) + voted.weight * score
    first = sorted(voted.leg.scores, key=lambda place: (-scores[place], place))
    ranked = replace(voted, leg=replace(voted.leg, ranks={place: rank for rank, place in enumerate(first, 1)}))
    others = (place for place in fused.ranking if place not in voted.leg.scores)
    return Fused((*fused.legs, ranked), scores, (*first, *others))


def _cosine(similarity: float | None) -> str | None:
    return None if similarity is None else f"cosine {similarity:.3f}"
