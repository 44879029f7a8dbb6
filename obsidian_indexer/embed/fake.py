"""A deterministic engine without weights, for tests and trials: texts that share words have similar vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds

# A token's direction is the sum of a row of each table; two primes make the pair its own for 16 million tokens.
_TABLE_ROWS = (4093, 4099)


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
        tables = _tables(self.dim)
        out = np.zeros((len(batch), self.dim), np.float32)
        for row, ids in enumerate(batch):
            tokens = np.asarray(ids)
            for table in tables:
                out[row] += table[tokens % len(table)].sum(axis=0)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        return out

    def forward_exact(self, ids: TokenIds) -> NDArray[np.float32]:
        """float32[dim]."""
        vector: NDArray[np.float32] = self.forward([ids])[0]
        return vector

    def close(self) -> None:
        """Nothing is held."""


@lru_cache(maxsize=4)
def _tables(dim: int) -> list[NDArray[np.float32]]:
    return [np.random.default_rng(rows + 1).standard_normal((rows, dim), np.float32) for rows in _TABLE_ROWS]
