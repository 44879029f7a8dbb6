"""Any sentence-transformers model through torch, on CUDA, MPS or CPU.

Batches come as token ids, so tokenising runs elsewhere and ahead; the forward call is the model's own, so pooling,
dense layers and static embeddings behave as published.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.errors import EmbeddingError, ModelError, OutOfMemory
from obsidian_indexer.options import EmbedOptions

if TYPE_CHECKING:
    import torch

# Padded tokens per batch. CPU: the fastest of 1k–8k on 2 cores with AVX-512 (benchmarks/index_vault.py).
_CPU_BUDGET, _GPU_BUDGET = 2048, 65_536


class TorchEngine:
    """A loaded model on one device; one thread at a time may call `forward`."""

    name = "torch"
    lanes = 1
    width_step = 1

    def __init__(self, spec: ModelSpec, options: EmbedOptions, *, dtype: str | None = None) -> None:
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding

        self._torch = torch
        if options.threads:
            torch.set_num_threads(options.threads)
        self.device = _device(torch, options.device)
        if self.device.startswith("cuda"):
            torch.cuda.set_per_process_memory_fraction(options.gpu_memory_fraction, torch.device(self.device))
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar of the loader
            model = SentenceTransformer(
                str(spec.folder),
                device=self.device,
                local_files_only=True,
                trust_remote_code=options.trust_remote_code,
                model_kwargs={"use_safetensors": True},
            )
        self._static = isinstance(model[0], StaticEmbedding)
        self.dtype = _dtype(torch, self.device, options, dtype) if not self._static else "float32"
        self._model: Any = model.to(getattr(torch, self.dtype)).eval()
        self.dim = int(model.get_embedding_dimension() or 0)
        if not self.dim:
            raise ModelError(f"The model '{spec.name}' does not say how long its vectors are.")
        self._pad = _pad_id(model)
        self.token_budget = options.token_budget or (_CPU_BUDGET if self.device == "cpu" else _GPU_BUDGET)

    def forward(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        """float32[n, dim], unit length. Raises OutOfMemory or EmbeddingError."""
        torch = self._torch
        try:
            return self._run(batch)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(str(error)) from error
        except MemoryError as error:
            raise OutOfMemory("out of memory") from error
        except RuntimeError as error:
            if "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower():
                raise OutOfMemory(str(error)) from error
            raise EmbeddingError(str(error)) from error

    def forward_exact(self, ids: TokenIds) -> NDArray[np.float32]:
        """float32[dim]: the model visits the CPU in float32 and goes back."""
        torch, device, dtype = self._torch, self.device, self.dtype
        try:
            self.device = "cpu"
            self._model.to("cpu", torch.float32)
            vector: NDArray[np.float32] = self._run([ids])[0]
            return vector
        except RuntimeError as error:
            raise EmbeddingError(str(error)) from error
        finally:
            self.device = device
            self._model.to(device, getattr(torch, dtype))

    def _run(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        torch = self._torch
        with torch.inference_mode():
            features = self._flat(batch) if self._static else self._padded(batch)
            vectors = self._model(features)["sentence_embedding"].float()
            result: NDArray[np.float32] = torch.nn.functional.normalize(vectors, dim=1).cpu().numpy()
            return result

    def _padded(self, batch: Sequence[TokenIds]) -> dict[str, torch.Tensor]:
        width = max(len(ids) for ids in batch)
        ids = np.full((len(batch), width), self._pad, np.int64)
        mask = np.zeros((len(batch), width), np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        from_numpy = self._torch.from_numpy
        return {
            "input_ids": from_numpy(ids).to(self.device, non_blocking=True),
            "attention_mask": from_numpy(mask).to(self.device, non_blocking=True),
        }

    def _flat(self, batch: Sequence[TokenIds]) -> dict[str, torch.Tensor]:
        """The input of a static embedding: every id in a row, and where each text starts."""
        starts = np.cumsum([0, *(len(ids) for ids in batch[:-1])])
        ids = np.concatenate([np.asarray(tokens, np.int64) for tokens in batch])
        from_numpy = self._torch.from_numpy
        return {"input_ids": from_numpy(ids).to(self.device), "offsets": from_numpy(starts).to(self.device)}

    def close(self) -> None:
        """Give the device's memory back."""
        self._model = None
        if self.device.startswith("cuda"):
            self._torch.cuda.empty_cache()


def native_formats(options: EmbedOptions) -> tuple[str, tuple[str, ...]]:
    """The device of these options and the number formats that torch computes natively on it, float32 first.

    Raises ModelError when the device cannot be used.
    """
    import torch

    device = _device(torch, options.device)
    formats = ["float32"]
    if device.startswith("cuda"):
        formats += ["float16", "bfloat16"] if torch.cuda.is_bf16_supported(including_emulation=False) else ["float16"]
    elif device == "mps":
        formats.append("float16")
    elif _cpu_has_bfloat16():
        formats.append("bfloat16")
    return device, tuple(formats)


def _device(torch: Any, wanted: str) -> str:
    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"The device '{wanted}' cannot be used here ({reason}). Set embedding.device.") from error
    return wanted


def _dtype(torch: Any, device: str, options: EmbedOptions, sticky: str | None) -> str:
    """The number format: that of the index, else as set, else the fastest that the hardware computes natively."""
    if sticky is not None:
        return sticky
    if options.dtype != "auto":
        return options.dtype
    if not options.fast_mode:
        return "float32"
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    if device == "mps":
        return "float16"
    return "bfloat16" if _cpu_has_bfloat16() else "float32"


def _cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself (avx512_bf16 or amx_bf16); emulation is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _pad_id(model: Any) -> int:
    tokenizer = getattr(model, "tokenizer", None)
    pad = getattr(tokenizer, "pad_token_id", None)
    return int(pad) if isinstance(pad, int) else 0
