"""Notes like a note, from stored vectors alone.

A mean vector says little of a long note with several topics. So every passage of the one note is held against every
passage of the other, and three things count alike: how near the other note comes to each passage of this one, how near
this one comes to each of the other's, and how near the nearest two are. `benchmarks/similar.py` measures that against
the mean vector, by how many of a note's links are found.

Vectors are taken as directions from the mean of all, so that what the whole vault has in common counts for nothing. A
passage that several other notes repeat says nothing of this one and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.search.fusion import Leg
from obsidian_indexer.store.halves import cosines
from obsidian_indexer.store.live import LiveVectors

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]

# Passages of a very long note that speak for it, how many are compared at a time, and vectors the mean is taken from.
_SPOKESMEN, _AT_A_TIME, _SAMPLE = 64, 16, 2_000
# A passage is repeated where another note has one this near, and boilerplate where so many notes have one.
_REPEATED, _BOILERPLATE = 0.8, 3


def similar_leg(live: LiveVectors, note_id: int, hidden: Collection[int], limit: int) -> Leg | None:
    """The `limit` notes most like one, each as its passage that comes nearest, but those of `hidden`.

    None where the note has no vectors. Likeness is from -1 to 1.
    """
    there = np.ones(len(live.note_ids), bool)
    there[live.gone] = False
    own = np.flatnonzero((live.note_ids == note_id) & there)
    if not len(own):
        return None
    others = _Others.among(live, there & (live.note_ids != note_id))
    if not len(others.rows):
        return Leg()
    speaking = own[np.linspace(0, len(own) - 1, min(len(own), _SPOKESMEN)).astype(int)]
    nearness = _nearness(live, others, speaking, leave_out_boilerplate=True)
    if not len(nearness.there):  # a note of nothing else is like those that repeat it
        nearness = _nearness(live, others, speaking, leave_out_boilerplate=False)
    back = np.add.reduceat(nearness.back, others.starts) / others.lengths
    likeness = (nearness.there.mean(axis=0) + back + nearness.there.max(axis=0)) / 3
    likeness[np.isin(others.note_ids, list(hidden))] = -np.inf
    best = np.argsort(-likeness, kind="stable")[:limit]
    found = {others.nearest(note, nearness.back): float(likeness[note]) for note in best if np.isfinite(likeness[note])}
    return Leg.ranked({int(live.chunk_ids[row]): round(value, 6) for row, value in found.items()})


@dataclass(frozen=True, slots=True)
class _Others:
    """The other notes: rows of the live vectors note by note, where each note's begin, and which note it is."""

    rows: Ids
    starts: Ids
    note_ids: Ids

    @classmethod
    def among(cls, live: LiveVectors, wanted: NDArray[np.bool_]) -> _Others:
        """The notes of the wanted rows."""
        rows = np.flatnonzero(wanted)
        rows = rows[np.argsort(live.note_ids[rows], kind="stable")]
        notes = live.note_ids[rows]
        starts = np.flatnonzero(np.diff(notes, prepend=-1))
        return cls(rows, starts, notes[starts])

    @property
    def lengths(self) -> Ids:
        """Passages of each note."""
        return np.diff(self.starts, append=len(self.rows))

    def nearest(self, note: int, back: Vectors) -> int:
        """The row of the live vectors at which a note, by its position, comes nearest."""
        start = self.starts[note]
        return int(self.rows[start + back[start : start + self.lengths[note]].argmax()])


@dataclass(frozen=True, slots=True)
class _Nearness:
    """`there`: float32[passages of the one note, notes], the nearest of each note; `back`: float32[passages of the
    others], the nearest of the one note. Cosines.
    """

    there: Vectors
    back: Vectors


def _nearness(live: LiveVectors, others: _Others, own: Ids, *, leave_out_boilerplate: bool) -> _Nearness:
    """How near a note's passages, rows `own` of the live vectors, come to those of the others."""
    mean = live.vectors[:: max(1, len(live.vectors) // _SAMPLE)].mean(axis=0, dtype=np.float32)
    # The vectors themselves stay as they are: moving a hundred thousand takes longer than comparing them.
    from_mean = np.sqrt(np.maximum(1 - 2 * cosines(live.vectors, mean[np.newaxis])[0] + mean @ mean, 1e-6))[others.rows]
    asking = live.vectors[own] - mean
    asking /= np.maximum(np.linalg.norm(asking, axis=1, keepdims=True), 1e-6)
    kept: list[Vectors] = []
    back = np.full(len(others.rows), -1.0, np.float32)
    for part in np.array_split(asking, math.ceil(len(asking) / _AT_A_TIME)):
        near = cosines(live.vectors, part)[:, others.rows]
        near -= (part @ mean)[:, np.newaxis]
        near /= from_mean
        there = np.maximum.reduceat(near, others.starts, axis=1)
        if leave_out_boilerplate:
            telling = (there >= _REPEATED).sum(axis=1) < _BOILERPLATE
            there, near = there[telling], near[telling]
        kept.append(there)
        for row in near:
            np.maximum(back, row, out=back)
    return _Nearness(np.concatenate(kept), back)
