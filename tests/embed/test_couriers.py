"""Batches on their way to a card and back: what waits for what, on a card whose queues only take notes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from obsidian_indexer.embed.couriers import Direct, Streamed, Tensors
from tests.kit import HANG_GUARD_S


@dataclass
class Mark:
    """An event: reached when it is recorded, unless the test holds results back."""

    card: PaperCard
    stream: Queue | None = None

    def record(self, stream: Queue) -> None:
        self.stream = stream
        stream.notes.append(("mark", id(self)))

    def synchronize(self) -> None:
        assert self.stream is not None
        assert self.card.results_are_back.wait(HANG_GUARD_S)


@dataclass
class Queue:
    notes: list[tuple[str, object]] = field(default_factory=list)

    def wait_event(self, mark: Mark) -> None:
        self.notes.append(("wait", id(mark)))


class PaperCard:
    """A card on which everything is done at once; its queues keep what they were told."""

    def __init__(self) -> None:
        self.queues: list[Queue] = []
        self.current = threading.local()
        self.results_are_back = threading.Event()
        self.results_are_back.set()

    def stream(self) -> Queue:
        self.queues.append(Queue())
        return self.queues[-1]

    def event(self) -> Mark:
        return Mark(self)

    @contextmanager
    def on(self, stream: Queue) -> Iterator[None]:
        self.current.queue = stream
        yield
        self.current.queue = None

    def upload(self, array: NDArray[np.generic]) -> torch.Tensor:
        self.current.queue.notes.append(("upload", array.shape))
        return torch.from_numpy(array.copy())

    def download(self, tensor: torch.Tensor) -> torch.Tensor:
        self.current.queue.notes.append(("download", tuple(tensor.shape)))
        return tensor.clone()

    def keep(self, tensor: torch.Tensor, stream: Queue) -> None:
        assert self.current.queue is stream
        stream.notes.append(("keep", tuple(tensor.shape)))

    def note(self, what: str) -> None:
        self.current.queue.notes.append((what, None))


def doubled(tensors: Tensors) -> torch.Tensor:
    return tensors["x"] * 2


def test_both_ways_give_the_same() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for courier in (Direct("cpu"), Streamed(PaperCard())):
        np.testing.assert_array_equal(courier.carry({"x": x}, doubled), x * 2)


def test_each_step_has_its_queue_and_waits_for_the_one_before() -> None:
    card = PaperCard()
    courier = Streamed(card)

    def compute(tensors: Tensors) -> torch.Tensor:
        card.note("compute")
        return doubled(tensors)

    courier.carry({"x": np.ones((2, 3), np.float32)}, compute)
    up, work, down = (queue.notes for queue in card.queues)
    assert [what for what, _ in up] == ["upload", "mark"]
    assert [what for what, _ in work] == ["wait", "keep", "compute", "mark"]
    assert [what for what, _ in down] == ["wait", "keep", "download", "mark"]
    assert work[0][1] == up[-1][1]
    assert down[0][1] == work[-1][1]


def test_the_next_batches_are_computed_while_no_result_is_back() -> None:
    card = PaperCard()
    card.results_are_back.clear()
    courier = Streamed(card)
    computed = threading.Semaphore(0)

    def compute(tensors: Tensors) -> torch.Tensor:
        computed.release()
        return doubled(tensors)

    with ThreadPoolExecutor(3) as lanes:
        batches = [np.full((1, 2), number, np.float32) for number in range(3)]
        waiting = [lanes.submit(courier.carry, {"x": batch}, compute) for batch in batches]
        for _ in batches:
            assert computed.acquire(timeout=HANG_GUARD_S)
        assert not any(future.done() for future in waiting)
        card.results_are_back.set()
        for batch, future in zip(batches, waiting, strict=True):
            np.testing.assert_array_equal(future.result(), batch * 2)


def test_an_error_belongs_to_its_batch() -> None:
    courier = Streamed(PaperCard())

    def too_large(tensors: Tensors) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        courier.carry({"x": np.ones((1, 1), np.float32)}, too_large)
    np.testing.assert_array_equal(courier.carry({"x": np.ones((1, 1), np.float32)}, doubled), [[2.0]])


def test_the_result_does_not_lie_in_memory_of_the_card() -> None:
    card = PaperCard()
    downloads: list[torch.Tensor] = []
    download = card.download

    def keep_download(tensor: torch.Tensor) -> torch.Tensor:
        downloads.append(download(tensor))
        return downloads[-1]

    card.download = keep_download  # type: ignore[method-assign]
    result = Streamed(card).carry({"x": np.ones((1, 2), np.float32)}, doubled)
    downloads[0].zero_()
    np.testing.assert_array_equal(result, [[2.0, 2.0]])
