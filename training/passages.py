"""Pairs glued into passages: sentences that stand near each other in meaning, and sentences at random."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.table import Pair

# In Korean characters: from two short sentences to a full window.
_SHORTEST, _LONGEST = 60, 520
_LEAF = 6
_POWER_STEPS = 4


def neighbours_in_a_row(vectors: NDArray[np.float16], rows: Sequence[int], generator: np.random.Generator) -> list[int]:
    """The rows in an order that puts like texts side by side: halves by the main direction, down to small leaves."""
    if len(rows) <= _LEAF:
        return list(rows)
    own = vectors[np.asarray(rows)].astype(np.float32)
    own -= own.mean(axis=0)
    direction = generator.standard_normal(own.shape[1]).astype(np.float32)
    for _ in range(_POWER_STEPS):
        direction = own.T @ (own @ direction)
        direction /= float(np.linalg.norm(direction)) or 1.0
    order = np.argsort(own @ direction, kind="stable")
    half = len(order) // 2
    return [
        row
        for part in (order[:half], order[half:])
        for row in neighbours_in_a_row(vectors, [rows[i] for i in part], generator)
    ]


def glue(pairs: Sequence[Pair], vectors: NDArray[np.float16], rates: dict[str, float], seed: int) -> list[Pair]:
    """Passages of consecutive pairs of one source; float16[n, dim] `vectors` belong to the pairs."""
    shuffler = random.Random(seed)
    generator = np.random.default_rng(seed)
    by_source: dict[str, list[int]] = {}
    for row, pair in enumerate(pairs):
        by_source.setdefault(pair.source.removesuffix("(dp)"), []).append(row)
    passages: list[Pair] = []
    for source, rows in sorted(by_source.items()):
        rate = rates.get(pairs[rows[0]].domain, rates["*"])
        turns = [1.0] * int(rate) + ([rate % 1] if rate % 1 else [])
        for turn, share in enumerate(turns):
            alike = turn % 2 == 0
            order = neighbours_in_a_row(vectors, rows, generator) if alike else shuffler.sample(rows, len(rows))
            order = order[: int(len(order) * share)]
            passages += _cut([pairs[row] for row in order], source, shuffler)
    shuffler.shuffle(passages)
    return passages


def _cut(pairs: Sequence[Pair], source: str, generator: random.Random) -> list[Pair]:
    passages, held, wanted = [], [], generator.randint(_SHORTEST, _LONGEST)
    for pair in pairs:
        held.append(pair)
        if sum(len(p.ko) for p in held) >= wanted:
            if len(held) > 1:
                passages.append(_join(held, source, generator))
            held, wanted = [], generator.randint(_SHORTEST, _LONGEST)
    return passages


def _join(pairs: Sequence[Pair], source: str, generator: random.Random) -> Pair:
    joint = generator.choice([" ", " ", "\n"])
    return Pair(joint.join(p.en for p in pairs), joint.join(p.ko for p in pairs), source, pairs[0].domain)
