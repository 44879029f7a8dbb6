"""Any sentence-transformers model through torch, on CUDA, MPS or CPU.

Batches come as token ids, so tokenising runs elsewhere and ahead; the forward call is the model's own, so pooling,
dense layers and static embeddings behave as published.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed import attention, layouts
from obsidian_indexer.embed.budget import RoomMeter
from obsidian_indexer.embed.couriers import Courier, CudaCard, Direct, Streamed, Tensors
from obsidian_indexer.embed.pool import EnginePool
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.embed.torch_devices import CudaMemory, find_devices, pick_format
from obsidian_indexer.errors import EmbeddingError, ModelError, OutOfMemory
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.pace import capped_cores

if TYPE_CHECKING:
    import torch

# Padded tokens per batch. CPU: the fastest of 1k–8k on 2 cores with AVX-512 (benchmarks/index_vault.py). Elsewhere a
# beginning: it grows with the memory that is found.
_CPU_BUDGET, _GPU_BUDGET = 2048, 65_536
# One batch computes, one waits on the card behind it, one is on its way there or back.
_IN_FLIGHT = 3


class TorchEngine:
    """A loaded model on one device; on CUDA, `lanes` threads may call `forward` at once, elsewhere one.

    `kernel` is attention over texts laid end to end, by default torch's own on CUDA and none elsewhere.
    """

    name = "torch"
    width_step = 1

    def __init__(
        self,
        spec: ModelSpec,
        options: EmbedOptions,
        *,
        dtype: str | None = None,
        kernel: attention.Kernel | None = None,
    ) -> None:
        import torch

        self._torch = torch
        if options.threads or options.cpu_fraction < 1:
            torch.set_num_threads(options.threads or capped_cores(options))
        self.device = find_devices(options.device)[0]
        on_cuda = self.device.startswith("cuda")
        self._meter = RoomMeter(CudaMemory(self.device, options.gpu_memory_fraction)) if on_cuda else None
        self._courier: Courier = Streamed(CudaCard(self.device)) if on_cuda else Direct(self.device)
        self.lanes = _IN_FLIGHT if on_cuda else 1
        self.token_budget = options.token_budget or (_CPU_BUDGET if self.device == "cpu" else _GPU_BUDGET)

        self._load_again = partial(_load, spec, options)
        model = self._load_again(self.device)
        self._static = _is_static(model)
        self.dtype = pick_format(options, self.device, dtype) if not self._static else "float32"
        self._model: Any = model.to(getattr(torch, self.dtype))
        if on_cuda:
            torch.cuda.synchronize(self.device)  # the courier's streams do not wait for the one that loads
        self._exact: Any = None
        self._loading_exact = threading.Lock()
        self.dim = int(model.get_embedding_dimension() or 0)
        if not self.dim:
            raise ModelError(f"The model '{spec.name}' does not say how long its vectors are.")
        self._pad = _pad_id(model)
        # How attention treats texts of different lengths, where there was a choice.
        self.detail = ""
        self._first_position: int | None = None
        if on_cuda or kernel is not None:
            self._settle_attention(kernel or attention.torch_kernel(), spec.max_tokens)

    @property
    def room_tokens(self) -> int:
        """Padded tokens that the card's memory would hold at once, as the last batch shows; 0 if that is not known."""
        return self._meter.room_tokens if self._meter else 0

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
        """float32[dim], by a copy of the model on the CPU in float32, which is loaded when first wanted."""
        if (self.device, self.dtype) == ("cpu", "float32"):
            own: NDArray[np.float32] = self.forward([ids])[0]
            return own
        try:
            with self._loading_exact:
                if self._exact is None:
                    self._exact = self._load_again("cpu").to(self._torch.float32)
            arrays = layouts.flat([ids]) if self._static else layouts.padded([ids], self._pad)
            compute = partial(self._vectors, self._exact)
            vector: NDArray[np.float32] = Direct("cpu").carry(arrays, compute)[0]
            return vector
        except RuntimeError as error:
            raise EmbeddingError(str(error)) from error

    def _run(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        if self._static:
            return self._courier.carry(layouts.flat(batch), partial(self._vectors, self._model))
        longest = max(map(len, batch))
        if self._first_position is None:
            arrays = layouts.padded(batch, self._pad)
        else:
            arrays = layouts.packed(batch, self._first_position)

        def compute(tensors: Tensors) -> torch.Tensor:
            if self._meter:
                self._meter.begin()
            vectors = self._vectors(self._model, layouts.as_features(tensors, longest))
            if self._meter:
                self._meter.end(len(batch) * longest)
            return vectors

        return self._courier.carry(arrays, compute)

    def _vectors(self, model: Any, features: dict[str, Any]) -> torch.Tensor:
        torch = self._torch
        with torch.inference_mode():
            vectors = model(features)["sentence_embedding"].float()
            return torch.nn.functional.normalize(vectors, dim=1)

    def _settle_attention(self, kernel: attention.Kernel | None, max_tokens: int) -> None:
        """Lay texts end to end if the model then gives the vectors that it gives for each alone, else pad them."""
        model = self._model
        if self._static:
            return
        self.detail = "with padding"
        if not attention.can_pack(model):
            return
        if kernel is not None:
            texts = attention.probe_texts(model[0].model.config.vocab_size, self._pad, max_tokens)
            alone = [self._run([text])[0] for text in texts]
            attention.use_packed(model, kernel)
            self._first_position = attention.first_position(model)
            with contextlib.suppress(Exception):  # a model or a card that the kernel does not serve says so in its way
                if attention.packs_rightly(self._run(texts), alone):
                    self.detail = "without padding"
                    return
            self._first_position = None
        attention.use_padded(model)

    def close(self) -> None:
        """Give the device's memory back."""
        self._model = self._exact = None
        if self.device.startswith("cuda"):
            self._torch.cuda.empty_cache()


def load_torch(spec: ModelSpec, options: EmbedOptions, dtype: str | None) -> TorchEngine | EnginePool:
    """The model on the device of the options; on every card where these mean several."""
    first, *others = (replace(options, device=device) for device in find_devices(options.device))
    engine = TorchEngine(spec, first, dtype=dtype)
    if not others:
        return engine
    # One number format for all: vectors of two must not mix.
    return EnginePool(engine, [partial(TorchEngine, spec, other, dtype=engine.dtype) for other in others])


def _load(spec: ModelSpec, options: EmbedOptions, device: str) -> Any:
    from sentence_transformers import SentenceTransformer

    with contextlib.redirect_stderr(io.StringIO()):  # a progress bar of the loader
        return SentenceTransformer(
            str(spec.folder),
            device=device,
            local_files_only=True,
            trust_remote_code=options.trust_remote_code,
            model_kwargs={"use_safetensors": True},
        ).eval()


def _is_static(model: Any) -> bool:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    return isinstance(model[0], StaticEmbedding)


def _pad_id(model: Any) -> int:
    tokenizer = getattr(model, "tokenizer", None)
    pad = getattr(tokenizer, "pad_token_id", None)
    return int(pad) if isinstance(pad, int) else 0
