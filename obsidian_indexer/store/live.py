"""The vectors of every chunk, or of every name, in memory: kept in step with the catalogue by reading what changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.halves import Codes, Halves, cosines
from obsidian_indexer.store.vectors import StoredModel, TextKeys, TextVectors

Ids = NDArray[np.int64]

# Up to this share of all rows it is faster to copy them out than to compare every row and drop the rest.
_FEW = 0.2
# Rows that are gone stay until they are this share of all; room for this share of new ones is set aside.
_SPARE = 0.1
_BELOW_EVERY_COSINE = -2.0
_NEVER = 65_535
# So many times the rows that are asked for are compared where codes chose them, and this share of all: those that
# belong are then next to always among them (`sifted_same` of benchmarks/search_latency.py).
_SIFTED, _SIFTED_SHARE = 20, 0.04


@dataclass(frozen=True, slots=True)
class LiveVectors:
    """Row i of each array is one chunk; a later change of the catalogue leaves a value of this class as it was.

    vectors: float16[n, dim], unit length; chunk_ids, note_ids, n_tokens: int64[n]; gone: int64[m], rows that are not
    to be found. `codes` are those of the first rows, once they were made.
    """

    vectors: Halves
    chunk_ids: Ids
    note_ids: Ids
    n_tokens: Ids
    gone: Ids
    codes: Codes | None = None

    def __len__(self) -> int:
        """How many chunks can be found."""
        return len(self.chunk_ids) - len(self.gone)

    def nearest(
        self,
        query: NDArray[np.float32],
        limit: int,
        note_ids: Collection[int] | None = None,
        chunk_ids: Collection[int] | None = None,
    ) -> dict[int, float]:
        """The `limit` chunks nearest to a query (float32[dim], unit length), by id with their cosine.

        Narrowed to `chunk_ids`, else to the chunks of `note_ids`.
        """
        rows = None
        if chunk_ids is not None:
            rows = _rows_among(self.chunk_ids, chunk_ids)
        elif note_ids is not None:
            rows = _rows_among(self.note_ids, note_ids)
        if self.codes is not None and (rows is None or len(rows) > _FEW * len(self.vectors)):
            rows = self._sifted(self.codes, query, limit, rows)
        rows, near = self._compare(query, rows)
        best = np.argpartition(near, -limit)[-limit:] if len(near) > limit else np.arange(len(near))
        best = best[near[best] > _BELOW_EVERY_COSINE]
        return dict(zip(self.chunk_ids[rows[best]].tolist(), near[best].tolist(), strict=True))

    def _sifted(self, codes: Codes, query: NDArray[np.float32], limit: int, rows: Ids | None) -> Ids | None:
        """Of rows, or of all, those whose codes are nearest, and those without a code; all where that saves little."""
        coded = len(codes)
        chosen = np.arange(coded) if rows is None else rows[rows < coded]
        count = int(_SIFTED * limit + _SIFTED_SHARE * len(chosen))
        if count > _FEW * len(chosen):
            return rows
        apart = codes.distances(query)
        apart[self.gone[self.gone < coded]] = _NEVER
        if rows is not None:
            apart = apart[chosen]
        farthest = np.searchsorted(np.cumsum(np.bincount(apart)), count)
        uncoded = np.arange(coded, len(self.vectors)) if rows is None else rows[rows >= coded]
        return np.concatenate([chosen[apart <= farthest], uncoded])

    def notes_of(self, chunk_ids: Collection[int]) -> dict[int, int]:
        """The note of each chunk that is there, by their ids."""
        rows = np.setdiff1d(_rows_among(self.chunk_ids, chunk_ids), self.gone, assume_unique=True)
        return dict(zip(self.chunk_ids[rows].tolist(), self.note_ids[rows].tolist(), strict=True))

    def whole_notes(self, query: NDArray[np.float32], note_ids: Collection[int]) -> dict[int, float]:
        """Of some notes, by id, the mean cosine of all their chunks with a query, weighted by tokens."""
        notes = np.unique(np.fromiter(note_ids, np.int64, len(note_ids)))
        rows, near = self._compare(query, _rows_among(self.note_ids, notes))
        there = near > _BELOW_EVERY_COSINE
        at, n_tokens = np.searchsorted(notes, self.note_ids[rows[there]]), self.n_tokens[rows[there]]
        sums, totals = np.bincount(at, near[there] * n_tokens, len(notes)), np.bincount(at, n_tokens, len(notes))
        return dict(zip(notes.tolist(), (sums / np.maximum(totals, 1)).tolist(), strict=True))

    def _compare(self, query: NDArray[np.float32], rows: Ids | None) -> tuple[Ids, NDArray[np.float32]]:
        """Rows and their cosines with a query, all without `rows`; those that are gone are left out or below all."""
        if rows is None or len(rows) > _FEW * len(self.vectors):
            of_all = cosines(self.vectors, query[np.newaxis])[0]
            of_all[self.gone] = _BELOW_EVERY_COSINE
            return (np.arange(len(of_all)), of_all) if rows is None else (rows, of_all[rows])
        rows = np.setdiff1d(rows, self.gone, assume_unique=True)
        return rows, cosines(self.vectors.take(rows, axis=0), query[np.newaxis])[0]


Table = Callable[[Catalog], TextVectors]
"""Which texts are meant, of whatever connection."""


class ResidentVectors:
    """Keeps the live vectors of one model; any thread may ask, with a catalogue connection of its own.

    They are those of the passages unless `table` says otherwise: then read the id of a name for that of a chunk.
    """

    def __init__(self, table: Table = lambda catalog: catalog.vectors) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._stamp: tuple[int, str | None] | None = None
        self._held: _Held | None = None

    def prepare(self, catalog: Catalog, model: StoredModel) -> None:
        """Make ready for many searches; the first ones are not worth it."""
        self.now(catalog, model)
        with self._lock:
            if self._held is not None:
                self._held = self._held.coded()

    def now(self, catalog: Catalog, model: StoredModel) -> LiveVectors:
        """The vectors of every chunk as the catalogue has them."""
        with self._lock:
            stamp = (model.id, catalog.meta("version"))
            if self._held is None or self._stamp is None or self._stamp[0] != model.id:
                self._held = _Held.read(self._table(catalog), model)
            elif self._stamp != stamp:
                self._held = self._held.renewed(self._table(catalog), model)
            self._stamp = stamp
            return self._held.live


@dataclass(frozen=True, slots=True)
class _Held:
    """Live vectors, the beginning of each row's key (uint64[n]), and the array they lie in: float16[room, dim]."""

    live: LiveVectors
    keys: NDArray[np.uint64]
    room: Halves

    @classmethod
    def read(cls, table: TextVectors, model: StoredModel) -> _Held:
        """Everything, in one pass over the vectors."""
        chunks = table.keys()
        starts, room, used = chunks.starts, _room(len(chunks.ids), model.dim), 0
        order = np.argsort(starts, kind="stable")
        ordered = starts[order]
        chunk_of = np.zeros(len(starts), np.int64)
        for keys, halves in table.pages(model):
            first, last = np.searchsorted(ordered, keys, "left"), np.searchsorted(ordered, keys, "right")
            wanted = np.flatnonzero(first < last)
            page = slice(used, used + len(wanted))
            room[page] = halves[wanted]
            chunk_of[page], used = order[first[wanted]], page.stop
            # Mostly one chunk has a key; round by round, the others of those that share it get a row of their own.
            sharing = 1
            while len(more := np.flatnonzero(first + sharing < last)):
                rows = slice(used, used + len(more))
                room[rows] = room[page][np.searchsorted(wanted, more)]
                chunk_of[rows], used = order[first[more] + sharing], rows.stop
                sharing += 1
        held = chunk_of[:used]
        live = LiveVectors(room[:used], chunks.ids[held], chunks.note_ids[held], chunks.n_tokens[held], held[:0])
        return cls(live, starts[held], room)

    def coded(self) -> _Held:
        """This with codes for all rows."""
        live = self.live
        if live.codes is not None and len(live.codes) == len(live.vectors):
            return self
        return _Held(replace(live, codes=Codes.of(live.vectors)), self.keys, self.room)

    def _coded_alike(self, other: _Held) -> _Held:
        """Another one, with codes where this has them."""
        return other if self.live.codes is None else other.coded()

    def renewed(self, table: TextVectors, model: StoredModel) -> _Held:
        """What is held, without the rows whose chunk changed or went, and with the new ones read."""
        chunks, live = table.keys(), self.live
        order = np.argsort(chunks.ids)
        at = np.minimum(np.searchsorted(chunks.ids, live.chunk_ids, sorter=order), max(0, len(order) - 1))
        same = np.zeros(len(live.chunk_ids), bool)
        if len(order):
            there = order[at]
            same = (chunks.ids[there] == live.chunk_ids) & (chunks.starts[there] == self.keys)
        same[live.gone] = False
        is_unread = np.ones(len(chunks.ids), bool)
        if len(order):
            is_unread[there[same]] = False
        unread = np.flatnonzero(is_unread)
        if len(unread) > len(chunks.ids) // 2:
            return self._coded_alike(_Held.read(table, model))
        found, vectors = table.of_keys(model, [chunks.key(i) for i in unread.tolist()])
        new = unread[found]
        kept = self._with_room_for(len(new), same)
        return kept.and_also(chunks, new, vectors)

    def _with_room_for(self, count: int, same: NDArray[np.bool_]) -> _Held:
        """This with the other rows marked as gone; moved to a new array when few are left or room runs out."""
        live, used = self.live, len(self.live.chunk_ids)
        gone = np.flatnonzero(~same)
        if used + count <= len(self.room) and len(gone) <= _SPARE * used:
            return _Held(replace(live, gone=gone), self.keys, self.room)
        rows = np.flatnonzero(same)
        room = _room(len(rows) + count, self.room.shape[1])
        np.take(self.room, rows, axis=0, out=room[: len(rows)])
        moved = LiveVectors(room[: len(rows)], live.chunk_ids[rows], live.note_ids[rows], live.n_tokens[rows], gone[:0])
        return self._coded_alike(_Held(moved, self.keys[rows], room))

    def and_also(self, chunks: TextKeys, new: Ids, vectors: Halves) -> _Held:
        """This and more rows: vectors[i] belongs to chunk new[i] of `chunks`. Rows already in use are not touched."""
        live, used = self.live, len(self.live.chunk_ids)
        self.room[used : used + len(new)] = vectors
        grown = LiveVectors(
            self.room[: used + len(new)],
            np.concatenate([live.chunk_ids, chunks.ids[new]]),
            np.concatenate([live.note_ids, chunks.note_ids[new]]),
            np.concatenate([live.n_tokens, chunks.n_tokens[new]]),
            live.gone,
            live.codes,
        )
        return _Held(grown, np.concatenate([self.keys, chunks.starts[new]]), self.room)


def _room(rows: int, dim: int) -> Halves:
    return np.empty((rows + int(rows * _SPARE) + 64, dim), np.float16)


def _rows_among(ids: Ids, allowed: Collection[int]) -> Ids:
    """Rows whose id, which is never negative, is among those allowed; by a table, as numpy's `isin` is slower."""
    if not len(ids):
        return np.empty(0, np.int64)
    wanted = np.fromiter(allowed, np.int64, len(allowed))
    is_wanted = np.zeros(int(ids.max()) + 1, bool)
    is_wanted[wanted[(wanted >= 0) & (wanted < len(is_wanted))]] = True
    return np.flatnonzero(is_wanted[ids])
