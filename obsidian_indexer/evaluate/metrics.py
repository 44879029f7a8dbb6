"""How good a ranking is, by the usual measures, and their means over many questions.

A ranking is a list of ids, best first, each once. `gains` maps the ids that answer the question to how well they do
(above 0); ids that it lacks, or holds with 0 or less, answer nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CUT = 10
"""Results that are looked at."""


def ndcg(ranking: Sequence[str], gains: Mapping[str, int], cut: int = CUT) -> float:
    """Normalised discounted cumulated gain in [0, 1]: gain as judged, discount log2(rank + 1).

    Järvelin and Kekäläinen 2002, in the form that trec_eval and BEIR use.
    """
    found = [max(0, gains.get(identity, 0)) for identity in ranking[:cut]]
    best = sorted((gain for gain in gains.values() if gain > 0), reverse=True)[:cut]
    return _discounted(found) / _discounted(best) if best else 0.0


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def first_rank(ranking: Sequence[str], gains: Mapping[str, int]) -> int | None:
    """The rank, from 1, of the first id that answers; None when none does."""
    return next((rank for rank, identity in enumerate(ranking, 1) if gains.get(identity, 0) > 0), None)


def recall(ranking: Sequence[str], gains: Mapping[str, int], cut: int = CUT) -> float:
    """The share of all ids that answer which is among the first ones."""
    answers = {identity for identity, gain in gains.items() if gain > 0}
    return len(answers & set(ranking[:cut])) / len(answers) if answers else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over `questions` questions; `unanswered` counts those that brought no result, `median_ms` is their time."""

    questions: int = 0
    ndcg_at_10: float = 0.0
    mrr_at_10: float = 0.0
    hit_at_1: float = 0.0
    hit_at_5: float = 0.0
    recall_at_10: float = 0.0
    unanswered: int = 0
    median_ms: float = 0.0


@dataclass(slots=True)
class Tally:
    """Adds up the rankings of one way of asking."""

    _ndcg: list[float] = field(default_factory=list)
    _first: list[int | None] = field(default_factory=list)
    _recall: list[float] = field(default_factory=list)
    _ms: list[float] = field(default_factory=list)
    _unanswered: int = 0

    def add(self, ranking: Sequence[str], gains: Mapping[str, int], took_ms: float = 0.0) -> None:
        """Count one question's ranking; only its first ten results count."""
        top = ranking[:CUT]
        self._ndcg.append(ndcg(top, gains))
        self._first.append(first_rank(top, gains))
        self._recall.append(recall(top, gains))
        self._ms.append(took_ms)
        self._unanswered += not ranking

    def scores(self) -> Scores:
        """The means so far."""
        count = len(self._ndcg)
        if not count:
            return Scores()
        return Scores(
            questions=count,
            ndcg_at_10=statistics.fmean(self._ndcg),
            mrr_at_10=statistics.fmean(1 / rank if rank else 0.0 for rank in self._first),
            hit_at_1=statistics.fmean(rank == 1 for rank in self._first),
            hit_at_5=statistics.fmean(rank is not None and rank <= 5 for rank in self._first),
            recall_at_10=statistics.fmean(self._recall),
            unanswered=self._unanswered,
            median_ms=statistics.median(self._ms),
        )
