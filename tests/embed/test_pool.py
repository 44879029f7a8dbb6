"""Several devices as one: they share the batches, and one that fails leaves the others going."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.fake import FakeEngine
from obsidian_indexer.embed.pool import EnginePool
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import TokenIds, load_tokenizer
from obsidian_indexer.embed.torch_engine import TorchEngine
from obsidian_indexer.errors import EmbeddingError, ModelError, OutOfMemory
from obsidian_indexer.options import EmbedOptions
from tests.embed.small_models import sentences, write_model
from tests.kit import HANG_GUARD_S, ScriptedEngine

FAKE = EmbedOptions(model="fake", token_budget=64, retry_delay_s=0.0)
BATCH: list[TokenIds] = [[0, 11, 12, 0], [0, 13, 0]]


def broken(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    raise EmbeddingError("CUDA error: unspecified launch failure")


class Meeting(FakeEngine):
    """A device whose first batch ends only when every device has one."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__(64)
        self.barrier = barrier
        self.first = True

    def forward(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        if self.first:
            self.first = False
            self.barrier.wait(HANG_GUARD_S)
        return super().forward(batch)


def pool_of(*engines: FakeEngine) -> EnginePool:
    first, *others = engines
    return EnginePool(first, [lambda engine=engine: engine for engine in others])  # type: ignore[misc]


def texts(count: int) -> list[TokenIds]:
    return load_tokenizer(resolve_model(FAKE)).encode([f"note {i} " + "word " * (i % 9) for i in range(count)])


def embed_all(engine: EnginePool | TorchEngine | FakeEngine, encoded: Sequence[TokenIds]) -> NDArray[np.float32]:
    spec = resolve_model(FAKE)
    out = np.zeros((len(encoded), engine.dim), np.float32)
    for result in Embedder(spec, load_tokenizer(spec), engine, FAKE, lambda seconds: None).run(encoded):
        assert not result.failed
        out[result.rows] = result.vectors
    return out


def test_devices_work_at_the_same_time() -> None:
    barrier = threading.Barrier(3)
    pool = pool_of(*(Meeting(barrier) for _ in range(3)))
    assert (pool.lanes, pool.device) == (3, "3 × cpu")
    np.testing.assert_allclose(embed_all(pool, texts(60)), embed_all(FakeEngine(64), texts(60)), atol=1e-6)


def test_a_single_batch_loads_no_second_device() -> None:
    def load() -> FakeEngine:
        raise AssertionError("not wanted yet")

    pool = EnginePool(FakeEngine(64), [load])
    for _ in range(3):
        np.testing.assert_array_equal(pool.forward(BATCH), FakeEngine(64).forward(BATCH))


def test_a_device_that_cannot_be_loaded_is_done_without(caplog: pytest.LogCaptureFixture) -> None:
    first = ScriptedEngine()
    started, may_end = threading.Event(), threading.Event()

    def hold(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        started.set()
        assert may_end.wait(HANG_GUARD_S)
        return vectors

    def load() -> FakeEngine:
        may_end.set()
        raise ModelError("no memory is left on cuda:1")

    first.fault = hold
    pool = EnginePool(first, [load])
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(2) as lanes:
        busy = lanes.submit(pool.forward, BATCH)
        assert started.wait(HANG_GUARD_S)
        np.testing.assert_array_equal(pool.forward(BATCH), FakeEngine(64).forward(BATCH))
        busy.result()
    assert "no memory is left on cuda:1" in caplog.text


def test_a_device_that_keeps_failing_is_given_up_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = ScriptedEngine(), ScriptedEngine()
    bad.fault = broken
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(
            embed_all(pool_of(bad, good), texts(200)), embed_all(FakeEngine(64), texts(200)), atol=1e-6
        )
    assert good.n_texts >= 200
    assert "given up" in caplog.text
    failed_before = len(bad.batches)
    pool = pool_of(bad, good)
    for _ in range(10):
        pool.forward(BATCH)
    assert len(bad.batches) - failed_before < 10


def test_a_batch_that_no_device_can_do_is_the_fault_of_none() -> None:
    first, second = ScriptedEngine(), ScriptedEngine()
    pool = pool_of(first, second)
    first.fault = second.fault = broken
    for _ in range(10):
        with pytest.raises(EmbeddingError, match="launch failure"):
            pool.forward(BATCH)
    first.fault = second.fault = None
    both_before = len(first.batches), len(second.batches)
    embed_all(pool, texts(100))
    assert len(first.batches) > both_before[0]
    assert len(second.batches) + len(first.batches) > sum(both_before) + 5


def test_too_large_a_batch_is_not_tried_elsewhere() -> None:
    def small(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        raise OutOfMemory("CUDA out of memory")

    first, second = ScriptedEngine(), ScriptedEngine()
    first.fault = second.fault = small
    with pytest.raises(OutOfMemory):
        pool_of(first, second).forward(BATCH)
    assert len(first.batches) + len(second.batches) == 1


def test_when_every_device_is_given_up_the_last_reason_is_told() -> None:
    def load() -> FakeEngine:
        raise ModelError("gone")

    first = ScriptedEngine()
    first.fault = broken
    with pytest.raises((EmbeddingError, ModelError)):
        EnginePool(first, [load]).forward(BATCH)


def test_the_smallest_loaded_device_says_how_much_fits() -> None:
    barrier = threading.Barrier(2)
    small, large = Meeting(barrier), Meeting(barrier)
    small.room_tokens, large.room_tokens = 1_000, 9_000  # type: ignore[misc]
    pool = pool_of(large, small)
    assert pool.room_tokens == 9_000
    embed_all(pool, texts(20))
    assert pool.room_tokens == 1_000


def test_closing_gives_back_every_device_that_was_loaded() -> None:
    closed: list[str] = []

    class Closing(FakeEngine):
        def __init__(self, label: str) -> None:
            super().__init__(8)
            self.label = label

        def close(self) -> None:
            closed.append(self.label)

    loaders: list[Callable[[], FakeEngine]] = [lambda: Closing("never loaded")]
    EnginePool(Closing("first"), loaders).close()  # type: ignore[arg-type]
    assert closed == ["first"]


def test_two_copies_of_a_real_model_give_what_one_gives(tmp_path: Path) -> None:
    options = EmbedOptions(model=str(write_model(tmp_path, "bert")), device="cpu", dtype="float32", token_budget=128)
    spec = resolve_model(options)
    one = TorchEngine(spec, options)
    two = EnginePool(one, [lambda: TorchEngine(spec, options, dtype=one.dtype)])
    assert two.lanes == 2
    encoded = load_tokenizer(spec).encode(sentences(60))
    np.testing.assert_allclose(embed_all(two, encoded), embed_all(one, encoded), atol=1e-5)
    np.testing.assert_allclose(two.forward_exact(encoded[0]), one.forward_exact(encoded[0]), atol=1e-6)
