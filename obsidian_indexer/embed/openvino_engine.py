"""Encoders through OpenVINO on the CPU: float32, bfloat16 where the processor computes it, or an int8 build.

Several batches run at once, each on threads of its own, which keeps every core at work where one batch over all cores
would wait at each layer's end. Neither this module nor OpenVINO imports torch.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.errors import EmbeddingError, OutOfMemory
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.pace import capped_cores

# Padded tokens per batch: the fastest of 1k, 2k and 4k (benchmarks/embed_throughput.py); float32, whose numbers fill
# the caches sooner, gains a little by smaller ones.
_TOKEN_BUDGET, _FLOAT32_BUDGET = 2048, 1024
# More batches at once than this and their memory counts for more than the cores they fill.
_MOST_LANES = 8
# OpenVINO prepares itself for each new shape. With widths in steps of eight it meets few: int8 runs 442 instead of 348
# chunks/s, for four per cent more padding.
_WIDTH_STEP = 8
_loading = threading.Lock()


def openvino() -> Any:
    """The OpenVINO module, kept from reporting its use to its maker; ImportError when it is not installed.

    On import it would send an event without asking unless its telemetry package is missing, which it is told here.
    """
    with _loading:
        return _load()


@cache
def _load() -> Any:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino as module

    # The first array that it takes makes it look up numpy's functions, behind a lock for which it waits with the
    # interpreter's own in hand: the first batches of two lanes would now and then wait for each other for good.
    _ = module.Tensor(np.zeros(1, np.int32), shared_memory=True).data
    return module


@cache
def cpu_has_bfloat16() -> bool:
    """Whether OpenVINO computes bfloat16 on this processor itself; emulation is slower than float32."""
    return "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def cpu_threads(options: EmbedOptions) -> int:
    """Threads of the forward pass: as set, else one for each core this process may use under the cap."""
    return options.threads or capped_cores(options)


class OpenVinoEngine:
    """A compiled model; `lanes` threads may call `forward` at once.

    `read` gives the graph to run (input_ids and attention_mask in, unit vectors out), `read_exact` the one for
    `forward_exact`; `dtype` is float32, bfloat16 or int8, `max_tokens` the model's window.
    """

    name = "openvino"
    device = "cpu"
    width_step = _WIDTH_STEP
    detail = ""
    room_tokens = 0

    def __init__(
        self,
        read: Callable[[], Any],
        dtype: str,
        options: EmbedOptions,
        max_tokens: int,
        *,
        read_exact: Callable[[], Any] | None = None,
    ) -> None:
        threads = cpu_threads(options)
        self._max_tokens = max_tokens
        self.dtype = dtype
        self.lanes = min(threads, _MOST_LANES)
        self.token_budget = options.token_budget or (_FLOAT32_BUDGET if dtype == "float32" else _TOKEN_BUDGET)
        self._exact = ExactGraph(read_exact or read, threads, max_tokens)
        # What an int8 build leaves in floating point gains by 16-bit numbers: 414 chunks/s instead of 382.
        bf16 = dtype == "bfloat16" or (dtype == "int8" and cpu_has_bfloat16())
        self._compiled: Any = compile_graph(read(), "bf16" if bf16 else "f32", threads, self.lanes)
        self._idle: list[Any] = []
        width = self._compiled.output(0).partial_shape[1]
        self.dim = int(width.get_length() if width.is_static else self.forward([[0]]).shape[1])

    def forward(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        """float32[n, dim], unit length. Raises OutOfMemory or EmbeddingError."""
        try:
            try:
                request = self._idle.pop()
            except IndexError:
                request = self._compiled.create_infer_request()
            request.infer(padded(batch, self._max_tokens, self.width_step), share_inputs=True)
            vectors: NDArray[np.float32] = np.array(request.get_output_tensor(0).data, np.float32)
            self._idle.append(request)
            return vectors
        except (MemoryError, RuntimeError) as error:
            raise embedding_error(error) from error

    def forward_exact(self, ids: TokenIds) -> NDArray[np.float32]:
        """float32[dim], computed in float32 whatever the engine's own format is."""
        if self.dtype == "float32":
            vector: NDArray[np.float32] = self.forward([ids])[0]
            return vector
        return self._exact.vector(ids)

    def close(self) -> None:
        """Give the memory back."""
        self._idle.clear()
        self._exact.close()
        self._compiled = None


def embedding_error(error: Exception) -> EmbeddingError:
    """What a library's error means for a batch: OutOfMemory where it speaks of memory."""
    text = str(error)
    signs = ("bad_alloc", "allocate", "out of memory")
    if isinstance(error, MemoryError) or any(sign in text.lower() for sign in signs):
        return OutOfMemory(text or "out of memory")
    return EmbeddingError(text)


class ExactGraph:
    """A graph that gives single vectors in float32, compiled when first wanted; any thread may ask, one at a time."""

    def __init__(self, read: Callable[[], Any], threads: int, max_tokens: int) -> None:
        self._read = read
        self._threads = threads
        self._max_tokens = max_tokens
        self._compiled: Any = None
        self._lock = threading.Lock()

    def vector(self, ids: TokenIds) -> NDArray[np.float32]:
        """float32[dim], unit length. Raises OutOfMemory or EmbeddingError."""
        try:
            with self._lock:
                if self._compiled is None:
                    self._compiled = compile_graph(self._read(), "f32", self._threads, 1)
                vectors = self._compiled(padded([ids], self._max_tokens))[0]
                return np.array(vectors[0], np.float32)
        except (MemoryError, RuntimeError) as error:
            raise embedding_error(error) from error

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._compiled = None


def compile_graph(graph: Any, precision: str, threads: int, lanes: int) -> Any:
    """An `openvino.CompiledModel` on the CPU, `lanes` requests at once over `threads` threads.

    `precision` is f32 or bf16.
    """
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": str(lanes),
    }
    return openvino().Core().compile_model(graph, "CPU", settings)


def padded(batch: Sequence[TokenIds], max_tokens: int, step: int = 1) -> list[NDArray[np.int32]]:
    """Ids and mask of a batch, padded on the right to a multiple of `step` within the model's window.

    int32[n, width] each.
    """
    longest = max(len(ids) for ids in batch)
    width = max(longest, min(-(-longest // step) * step, max_tokens))
    ids = np.zeros((len(batch), width), np.int32)
    mask = np.zeros((len(batch), width), np.int32)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return [ids, mask]
