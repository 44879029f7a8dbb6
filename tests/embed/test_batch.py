"""Batches: padding stays small, order is kept, memory runs out gently, one bad text harms no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from obsidian_indexer.embed.batch import Embedder, plan_batches
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import TokenIds, load_tokenizer
from obsidian_indexer.errors import OutOfMemory
from obsidian_indexer.options import EmbedOptions
from tests.kit import HANG_GUARD_S, ScriptedEngine

Vectors = NDArray[np.float32]


def embedder(engine: ScriptedEngine, pauses: list[float] | None = None, **options: int) -> Embedder:
    spec = resolve_model(EmbedOptions(model="fake"))
    record = pauses if pauses is not None else []
    settings = EmbedOptions(model="fake", **options)  # type: ignore[arg-type]
    return Embedder(spec, load_tokenizer(spec), engine, settings, record.append)


def encoded(*texts: str) -> list[TokenIds]:
    return load_tokenizer(resolve_model(EmbedOptions(model="fake"))).encode(texts)


def collect(runner: Embedder, texts: Sequence[TokenIds]) -> tuple[dict[int, Vectors], dict[int, str]]:
    vectors: dict[int, Vectors] = {}
    failed: dict[int, str] = {}
    for result in runner.run(texts):
        failed |= result.failed
        vectors |= {row: result.vectors[i] for i, row in enumerate(result.rows) if row not in result.failed}
    return vectors, failed


@given(st.lists(st.integers(1, 512), min_size=1, max_size=300), st.integers(16, 4096), st.integers(0, 40))
def test_a_plan_holds_every_row_once_within_its_budget(lengths: list[int], budget: int, rows: int) -> None:
    batches = list(plan_batches(lengths, lambda: budget, rows))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget
        assert not rows or len(batch) <= rows


def test_sorting_keeps_padding_to_a_few_per_cent() -> None:
    lengths = np.random.default_rng(1).integers(4, 256, 5000).tolist()
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in plan_batches(lengths, lambda: 16_384))
    assert padded / sum(lengths) < 1.05


def test_each_text_gets_its_own_vector_whatever_the_order() -> None:
    texts = encoded(*(f"word{i} " * (i % 7 + 1) for i in range(50)))
    vectors, failed = collect(embedder(ScriptedEngine(), token_budget=64), texts)
    assert not failed
    for row, ids in enumerate(texts):
        np.testing.assert_allclose(vectors[row], ScriptedEngine().forward([ids])[0], rtol=1e-5)


def test_out_of_memory_halves_and_remembers() -> None:
    engine = ScriptedEngine()

    def small(batch: Sequence[TokenIds], vectors: Vectors) -> Vectors:
        if len(batch) > 5:
            raise OutOfMemory("too much")
        return vectors

    engine.fault = small
    pauses: list[float] = []
    texts = encoded(*(f"a{i} b c" for i in range(64)))
    vectors, failed = collect(embedder(engine, pauses, batch_size=32), texts)
    assert not failed
    assert sorted(vectors) == list(range(64))
    assert pauses == []
    too_large = [batch for batch in engine.batches if len(batch) > 5]
    assert [len(batch) for batch in too_large] == [32, 16, 8]


def test_a_poisonous_text_is_tried_twice_and_harms_no_other() -> None:
    engine = ScriptedEngine()
    texts = encoded("heron", "otter", "poison", "mole")
    poison = texts[2]

    def fault(batch: Sequence[TokenIds], vectors: Vectors) -> Vectors:
        if poison in list(batch):
            raise ValueError("cannot read this")
        return vectors

    engine.fault = fault
    pauses: list[float] = []
    vectors, failed = collect(embedder(engine, pauses), texts)
    assert failed == {2: "ValueError: cannot read this"}
    assert sorted(vectors) == [0, 1, 3]
    assert sum(list(batch).count(poison) for batch in engine.batches) == 2
    assert len(pauses) == 1


def test_a_batch_that_fails_once_is_embedded_on_the_second_try() -> None:
    engine = ScriptedEngine()
    failures = iter([RuntimeError("hiccup")])

    def fault(batch: Sequence[TokenIds], vectors: Vectors) -> Vectors:
        error = next(failures, None)
        if error:
            raise error
        return vectors

    engine.fault = fault
    vectors, failed = collect(embedder(engine), encoded("a", "b", "c"))
    assert not failed
    assert sorted(vectors) == [0, 1, 2]


@pytest.mark.parametrize("bad", [float("nan"), 0.0, float("inf")])
def test_a_vector_that_is_no_direction_is_set_aside(bad: float) -> None:
    engine = ScriptedEngine()
    texts = encoded("fine", "broken", "well")
    broken = texts[1]

    def fault(batch: Sequence[TokenIds], vectors: Vectors) -> Vectors:
        for row, ids in enumerate(batch):
            if ids == broken:
                vectors[row] = bad
        return vectors

    engine.fault = fault
    vectors, failed = collect(embedder(engine), texts)
    assert list(failed) == [1]
    assert "no usable vector" in failed[1]
    assert sorted(vectors) == [0, 2]


def test_batch_size_sets_the_rows() -> None:
    engine = ScriptedEngine()
    collect(embedder(engine, batch_size=7), encoded(*["one two three"] * 20))
    assert [len(batch) for batch in engine.batches] == [7, 7, 6]


class Roomy(ScriptedEngine):
    """A device that says how much it would hold, and takes no more."""

    def __init__(self, room_tokens: int) -> None:
        super().__init__()
        self.token_budget = 64  # type: ignore[misc]
        self.room_tokens = room_tokens  # type: ignore[misc]

    def sizes(self) -> list[int]:
        return [len(batch) * max(len(ids) for ids in batch) for batch in self.batches]


def test_batches_grow_into_the_memory_of_the_device_and_stay_within_it() -> None:
    engine = Roomy(room_tokens=700)
    vectors, failed = collect(embedder(engine), encoded(*["one two"] * 1000))
    assert not failed
    assert len(vectors) == 1000
    sizes = engine.sizes()
    assert sizes[0] <= 64
    assert 256 < max(sizes) <= 700


def test_a_budget_from_the_settings_does_not_grow() -> None:
    engine = Roomy(room_tokens=100_000)
    collect(embedder(engine, token_budget=64), encoded(*["one two"] * 200))
    assert max(engine.sizes()) <= 64


@dataclass(frozen=True)
class Part:
    name: str
    encoded: list[TokenIds]


def test_windows_follow_each_other_and_results_belong_to_theirs() -> None:
    parts = [Part("first", encoded(*["a b c"] * 30)), Part("none", []), Part("last", encoded(*["d"] * 5))]
    rows: dict[str, list[int]] = {}
    for part, result in embedder(ScriptedEngine(), token_budget=32).stream(parts):
        rows.setdefault(part.name, []).extend(result.rows)
    assert {name: sorted(numbers) for name, numbers in rows.items()} == {"first": [*range(30)], "last": [*range(5)]}


class Lanes(ScriptedEngine):
    """A device that works on two batches at once, and whose first waits for a later window to be asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = 2  # type: ignore[misc]
        self.second_window = threading.Event()

    def forward(self, batch: Sequence[TokenIds]) -> Vectors:
        assert self.second_window.wait(HANG_GUARD_S)
        return super().forward(batch)


def test_the_next_window_is_begun_before_the_last_is_done() -> None:
    engine = Lanes()

    def windows() -> Iterator[Part]:
        yield Part("first", encoded("a b c"))
        engine.second_window.set()
        yield Part("second", encoded("d e f"))

    names = [part.name for part, _ in embedder(engine).stream(windows())]
    assert names == ["first", "second"]
