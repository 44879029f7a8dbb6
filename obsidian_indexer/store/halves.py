"""Vectors of float16 numbers: compared as they are, or made float32."""

from __future__ import annotations

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
