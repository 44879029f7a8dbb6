"""How a batch gets to the device and its vectors back.

`Direct` waits at each step, as a CPU needs. On CUDA, `Streamed` copies through pinned memory on streams of their own:
the next batch arrives while the last one is computed, and only the thread that wants a result waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.layouts import Arrays

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]
# Arrays of a batch, already on the device, to float32[n, dim] there.
Compute = Callable[[Tensors], "torch.Tensor"]


class Courier(Protocol):
    """Carries a batch to a device, has it computed there and brings the vectors back."""

    def carry(self, arrays: Arrays, compute: Compute) -> NDArray[np.float32]:
        """Vectors of a batch. An error of the device is raised for the batch that met it."""


class Direct:
    """One batch at a time, each step waiting for the one before."""

    def __init__(self, device: str) -> None:
        import torch

        self._torch = torch
        self._device = device

    def carry(self, arrays: Arrays, compute: Compute) -> NDArray[np.float32]:
        """Vectors of a batch."""
        tensors = {name: self._torch.from_numpy(array).to(self._device) for name, array in arrays.items()}
        vectors: NDArray[np.float32] = compute(tensors).cpu().numpy()
        return vectors


class Card(Protocol):
    """What ordering the work of a card takes; streams and events as torch has them."""

    def stream(self) -> Any:
        """A new queue of work."""

    def event(self) -> Any:
        """A new mark in a queue."""

    def on(self, stream: Any) -> AbstractContextManager[object]:
        """Within it, work goes to this queue."""

    def upload(self, array: NDArray[np.generic]) -> torch.Tensor:
        """Begin to copy an array to the card; nobody waits."""

    def download(self, tensor: torch.Tensor) -> torch.Tensor:
        """Begin to copy a tensor to memory of the host; it is whole once the queue has come this far."""

    def keep(self, tensor: torch.Tensor, stream: Any) -> None:
        """Leave a tensor's memory alone until a queue other than its own is done with it."""


class CudaCard:
    """One CUDA device."""

    def __init__(self, device: str) -> None:
        import torch

        self._torch = torch
        self._device = torch.device(device)

    def stream(self) -> Any:
        """A new CUDA stream."""
        return self._torch.cuda.Stream(self._device)

    def event(self) -> Any:
        """A new CUDA event; who waits for it sleeps instead of spinning on a core."""
        return self._torch.cuda.Event(blocking=True)

    def on(self, stream: Any) -> AbstractContextManager[object]:
        """Make a stream, and its device, the current one of this thread."""
        context: AbstractContextManager[object] = self._torch.cuda.stream(stream)
        return context

    def upload(self, array: NDArray[np.generic]) -> torch.Tensor:
        """Copy through pinned memory, which torch keeps and hands out again once the copy is over."""
        return self._torch.from_numpy(array).pin_memory().to(self._device, non_blocking=True)

    def download(self, tensor: torch.Tensor) -> torch.Tensor:
        """Copy into pinned memory."""
        host = self._torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return host.copy_(tensor, non_blocking=True)

    def keep(self, tensor: torch.Tensor, stream: Any) -> None:
        """Tell the allocator of another stream's use."""
        tensor.record_stream(stream)


class Streamed:
    """Several batches in flight, one computing; as many threads may carry as there are to be in flight."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._up, self._work, self._down = card.stream(), card.stream(), card.stream()
        # The compute stream runs one batch after the other, so that their memory does not add up.
        self._starting = threading.Lock()

    def carry(self, arrays: Arrays, compute: Compute) -> NDArray[np.float32]:
        """Vectors of a batch."""
        card = self._card
        arrived, computed, returned = card.event(), card.event(), card.event()
        with card.on(self._up):
            tensors = {name: card.upload(array) for name, array in arrays.items()}
            arrived.record(self._up)
        with self._starting, card.on(self._work):
            self._work.wait_event(arrived)
            for tensor in tensors.values():
                card.keep(tensor, self._work)
            vectors = compute(tensors)
            computed.record(self._work)
        with card.on(self._down):
            self._down.wait_event(computed)
            card.keep(vectors, self._down)
            host = card.download(vectors)
            returned.record(self._down)
        returned.synchronize()
        # Pinned memory is scarce: the vectors move out at once.
        result: NDArray[np.float32] = host.numpy().copy()
        return result
