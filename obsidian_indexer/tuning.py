"""What a tuning run measures, tells while it goes, and concludes; and the rule by which one trial is kept.

A trial is one engine in one number format with one token budget. Vectors of two formats are never compared, so another
format than that of the index costs embedding everything again: it must be worth it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

# Another number format must be this much faster to be worth embedding the vault again.
WORTH_RE_EMBEDDING = 1.5
# Paces that differ by less are the same but for noise; the smaller batches are kept then, which take less memory.
_SAME_PACE = 0.97

TUNED_NAMES = ("engine", "dtype", "token_budget")
"""The settings of the `embedding` section that tuning decides."""


class Precision(StrEnum):
    """What may become of the index's number format: kept, changed where it pays, or not regarded."""

    KEEP = "keep"
    WEIGH = "weigh"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Trial:
    """One engine, number format and token budget, measured; without a pace, `note` says why there is none.

    Cosines are those with float32 vectors of the same texts, None where there was nothing to compare with. `usable` is
    False for what must not be kept, however fast.
    """

    engine: str
    dtype: str
    token_budget: int | None = None
    chunks_per_second: float | None = None
    tokens_per_second: float | None = None
    cosine_mean: float | None = None
    cosine_min: float | None = None
    note: str = ""
    usable: bool = True

    @property
    def pace(self) -> float:
        """Tokens per second, 0 for what may not be kept."""
        return (self.tokens_per_second or 0.0) if self.usable else 0.0


@dataclass(frozen=True, slots=True)
class TuneStep:
    """A moment of a tuning run: what it does, how much of its time is spent, and the trials so far."""

    doing: str
    elapsed_s: float
    limit_s: float
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What a tuning run found. `index_dtype` is the number format that the index has now, if there is one.

    `seconds` leaves out `build_seconds`, in which engines were made that are made once per model.

    `settings` are the values of the `embedding` section that make the best trial the rule, empty without one; `reason`
    says why that one, and what it costs.
    """

    vault: str
    model: str
    chunks: int
    tokens: int
    seconds: float
    trials: tuple[Trial, ...]
    best: Trial | None = None
    reason: str = ""
    index_dtype: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    build_seconds: float = 0.0
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class KeptSettings:
    """Where the best trial was written, where the old settings are, and which settings something stronger overrides."""

    file: Path
    backup: Path
    overridden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoredSettings:
    """The file that is as it was before tuning; `aside` holds what was changed in it since, if anything was."""

    file: Path
    aside: Path | None = None


def choose_trial(trials: Sequence[Trial], index_dtype: str | None, precision: Precision) -> tuple[Trial | None, str]:
    """The trial to keep and why, for a person; None when there is none."""
    fastest = _fastest(trials)
    if fastest is None:
        return None, "Nothing could be measured."
    if index_dtype is None or precision is Precision.ANY:
        changed = index_dtype not in (None, fastest.dtype)
        return fastest, "The fastest." + (_cost(fastest, index_dtype) if changed else "")
    same = _fastest([trial for trial in trials if trial.dtype == index_dtype])
    if same is None:
        if precision is Precision.KEEP:
            return None, f"Nothing that could be measured here computes {index_dtype}, the precision of the index."
        return fastest, f"The fastest; nothing measured computes {index_dtype}.{_cost(fastest, index_dtype)}"
    if fastest.dtype == index_dtype:
        return fastest, f"The fastest, and in {index_dtype} as the index is."
    times = fastest.pace / same.pace
    if precision is Precision.KEEP:
        return same, f"The fastest in {index_dtype}, the precision of the index; {fastest.dtype} runs {times:.1f}×."
    if times < WORTH_RE_EMBEDDING:
        return same, (
            f"The fastest in {index_dtype}, the precision of the index. {fastest.dtype} runs {times:.1f}×, too little "
            f"to embed everything again (from {WORTH_RE_EMBEDDING}× on)."
        )
    return fastest, f"{times:.1f}× as fast as {index_dtype}, the precision of the index.{_cost(fastest, index_dtype)}"


def _fastest(trials: Sequence[Trial]) -> Trial | None:
    measured = [trial for trial in trials if trial.pace > 0]
    if not measured:
        return None
    top = max(measured, key=lambda trial: trial.pace)
    alike = [
        trial
        for trial in measured
        if (trial.engine, trial.dtype) == (top.engine, top.dtype) and trial.pace >= _SAME_PACE * top.pace
    ]
    return min(alike, key=lambda trial: trial.token_budget or 0)


def _cost(trial: Trial, index_dtype: str | None) -> str:
    return f" The index is in {index_dtype}: the next 'index' embeds everything again, in {trial.dtype}."
