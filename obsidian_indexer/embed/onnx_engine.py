"""An int8 build through ONNX Runtime on the CPU, for processors on which OpenVINO gains nothing by eight bits.

Batches run side by side, each wholly on the thread that brings it. Neither this module nor ONNX Runtime imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.openvino_engine import ExactGraph, cpu_threads, embedding_error, padded
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.options import EmbedOptions

# Padded tokens per batch: of 256 to 1.5k, the fastest on two cores without instructions for eight bits, or as fast.
_TOKEN_BUDGET = 512


@cache
def onnxruntime() -> Any:
    """The ONNX Runtime module, kept from reporting its use to its maker (as it does on Windows)."""
    import onnxruntime as module

    module.disable_telemetry_events()
    return module


class OnnxEngine:
    """A session over a model file or its bytes; `lanes` threads may call `forward` at once.

    `read_exact` gives the OpenVINO graph for `forward_exact`, `max_tokens` is the model's window.
    """

    name = "onnxruntime"
    device = "cpu"
    dtype = "int8"
    width_step = 1
    detail = ""
    room_tokens = 0

    def __init__(
        self, model: Path | bytes, options: EmbedOptions, max_tokens: int, *, read_exact: Callable[[], Any]
    ) -> None:
        self._max_tokens = max_tokens
        # One for each core: all threads of a session are one pool, which batches side by side would have to share.
        self.lanes = cpu_threads(options)
        self._exact = ExactGraph(read_exact, self.lanes, max_tokens)
        self.token_budget = options.token_budget or _TOKEN_BUDGET
        self._session: Any = _session(model)
        self.dim = int(self._session.get_outputs()[0].shape[1])

    def forward(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        """float32[n, dim], unit length. Raises OutOfMemory or EmbeddingError."""
        ids, mask = padded(batch, self._max_tokens, self.width_step)
        try:
            vectors: NDArray[np.float32] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        except Exception as error:  # ONNX Runtime's own errors share no base below Exception
            raise embedding_error(error) from error
        return vectors

    def forward_exact(self, ids: TokenIds) -> NDArray[np.float32]:
        """float32[dim], computed in float32 by OpenVINO."""
        return self._exact.vector(ids)

    def close(self) -> None:
        """Give the memory back."""
        self._exact.close()
        self._session = None


def _session(model: Path | bytes) -> Any:
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Its further rewriting joins additions and normalisations into one operation that takes longer than both.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Every batch has a shape of its own: plans of memory by shape would only pile up.
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    source = model if isinstance(model, bytes) else str(model)
    return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
