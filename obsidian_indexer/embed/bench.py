"""Engines raced on the same texts within a stated time: who is fastest, in which number format, with what batches.

A reference in float32 reads a sample first, which sets its size and gives the vectors to compare with. Each engine
then runs once to warm up and once for the clock; those far behind stop there. For the others the sample grows to what
the time allows, since in a short pass the lanes that wait at its end would speak for small batches. They try more token
budgets and take turns until the time is over, so that a disturbance meets them alike. A pace is the median.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.build import Limits
from obsidian_indexer.embed.engines import VectorEngine, Vectors
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TextTokenizer, TokenIds
from obsidian_indexer.errors import Cancelled, EmbeddingError, IndexerError, OutOfMemory
from obsidian_indexer.events import CancelToken
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.tuning import Trial, TuneStep

# Share of the time in which the reference reads the sample: of 60 s on two idle cores, about 30,000 tokens.
_PILOT_SHARE = 0.05
_PILOT_TEXTS = 32
# With less of the time than this left, nothing more is loaded: of 60 s, what torch takes to load on two busy cores.
_LOADING_SHARE = 0.1
# Engines slower than this share of the best are measured once; below the second, by their warm-up alone.
_IN_THE_RACE, _HOPELESS = 0.6, 0.45
# Passes of each course that the time must hold when the sample grows, the warm-up counted.
_PLANNED_PASSES = 3
_FULL = 0.9
# Batches that each lane should have in a pass: with fewer, the wait at its end outweighs what budgets differ by.
_WANTED_BATCHES = 8
_BUDGET_STEPS = (0.5, 2.0, 4.0)
_MOST_PASSES = 5
_NO_TIME = "not measured: the time was over"


@dataclass(frozen=True, slots=True)
class Runner:
    """An engine in one number format that can be loaded here. `load` raises IndexerError when it cannot after all."""

    engine: str
    dtype: str
    load: Callable[[], VectorEngine]


@dataclass(slots=True)
class _Course:
    """One engine with one budget: its passes in tokens per second, and how near it comes to float32.

    `expected` is the pace to reckon with before a pass, 0 while nothing is known.
    """

    runner: Runner
    engine: VectorEngine
    budget: int
    paces: list[float] = field(default_factory=list)
    expected: float = 0.0
    cosines: tuple[float, float] | None = None
    problem: str = ""
    usable: bool = True
    dropped: str = ""

    @property
    def in_race(self) -> bool:
        return not self.dropped

    @property
    def pace(self) -> float:
        return statistics.median(self.paces) if self.paces else 0.0


class _TimeOver(Exception):
    """A pass was cut by the limit."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The outcome of a race: the trials, and the size of the sample."""

    trials: tuple[Trial, ...]
    chunks: int
    tokens: int
    cancelled: bool


