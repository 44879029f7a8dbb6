"""Vectors of float16 numbers: compared as they are, made float32, or sifted by codes of a byte a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import simsimd
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Halves = NDArray[np.float16]

# Where the processor calculates in float16 these add up in it too, which leaves a cosine three digits; others widen.
for _kernels in ("sapphire", "sve"):
    simsimd.disable_capability(_kernels)

# For one query simsimd needs 0.3 times as long as widening and BLAS do (0.4 times as long as BLAS on float32), for 8 as
# long, for 16 twice as long: further queries cost BLAS next to nothing (100,000 × 384, one thread).
_MANY_QUERIES = 8
# Blocks of rows that are widened at a time, so that they stay in the processor's cache.
_BLOCK = 1024


def cosines(halves: Halves, queries: Vectors) -> Vectors:
    """Cosines of float16[n, dim] with float32[q, dim], all of unit length: float32[q, n].

    A few queries are rounded to float16, which moves a cosine by 5e-4 at most, mostly by less than 5e-5.
    """
    found = np.empty((len(queries), len(halves)), np.float32)
    if not found.size:
        return found
    if len(queries) < _MANY_QUERIES:
        for row, query in zip(found, queries.astype(np.float16), strict=True):
            # Given `out`, cdist takes a reference to None away at each call, until Python has none and aborts.
            row[:] = np.asarray(simsimd.cdist(halves, query[np.newaxis], metric="dot", out_dtype="float32"))[:, 0]
        return found
    block = np.empty((min(_BLOCK, len(halves)), halves.shape[1]), np.float32)
    for start in range(0, len(halves), _BLOCK):
        part = halves[start : start + _BLOCK]
        widen(part, block[: len(part)])
        np.matmul(queries, block[: len(part)].T, out=found[:, start : start + _BLOCK])
    return found


@dataclass(frozen=True, slots=True)
class Codes:
    """Unit vectors in bytes, to find in a third of the time those that are worth comparing.

    codes: int8[n, dim]; scales: float32[n], what a code's unit is worth in each row.
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]

    @classmethod
    def of(cls, halves: Halves) -> Codes:
        """The codes of float16[n, dim]: each row's largest number is 127."""
        codes, scales = np.empty(halves.shape, np.int8), np.empty(len(halves), np.float32)
        block = np.empty((min(_BLOCK, len(halves)), halves.shape[1]), np.float32)
        for start in range(0, len(halves), _BLOCK):
            part = slice(start, start + _BLOCK)
            wide = block[: len(halves[part])]
            widen(halves[part], wide)
            scales[part] = np.maximum(np.maximum(wide.max(axis=1), -wide.min(axis=1)), 1e-6) / 127
            wide /= scales[part, np.newaxis]
            np.rint(wide, out=wide)
            codes[part] = wide
        return cls(codes, scales)

    def __len__(self) -> int:
        """How many vectors."""
        return len(self.codes)

    def cosines(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """About the cosines with a query (float32[dim], unit length): float32[n], mostly within 2e-3."""
        if not len(self):
            return np.empty(0, np.float32)
        scale = max(float(np.abs(query).max()), 1e-6) / 127
        coded = np.rint(query / scale).astype(np.int8)[np.newaxis]
        found = np.asarray(simsimd.cdist(self.codes, coded, metric="dot", out_dtype="float32"))[:, 0]
        about: NDArray[np.float32] = found * self.scales * np.float32(scale)
        return about


def widen(halves: Halves, out: Vectors) -> None:
    """Write float16 vectors into float32[n, dim].

    numpy converts number by number (125 ms for 100,000 × 384); moving the bits of all to where float32 has them and
    correcting the exponent takes 6 ms. Infinities and NaN, which no unit vector holds, would come out as numbers.
    """
    bits = out.view(np.int32)
    np.copyto(bits, halves.view(np.int16))
    bits <<= 13
    bits &= ~0x70000000
    out *= np.float32(2.0**112)
