"""A deterministic engine without weights, for tests and trials: texts that share words have similar vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds


class FakeEngine:
    """The sum of a fixed random vector for each token, made unit length."""

    name = "fake"
    device = "cpu"
    dtype = "float32"
    token_budget = 8192
    lanes = 1
    width_step = 1
    detail = ""
    room_tokens = 0

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        """float32[n, dim], unit length."""
        out = np.zeros((len(batch), self.dim), np.float32)
        for row, ids in enumerate(batch):
            for token in ids:
                out[row] += _direction(token, self.dim)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        return out

    def forward_exact(self, ids: TokenIds) -> NDArray[np.float32]:
        """float32[dim]."""
        vector: NDArray[np.float32] = self.forward([ids])[0]
        return vector

    def close(self) -> None:
        """Nothing is held."""


@lru_cache(maxsize=16_384)
def _direction(token: int, dim: int) -> NDArray[np.float32]:
    return np.random.default_rng(token).standard_normal(dim).astype(np.float32)