class Bench:
    """One race. `started` is when its time began on `clock`; `protected` names a format that stays in it anyway."""

    def __init__(
        self,
        runners: Sequence[Runner],
        spec: ModelSpec,
        tokenizer: TextTokenizer,
        options: EmbedOptions,
        *,
        started: float,
        seconds: float,
        clock: Callable[[], float],
        cancel: CancelToken,
        on_step: Callable[[TuneStep], None],
        known: Sequence[Trial] = (),
        protected: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._runners = runners
        self._spec = spec
        self._tokenizer = tokenizer
        self._options = options
        self._started = started
        self._limit_s = seconds
        self._clock = clock
        self._cancel = cancel
        self._on_step = on_step
        self._known = list(known)
        self._protected = protected
        self._limits = limits or Limits()
        self._engines: dict[tuple[str, str], VectorEngine] = {}
        self._failed: dict[tuple[str, str], str] = {}
        self._courses: list[_Course] = []
        self._texts: list[str] = []
        self._sample: list[TokenIds] = []
        self._grown = False
        self._stays: _Course | None = None
        self._reference: Vectors | None = None

    def run(self, texts: Sequence[str]) -> Measured:
        """Race on these texts until done, out of time or cancelled."""
        cancelled = False
        try:
            self._read_sample(texts)
            self._first_passes()
            self._drop_the_slow()
            self._grow_sample()
            self._try_budgets()
            self._take_turns()
        except _TimeOver:
            pass
        except Cancelled:
            cancelled = True
        finally:
            for engine in self._engines.values():
                engine.close()
        return Measured(self._trials(final=not cancelled), len(self._sample), self._n_tokens(), cancelled)

    # --- the parts of a race

    def _read_sample(self, texts: Sequence[str]) -> None:
        """Tokenise and embed texts in any order by the reference, until its share of the time is spent."""
        pilot, is_reference = self._pilot()
        if pilot is None:
            return
        self._texts = list(texts)
        random.Random(0).shuffle(self._texts)
        vectors = []
        self._say(f"reading a sample with {pilot.name} in {pilot.dtype}")
        began = self._clock()
        while len(self._sample) < len(self._texts):
            encoded = self._next_texts()
            try:
                # The engine's own budget: the settings' one is among what is to be found out.
                vectors.append(self._embed(self._embedder(pilot, 0), encoded))
            except EmbeddingError:
                is_reference = False
            self._sample += encoded
            if self._clock() - began >= _PILOT_SHARE * self._limit_s:
                break
        if is_reference and vectors:
            self._reference = np.concatenate(vectors)

    def _next_texts(self) -> list[TokenIds]:
        start = len(self._sample)
        return list(self._tokenizer.encode(self._texts[start : start + _PILOT_TEXTS], self._spec.document_prompt))

    def _grow_sample(self) -> None:
        """Take in as much text as those who are left can read often enough in the time that is left.

        Where that is too little to tell budgets apart, the slowest of them give way, but for the protected format.
        """
        left = sorted((course for course in self._courses if course.in_race), key=lambda course: -course.pace)
        room = self._readable(left)
        while len(left) > 1 and room < _WANTED_BATCHES * left[0].engine.lanes * left[0].budget:
            slowest = next((c for c in left[:0:-1] if c is not self._stays), None)
            if slowest is None:
                break
            slowest.dropped = "measured once, for want of time"
            left.remove(slowest)
            room = self._readable(left)
        before = tokens = self._n_tokens()
        while tokens < room and len(self._sample) < len(self._texts):
            encoded = self._next_texts()
            self._sample += encoded
            tokens += sum(len(ids) for ids in encoded)
            self._cancel.check()
        self._grown = bool(left) and tokens > before

    def _readable(self, courses: Sequence[_Course]) -> float:
        """Tokens of a sample that all these can read with every budget in the time that is left."""
        seconds_a_token = sum(1 / course.pace for course in courses) * (1 + len(_BUDGET_STEPS)) * _PLANNED_PASSES
        left_s = self._limit_s - (self._clock() - self._started)
        return _FULL * left_s / seconds_a_token if seconds_a_token else 0.0

    def _pilot(self) -> tuple[VectorEngine | None, bool]:
        """The first engine in float32 that loads, else the first that does."""
        for runner in sorted(self._runners, key=lambda runner: runner.dtype != "float32"):
            engine = self._engine(runner)
            if engine is not None:
                return engine, engine.dtype == "float32"
        return None, False

    def _first_passes(self) -> None:
        for runner in self._runners:
            engine = self._engine(runner)
            if engine is not None:
                course = _Course(runner, engine, engine.token_budget)
                self._courses.append(course)
                self._warm_and_time(course)

    def _drop_the_slow(self) -> None:
        """Leave those far behind out of what follows, and give their memory back."""
        best = self._best_pace()
        own = [course for course in self._courses if course.usable and course.runner.dtype == self._protected]
        self._stays = max(own, key=lambda course: course.pace, default=None)
        for course in self._courses:
            slow = course.pace < _IN_THE_RACE * best and course is not self._stays
            if slow or not course.usable or not course.paces:
                course.dropped = "behind, measured once"
                course.engine.close()
                self._engines.pop((course.runner.engine, course.runner.dtype), None)

    def _try_budgets(self) -> None:
        """Smaller and larger batches for each that is left, as far as the sample fills them."""
        most = self._n_tokens()
        for first in [course for course in self._courses if course.in_race]:
            if self._grown:
                known = len(first.paces)
                self._warm_and_time(first)
                # Without time for another pass, what the small sample said stands.
                if len(first.paces) > known:
                    del first.paces[:known]
            for step in _BUDGET_STEPS:
                budget = int(first.budget * step)
                if budget * first.engine.lanes > most:
                    continue
                course = _Course(first.runner, first.engine, budget, expected=first.pace)
                self._courses.append(course)
                self._warm_and_time(course)
                if course.problem:
                    break

    def _take_turns(self) -> None:
        """More passes for all, back and forth, until each has enough of them or none fits into the time."""
        for turn in range(_MOST_PASSES - 1):
            runnable = [course for course in self._courses if course.in_race and course.usable and course.paces]
            fitted = [self._time(course) for course in (runnable if turn % 2 else runnable[::-1])]
            if not any(fitted):
                return

    # --- one pass

    def _warm_and_time(self, course: _Course) -> None:
        """A pass that is not counted (shapes are new to the engine, memory is not taken yet), then one that is."""
        if not self._fits(2 * self._expected_s(course)):
            return
        self._say(_label(course))
        try:
            vectors, course.expected = self._timed(course)
        except EmbeddingError as error:
            course.problem, course.usable = _first_line(error), False
            return
        if self._reference is not None:
            # The sample may have grown since the reference read its first part.
            cosines = (vectors[: len(self._reference)] * self._reference).sum(axis=1)
            course.cosines = float(cosines.mean()), float(cosines.min())
            if course.runner.dtype != "float32" and not self._near_enough(course.cosines):
                course.problem, course.usable = "too far from float32", False
                return
        if course.expected < _HOPELESS * self._best_pace():
            course.paces.append(course.expected)
        else:
            self._time(course)

    def _near_enough(self, cosines: tuple[float, float]) -> bool:
        return cosines[0] >= self._limits.mean_cosine and cosines[1] >= self._limits.worst_cosine

    def _time(self, course: _Course) -> bool:
        """One pass that counts; False when it would not fit into the time."""
        if not self._fits(self._expected_s(course)):
            return False
        self._say(_label(course))
        try:
            _, course.expected = self._timed(course)
        except EmbeddingError as error:
            course.problem, course.usable = _first_line(error), False
            return False
        course.paces.append(course.expected)
        return True

    def _best_pace(self) -> float:
        return max((course.pace for course in self._courses if course.usable), default=0.0)

    def _expected_s(self, course: _Course) -> float:
        return self._n_tokens() / course.expected if course.expected else 0.0

    def _timed(self, course: _Course) -> tuple[Vectors, float]:
        began = self._clock()
        vectors = self._embed(self._embedder(course.engine, course.budget), self._sample)
        return vectors, self._n_tokens() / max(self._clock() - began, 1e-9)

    def _embed(self, embedder: Embedder, encoded: Sequence[TokenIds]) -> Vectors:
        """Vectors of encoded texts in their order. Raises EmbeddingError, Cancelled, or _TimeOver at the limit."""
        out = np.zeros((len(encoded), embedder.engine.dim), np.float32)
        with closing(embedder.run(encoded)) as results:  # type: ignore[type-var]
            for result in results:
                if result.failed:
                    raise EmbeddingError(next(iter(result.failed.values())))
                if embedder.ran_out_of_memory:
                    raise OutOfMemory("out of memory")
                out[result.rows] = result.vectors
                self._cancel.check()
                if self._clock() - self._started > self._limit_s:
                    raise _TimeOver
        return out

    def _embedder(self, engine: VectorEngine, budget: int) -> Embedder:
        options = replace(self._options, token_budget=budget)
        return Embedder(self._spec, self._tokenizer, engine, options, pause=lambda seconds: None)

    def _engine(self, runner: Runner) -> VectorEngine | None:
        """The runner's engine, loaded once; None when it cannot be, or there is no time for it."""
        place = runner.engine, runner.dtype
        if place in self._failed:
            return None
        if place not in self._engines:
            self._cancel.check()
            if not self._fits(_LOADING_SHARE * self._limit_s):
                return None
            self._say(f"loading {runner.engine} in {runner.dtype}")
            try:
                self._engines[place] = runner.load()
            except IndexerError as error:
                self._failed[place] = _first_line(error)
                return None
        return self._engines[place]

    def _fits(self, expected_s: float) -> bool:
        return self._clock() - self._started + expected_s < self._limit_s

    # --- what is told

    def _n_tokens(self) -> int:
        return sum(len(ids) for ids in self._sample)

    def _say(self, doing: str) -> None:
        self._on_step(TuneStep(doing, self._clock() - self._started, self._limit_s, self._trials()))

    def _trials(self, *, final: bool = False) -> tuple[Trial, ...]:
        return (*self._known, *self._measured(final=final))

    def _measured(self, *, final: bool) -> Iterator[Trial]:
        """Each engine's trials together, in the runners' order; while it goes on, only those with something to say."""
        for runner in self._runners:
            own = sorted((c for c in self._courses if c.runner is runner), key=lambda course: course.budget)
            told = [self._trial(course) for course in own if course.paces or course.problem]
            yield from told
            if not told:
                problem = self._failed.get((runner.engine, runner.dtype), _NO_TIME if final else "")
                if problem:
                    yield Trial(runner.engine, runner.dtype, note=problem, usable=False)

    def _trial(self, course: _Course) -> Trial:
        note = course.problem or course.dropped
        mean, worst = course.cosines or (None, None)
        chunks_a_token = len(self._sample) / max(1, self._n_tokens())
        return Trial(
            engine=course.runner.engine,
            dtype=course.runner.dtype,
            token_budget=course.budget,
            chunks_per_second=round(course.pace * chunks_a_token, 1) if course.paces else None,
            tokens_per_second=round(course.pace, 1) if course.paces else None,
            cosine_mean=None if mean is None else round(mean, 5),
            cosine_min=None if worst is None else round(worst, 5),
            note=note,
            usable=course.usable,
        )


def _label(course: _Course) -> str:
    return f"{course.runner.engine} in {course.runner.dtype}, batches of {course.budget:,} tokens"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
