"""What the semantic leg works with and finds, and how legs run beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.search.legs import NoteEvidence, Passages
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.search.weighing import Weights
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.live import LiveVectors
from obsidian_indexer.store.vectors import StoredModel

Cosines = Mapping[int, float]
Nearest = Callable[[NDArray[np.float32], int, Scope], tuple[Passages, Cosines]]
"""For a query (float32[dim], unit length), the passages nearest to it, at most so many, with their cosines, and the
mean cosines of their notes, by note id.
"""


T = TypeVar("T")


class Beside(Protocol):
    """Begins work on another thread."""

    def __call__(self, work: Callable[[Catalog], T]) -> Callable[[], T]:
        """`work` gets a catalogue connection of its thread; the result waits for it."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What meaning found: passages by cosine, mean cosines by note id, notes by their names, the weights as that leaves
    them, and what the reader should know.
    """

    weights: Weights
    passages: Passages = field(default_factory=Passages)
    note_cosines: Cosines = field(default_factory=dict)
    titles: Mapping[int, NoteEvidence] = field(default_factory=dict)
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the semantic leg works with, on any thread."""

    model: StoredModel
    live: Callable[[], LiveVectors]
    nearest: Nearest
    titles: Callable[[NDArray[np.float32], int, Scope], Mapping[int, NoteEvidence]]
