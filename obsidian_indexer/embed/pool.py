"""Several devices as one engine: each holds the model, and a batch goes to whichever is free."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.engines import VectorEngine
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.errors import EmbeddingError, OutOfMemory

_log = logging.getLogger(__name__)
# Batches in a row that a device failed at and another one did: after these it is given up.
_MOST_STRIKES = 3


class _Place:
    """One device of the pool; its engine is loaded when a batch finds the others busy."""

    def __init__(self, load: Callable[[], VectorEngine], engine: VectorEngine | None = None) -> None:
        self.load = load
        self.engine = engine
        self.loading = threading.Lock()
        self.busy = 0
        self.strikes = 0
        self.given_up = False


class EnginePool:
    """Engines of one model and number format on a device each; `lanes` threads may call `forward` at once.

    A batch that fails on one device is tried on the others. A device that keeps failing at what others can do is given
    up, and they go on without it.
    """

    def __init__(self, first: VectorEngine, others: Sequence[Callable[[], VectorEngine]]) -> None:
        self.name = first.name
        self.device = f"{1 + len(others)} × {first.device.partition(':')[0]}"
        self.dtype = first.dtype
        self.dim = first.dim
        self.token_budget = first.token_budget
        self.width_step = first.width_step
        self.detail = first.detail
        self._lanes_each = first.lanes
        self.lanes = first.lanes * (1 + len(others))
        self._places = [_Place(lambda: first, first), *(_Place(load) for load in others)]
        self._changed = threading.Condition()

    @property
    def room_tokens(self) -> int:
        """What the smallest of the loaded devices would hold at once, 0 while one of them does not know."""
        return min((place.engine.room_tokens for place in self._living() if place.engine), default=0)

    def forward(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        """float32[n, dim], unit length. Raises OutOfMemory, or what the last device to try raised."""
        failed: list[_Place] = []
        reason: Exception = EmbeddingError("no device is left")
        while True:
            with self._place(failed) as place:
                if place is None:
                    raise reason
                try:
                    vectors = self._loaded(place).forward(batch)
                except OutOfMemory:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, another device may not have it
                    reason = error
                    failed.append(place)
                    continue
                place.strikes = 0
            for other in failed:
                self._strike(other, reason)
            return vectors

    def forward_exact(self, ids: TokenIds) -> NDArray[np.float32]:
        """float32[dim], on the CPU."""
        engine = self._places[0].engine
        assert engine is not None
        return engine.forward_exact(ids)

    @contextmanager
    def _place(self, failed: Sequence[_Place]) -> Iterator[_Place | None]:
        """A free lane of the least busy device, loaded ones first; None when all that are left have failed."""
        with self._changed:
            while True:
                left = [place for place in self._living() if place not in failed]
                free = [place for place in left if place.busy < self._lanes_each]
                if free or not left:
                    break
                self._changed.wait()
            chosen = min(free, key=lambda place: (place.engine is None, place.busy), default=None)
            if chosen is not None:
                chosen.busy += 1
        try:
            yield chosen
        finally:
            if chosen is not None:
                with self._changed:
                    chosen.busy -= 1
                    self._changed.notify_all()

    def _loaded(self, place: _Place) -> VectorEngine:
        with place.loading:
            if place.engine is None:
                try:
                    place.engine = place.load()
                except Exception as error:
                    self._give_up(place, error)
                    raise
            return place.engine

    def _strike(self, place: _Place, reason: Exception) -> None:
        place.strikes += 1
        if place.strikes >= _MOST_STRIKES:
            self._give_up(place, reason)

    def _give_up(self, place: _Place, reason: Exception) -> None:
        with self._changed:
            if place.given_up:
                return
            place.given_up = True
            self._changed.notify_all()
        _log.warning("device %d of %d is given up: %s", self._places.index(place), len(self._places), reason)

    def _living(self) -> list[_Place]:
        return [place for place in self._places if not place.given_up]

    def close(self) -> None:
        """Give the memory of every device back."""
        for place in self._places:
            if place.engine is not None:
                place.engine.close()
