"""Vectors of float16 numbers: compared as they are, made float32, or sifted by codes of a bit a number."""

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
# Of shorter vectors the signs say too little, and comparing all of them costs little.
_CODED_DIM = 256
# Rows that say where the middle of all lies.
_CENTRED_ROWS = 4096
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
    """Unit vectors as the signs of their numbers, a sixteenth of their size, to find those that are worth comparing.

    The angle between two vectors is about the share of signs in which they differ (Charikar, "Similarity estimation
    techniques from rounding algorithms", 2002). Signs are those of the difference from the mean: of models whose
    vectors all point one way they would be the same otherwise. bits: uint8[n, ceil(dim / 8)], centre: float32[dim].
    """

    bits: NDArray[np.uint8]
    centre: Vectors

    @classmethod
    def of(cls, halves: Halves) -> Codes:
        """The codes of float16[n, dim]; of short vectors none are made, so that all are compared."""
        if halves.shape[1] < _CODED_DIM:
            halves = halves[:0]
        bits = np.empty((len(halves), -(-halves.shape[1] // 8)), np.uint8)
        step = max(1, len(halves) // _CENTRED_ROWS)
        centre = halves[::step].mean(axis=0, dtype=np.float32) if len(halves) else np.zeros(halves.shape[1], np.float32)
        block = np.empty((min(_BLOCK, len(halves)), halves.shape[1]), np.float32)
        for start in range(0, len(halves), _BLOCK):
            part = slice(start, start + _BLOCK)
            wide = block[: len(halves[part])]
            widen(halves[part], wide)
            bits[part] = np.packbits(wide > centre, axis=1)
        return cls(bits, centre)

    def __len__(self) -> int:
        """How many vectors."""
        return len(self.bits)

    def distances(self, query: NDArray[np.float32]) -> NDArray[np.uint16]:
        """In how many signs each differs from a query (float32[dim]): uint16[n]."""
        if not len(self):
            return np.empty(0, np.uint16)
        bits = np.packbits(query > self.centre)[np.newaxis]
        found = simsimd.cdist(self.bits, bits, metric="hamming", dtype="bin8", out_dtype="float32")
        return np.asarray(found)[:, 0].astype(np.uint16)


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
