"""Notes like a note, from stored vectors alone.

A mean vector says little of a long note with several topics. So each passage of the one note is held against its nearest
passage of the other, and the other way round; the likeness of two notes is the mean of both, passages weighted by their
length. Vectors are compared from the mean of the vault's, so that what all its notes have in common counts for nothing.
`benchmarks/similar.py` measures it against the mean vector, by how many of a note's links it finds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.workload import spread
from obsidian_indexer.search.fusion import Leg
from obsidian_indexer.search.legs import Meaning, nearest_chunks, notes_of_chunks
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.rows import marks, pages

Vectors = NDArray[np.float32]

# Passages of a very long note that speak for it, and vectors that the vault's mean is taken from.
_SPOKESMEN, _SAMPLE = 64, 2_000
# Nearest passages that each passage of the note names, so that their notes are compared: in all, and at least.
_NAMED, _NAMED_EACH = 800, 20


@dataclass(frozen=True, slots=True)
class _Passages:
    """Passages of some notes in order: row i is chunk ids[i] of note notes[i], n_tokens[i] long; float32[n, dim]."""

    ids: NDArray[np.int64]
    notes: NDArray[np.int64]
    n_tokens: NDArray[np.float32]
    vectors: Vectors


def similar_leg(catalog: Catalog, meaning: Meaning, note_id: int, hidden: Collection[int]) -> Leg | None:
    """The best passage of each similar note, with the note's likeness; None where the note has no vectors.

    Notes of `hidden` are left out.
    """
    own = _passages(catalog, meaning, [note_id])
    if not len(own.ids):
        return None
    mean = _mean(catalog, meaning)
    speaking = spread(range(len(own.ids)), _SPOKESMEN)
    asking = _centred(own.vectors[speaking], mean)
    each = max(_NAMED_EACH, _NAMED // len(speaking))
    named = {chunk for vector in asking for chunk in nearest_chunks(catalog, meaning, vector, each)}
    candidates = set(notes_of_chunks(catalog.connection, list(named)).values()) - {note_id, *hidden}
    others = _passages(catalog, meaning, sorted(candidates))
    if not len(others.ids):
        return Leg()
    return Leg.ranked(_likeness(asking, own.n_tokens[speaking], others, _centred(others.vectors, mean)))


def _likeness(own: Vectors, n_tokens: NDArray[np.float32], others: _Passages, vectors: Vectors) -> dict[int, float]:
    """Chunk id of each other note's nearest passage → likeness of the note, from -1 to 1."""
    cosines = own @ vectors.T
    starts = np.flatnonzero(np.diff(others.notes, prepend=-1))
    there = n_tokens @ np.maximum.reduceat(cosines, starts, axis=1) / n_tokens.sum()
    nearest = cosines.max(axis=0)
    back = np.add.reduceat(nearest * others.n_tokens, starts) / np.add.reduceat(others.n_tokens, starts)
    ends = np.append(starts[1:], len(nearest))
    best = [start + int(nearest[start:end].argmax()) for start, end in zip(starts, ends, strict=True)]
    return dict(zip(others.ids[best].tolist(), ((there + back) / 2).tolist(), strict=True))


def _passages(catalog: Catalog, meaning: Meaning, note_ids: Sequence[int]) -> _Passages:
    """The passages of these notes that have a vector, note by note."""
    rows: list[tuple[int, int, bytes, int]] = []
    for page in pages(note_ids):
        rows += catalog.connection.execute(
            f"SELECT id, note_id, key, n_tokens FROM chunks WHERE note_id IN ({marks(page)}) ORDER BY note_id, seq", page
        )
    keys, vectors = catalog.vectors.of_notes(meaning.model, note_ids)
    row_of = {key: row for row, key in enumerate(keys)}
    rows = [row for row in rows if row[2] in row_of]
    return _Passages(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([max(1, row[3]) for row in rows], np.float32),
        vectors[[row_of[row[2]] for row in rows]],
    )


def _mean(catalog: Catalog, meaning: Meaning) -> Vectors:
    """float32[dim]: the mean of the vault's vectors, from an even sample of them."""
    if meaning.nearest is None:
        every = meaning.live().vectors
        sample = every[:: max(1, len(every) // _SAMPLE)]
    else:
        _, sample = catalog.vectors.sample_stored(meaning.model, _SAMPLE)
    mean: Vectors = sample.mean(axis=0, dtype=np.float32)
    return mean


def _centred(vectors: Vectors, mean: Vectors) -> Vectors:
    """Directions from the mean, unit length."""
    moved = vectors - mean
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    centred: Vectors = moved / np.maximum(lengths, np.float32(1e-6))
    return centred
