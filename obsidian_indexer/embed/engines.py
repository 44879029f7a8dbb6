"""The one face of everything that runs a model: token ids in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import EmbedOptions

Vectors = NDArray[np.float32]


class VectorEngine(Protocol):
    """Runs one model on one device.

    `token_budget` is the number of padded tokens in one batch that serves this device best.
    """

    name: str
    device: str
    dtype: str
    dim: int
    token_budget: int

    def forward(self, batch: Sequence[TokenIds]) -> Vectors:
        """Vectors of a batch of encoded texts: float32[n, dim], unit length.

        Raises OutOfMemory when the batch was too large for the device.
        """

    def forward_exact(self, ids: TokenIds) -> Vectors:
        """One text in float32 on the CPU: float32[dim]. Slow; for what a batch could not do."""

    def close(self) -> None:
        """Give the device's memory back."""


def load_engine(spec: ModelSpec, options: EmbedOptions, *, dtype: str | None = None) -> VectorEngine:
    """The fastest engine that runs this model here. `dtype` overrides 'auto', to stay in an index's vector space.

    Raises ModelError when the model cannot be loaded.
    """
    if spec.folder is None:
        from obsidian_indexer.embed.fake import FakeEngine

        return FakeEngine(spec.fake_dim)
    from obsidian_indexer.embed.torch_engine import TorchEngine

    try:
        return TorchEngine(spec, options, dtype=dtype)
    except ModelError:
        raise
    except Exception as error:  # the libraries below raise whatever they like on a bad model folder
        raise ModelError(f"The model '{spec.name}' could not be loaded: {type(error).__name__}: {error}") from error
