"""The race of engines, on a clock that only the engines move: who is measured, how, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed.bench import Bench, Measured, Runner
from obsidian_indexer.embed.fake import FakeEngine
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import TokenIds, load_tokenizer
from obsidian_indexer.errors import ModelError, OutOfMemory
from obsidian_indexer.events import CancelToken
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.tuning import Trial, TuneStep

TEXTS = tuple(f"note {n} " + "word " * (n % 40) for n in range(400))


@dataclass
class Clock:
    """Stands still until something takes time."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class PacedEngine(FakeEngine):
    """The fake engine, which takes a known time for each batch and each padded token."""

    def __init__(self, clock: Clock, dtype: str, seconds_a_token: float, *, seconds_a_batch: float = 0.0) -> None:
        super().__init__(16)
        self.clock = clock
        self.dtype = dtype  # type: ignore[misc]
        self.token_budget = 512  # type: ignore[misc]
        self.seconds_a_token = seconds_a_token
        self.seconds_a_batch = seconds_a_batch
        self.warm_up_s = 0.0
        self.tilt = 0.0
        self.most_tokens = 10**9
        self.closed = False

    def forward(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        assert not self.closed
        padded = len(batch) * max(len(ids) for ids in batch)
        if padded > self.most_tokens:
            raise OutOfMemory("too large")
        self.clock.now += self.seconds_a_batch + padded * self.seconds_a_token + self.warm_up_s
        self.warm_up_s = 0.0
        vectors = super().forward(batch)
        vectors[:, 0] += self.tilt
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def close(self) -> None:
        self.closed = True


@dataclass
class Race:
    """A race of paced engines; `steps` is what it told."""

    clock: Clock = field(default_factory=Clock)
    runners: list[Runner] = field(default_factory=list)
    engines: list[PacedEngine] = field(default_factory=list)
    steps: list[TuneStep] = field(default_factory=list)
    cancel: CancelToken = field(default_factory=CancelToken)

    def add(self, name: str, dtype: str, seconds_a_token: float, *, seconds_a_batch: float = 0.0) -> PacedEngine:
        engine = PacedEngine(self.clock, dtype, seconds_a_token, seconds_a_batch=seconds_a_batch)
        self.engines.append(engine)
        self.runners.append(Runner(name, dtype, lambda: engine))
        return engine

    def run(self, seconds: float = 1000.0, *, protected: str | None = None, texts: Sequence[str] = TEXTS) -> Measured:
        options = EmbedOptions(model="fake:16")
        spec = resolve_model(options)
        bench = Bench(
            self.runners,
            spec,
            load_tokenizer(spec),
            options,
            started=self.clock.now,
            seconds=seconds,
            clock=self.clock,
            cancel=self.cancel,
            on_step=self.steps.append,
            protected=protected,
        )
        return bench.run(texts)


def of(measured: Measured, engine: str, dtype: str) -> list[Trial]:
    return [trial for trial in measured.trials if (trial.engine, trial.dtype) == (engine, dtype)]


def test_the_faster_engine_has_the_higher_pace_and_both_are_compared_with_float32() -> None:
    race = Race()
    race.add("torch", "float32", 0.001)
    race.add("openvino", "bfloat16", 0.0008)
    found = race.run()
    (slow, *_), (fast, *_) = of(found, "torch", "float32"), of(found, "openvino", "bfloat16")
    assert fast.tokens_per_second
    assert slow.tokens_per_second
    assert fast.tokens_per_second == pytest.approx(slow.tokens_per_second / 0.8, rel=0.01)
    assert fast.chunks_per_second == pytest.approx(fast.tokens_per_second * found.chunks / found.tokens, rel=0.01)
    assert (fast.cosine_mean, fast.cosine_min) == (pytest.approx(1.0), pytest.approx(1.0))


def test_the_budget_that_pays_is_found() -> None:
    race = Race()
    race.add("torch", "float32", 0.001, seconds_a_batch=0.2)
    trials = of(race.run(10_000.0), "torch", "float32")
    assert [trial.token_budget for trial in trials] == [256, 512, 1024, 2048]
    paces = [trial.tokens_per_second or 0.0 for trial in trials]
    assert paces == sorted(paces)
    assert paces[-1] > 1.1 * paces[0]


def test_budgets_that_the_sample_cannot_fill_are_not_tried() -> None:
    race = Race()
    race.add("torch", "float32", 0.001)
    trials = race.run(texts=TEXTS[:30]).trials
    assert max(trial.token_budget or 0 for trial in trials) <= 512


def test_warming_up_does_not_count() -> None:
    race = Race()
    race.add("torch", "float32", 0.001)
    race.add("openvino", "float32", 0.001).warm_up_s = 3.0
    found = race.run()
    plain, warmed = of(found, "torch", "float32")[0], of(found, "openvino", "float32")[0]
    assert warmed.tokens_per_second == plain.tokens_per_second


def test_a_disturbance_in_one_pass_does_not_decide() -> None:
    """Passes are many and interleaved, and the median is taken."""
    race = Race()
    race.add("torch", "float32", 0.001)
    disturbed = race.add("openvino", "float32", 0.0009)
    tell = race.steps.append

    class Steps(list[TuneStep]):
        def append(self, step: TuneStep) -> None:
            tell(step)
            if step.doing.startswith("openvino") and len(race.steps) == 12:
                disturbed.warm_up_s = 100.0

    steps = race.steps
    race.steps = Steps()
    tell = steps.append
    found = race.run(10_000.0)
    best = max(found.trials, key=lambda trial: trial.pace)
    assert best.engine == "openvino"


def test_engines_take_turns() -> None:
    race = Race()
    race.add("torch", "float32", 0.001)
    race.add("openvino", "float32", 0.001)
    race.run()
    turns = [step.doing.split(" ")[0] for step in race.steps if "batches" in step.doing]
    changes = sum(a != b for a, b in pairwise(turns[len(turns) // 2 :]))
    assert changes >= 3


def test_an_engine_far_behind_is_measured_once_and_closed() -> None:
    race = Race()
    slow = race.add("torch", "float32", 0.01)
    race.add("openvino", "bfloat16", 0.001)
    found = race.run()
    (trial,) = of(found, "torch", "float32")
    assert "behind" in trial.note
    assert trial.tokens_per_second
    assert slow.closed


def test_the_format_of_the_index_stays_in_the_race() -> None:
    race = Race()
    race.add("torch", "float32", 0.01)
    race.add("openvino", "bfloat16", 0.001)
    found = race.run(100_000.0, protected="float32")
    trials = of(found, "torch", "float32")
    assert len(trials) > 1
    assert not any(trial.note for trial in trials)


def test_where_time_is_short_the_slower_give_way_but_not_the_format_of_the_index() -> None:
    race = Race()
    race.add("torch", "float32", 0.0014)
    race.add("openvino", "bfloat16", 0.0012)
    race.add("openvino", "int8", 0.001)
    found = race.run(120.0, protected="float32")
    (way,) = of(found, "openvino", "bfloat16")
    assert "want of time" in way.note
    assert way.tokens_per_second
    assert len(of(found, "openvino", "int8")) > 1
    assert len(of(found, "torch", "float32")) > 1


def test_the_sample_grows_to_what_the_time_allows() -> None:
    def sampled(seconds: float) -> int:
        race = Race()
        race.add("torch", "float32", 0.001)
        return race.run(seconds).tokens

    assert sampled(100.0) > 1.5 * sampled(30.0)


@pytest.mark.parametrize("seconds", [0.5, 2.0, 7.0, 20.0, 61.0])
def test_the_time_is_kept_to_within_a_batch(seconds: float) -> None:
    race = Race()
    for name in ("torch", "openvino"):
        for dtype, cost in (("float32", 0.002), ("bfloat16", 0.001)):
            race.add(name, dtype, cost)
    found = race.run(seconds)
    longest_batch = 2048 * 0.002
    assert race.clock.now <= seconds + longest_batch
    assert len({(trial.engine, trial.dtype) for trial in found.trials}) == 4
    for trial in found.trials:
        assert trial.tokens_per_second or trial.note


def test_time_that_is_left_is_used() -> None:
    race = Race()
    race.add("torch", "float32", 0.002)
    race.add("openvino", "bfloat16", 0.001)
    race.run(60.0)
    assert race.clock.now > 40.0


def test_an_engine_that_does_not_load_is_listed_with_its_reason() -> None:
    race = Race()

    def fail() -> PacedEngine:
        raise ModelError("no such device\nand a long trace")

    race.runners.append(Runner("torch", "float16", fail))
    race.add("torch", "float32", 0.001)
    found = race.run()
    (trial,) = of(found, "torch", "float16")
    assert (trial.note, trial.usable, trial.tokens_per_second) == ("no such device", False, None)
    assert of(found, "torch", "float32")[0].tokens_per_second


def test_a_budget_that_runs_out_of_memory_is_listed_and_the_smaller_ones_stand() -> None:
    race = Race()
    race.add("torch", "float32", 0.001).most_tokens = 800
    trials = {trial.token_budget: trial for trial in race.run(10_000.0).trials}
    assert trials[1024].note == "out of memory"
    assert not trials[1024].usable
    assert 2048 not in trials
    assert trials[512].tokens_per_second


def test_vectors_far_from_float32_are_never_usable() -> None:
    race = Race()
    race.add("torch", "float32", 0.002)
    race.add("torch", "float16", 0.001).tilt = 0.8
    found = race.run()
    (trial,) = of(found, "torch", "float16")
    assert trial.note == "too far from float32"
    assert trial.pace == 0.0
    assert trial.cosine_mean is not None
    assert trial.cosine_mean < 0.99


def test_a_cancelled_race_ends_after_its_batch_and_closes_everything() -> None:
    race = Race()
    race.add("torch", "float32", 0.001)
    race.add("openvino", "float32", 0.001)
    steps = race.steps

    class Steps(list[TuneStep]):
        def append(self, step: TuneStep) -> None:
            steps.append(step)
            if "batches" in step.doing:
                race.cancel.cancel()

    race.steps = Steps()
    found = race.run()
    assert found.cancelled
    assert sum("batches" in step.doing for step in steps) == 1
    assert not [trial for trial in found.trials if trial.tokens_per_second or trial.note]
    assert race.engines[0].closed


def test_without_float32_there_is_no_cosine_and_still_a_pace() -> None:
    race = Race()
    race.add("torch", "bfloat16", 0.001)
    trial = race.run().trials[0]
    assert trial.tokens_per_second
    assert trial.cosine_mean is None
