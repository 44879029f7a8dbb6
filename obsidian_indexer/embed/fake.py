"""A deterministic engine without weights, for tests and trials: texts that share words have similar vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds

_MIXING = ((16, 0x7FEB352D), (15, 0x846CA68B))


class FakeEngine:
    """The sum of a fixed vector for each token, made unit length."""

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
        tokens, which = np.unique(np.concatenate([np.asarray(ids, np.uint32) for ids in batch]), return_inverse=True)
        starts = np.cumsum([0, *(len(ids) for ids in batch[:-1])])
        out: NDArray[np.float32] = np.add.reduceat(_directions(tokens, self.dim)[which], starts, axis=0)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        return out

    def forward_exact(self, ids: TokenIds) -> NDArray[np.float32]:
        """float32[dim]."""
        vector: NDArray[np.float32] = self.forward([ids])[0]
        return vector

    def close(self) -> None:
        """Nothing is held."""


def _directions(tokens: NDArray[np.uint32], dim: int) -> NDArray[np.float32]:
    """A vector for each token: float32[n, dim], numbers from -1 to 1 that only the token decides.

    They are computed afresh rather than kept, so that a vault of many words costs no more memory or time than others.
    The numbers of all places of all vectors are mixed by Wellons' lowbias32 (https://nullprogram.com/blog/2018/07/31/).
    """
    places = np.arange(1, dim + 1, dtype=np.uint32)
    mixed: NDArray[Any] = tokens[:, np.newaxis] * np.uint32(dim) + places
    for shift, factor in _MIXING:
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    return (mixed >> np.uint32(8)).astype(np.float32) * np.float32(2**-23) - np.float32(1)
