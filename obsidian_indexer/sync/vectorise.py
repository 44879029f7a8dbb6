"""Pending texts to vectors: one list for the whole vault, longest first, read and written a window at a time.

The list holds keys and lengths only, so memory stays flat however large the vault is. Texts are fetched and tokenised
in a thread ahead of the model. Vectors reach the catalogue every couple of seconds and whenever the run stops.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.batch import BatchResult, Embedder
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.events import EventSink, FailureEvent, Progress
from obsidian_indexer.pace import Pace
from obsidian_indexer.pipeline import prefetch
from obsidian_indexer.records import Failure
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.live import Table
from obsidian_indexer.store.vectors import PendingTexts, StoredModel, TextVectors

# Writing 38,000 notes takes 6.7 s of one core with this, 6.5 s with 64 MiB.
CATALOG_CACHE_MIB = 8
_FLUSH_S = 2.0
_ENCODED_TEXTS = 512
# A fast card fills two seconds with more vectors than memory should hold, or the card should wait for.
_FLUSH_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class _Window:
    """A run of pending texts, tokenised: row i of each list is one text."""

    keys: list[bytes]
    paths: list[str]
    encoded: list[TokenIds]


@dataclass(slots=True)
class Vectorised:
    """What one pass embedded."""

    texts: int = 0
    tokens: int = 0
    failed: int = 0


class Vectoriser:
    """Embeds everything of a kind that one model has not read yet.

    `table` holds the texts and takes the vectors; only those of passages are counted as chunks.
    """

    def __init__(
        self,
        catalog: Catalog,
        data_dir: Path,
        embedder: Embedder,
        model: StoredModel,
        *,
        table: Table,
        on_event: EventSink,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._data_dir = data_dir
        self._embedder = embedder
        self._model = model
        self._table = table
        self._on_event = on_event
        self._clock = clock

    def run(self, pending: PendingTexts, window: int, progress: Progress, pace: Pace, done: Vectorised) -> bool:
        """Embed the list, counting in `done`; False when a pause cut it short. What is embedded by then is kept.

        Raises Cancelled.
        """
        buffer = _Buffer(self._catalog, self._table(self._catalog), self._model, self._clock)
        try:
            with (
                closing(prefetch(self._windows(pending, window))) as windows,  # type: ignore[type-var]
                closing(self._embedder.stream(windows)) as results,  # type: ignore[type-var]
            ):
                for part, result in results:
                    self._take(part, result, buffer, done, progress)
                    if pace.paused:
                        # Whatever is ahead is dropped, which gives its memory back; it is still on the next list.
                        return False
                    pace.check()
        finally:
            buffer.flush()
        return True

    def _windows(self, pending: PendingTexts, window: int) -> Iterator[_Window]:
        """Texts of the list, window by window; runs in a thread, with a connection of its own."""
        with Catalog.open(self._data_dir) as reader:
            reader.limit_cache(CATALOG_CACHE_MIB)
            for start in range(0, len(pending.keys), window):
                keys = pending.keys[start : start + window]
                texts = self._table(reader).texts(keys)
                keys = [key for key in keys if key in texts]
                encoded = self._encode([texts[key][0] for key in keys])
                yield _Window(keys, [texts[key][1] for key in keys], encoded)

    def _encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids of a window, packed: lists take nine times the room, what the tokenizer makes on the way more."""
        tokenizer, prompt = self._embedder.tokenizer, self._embedder.spec.document_prompt
        parts = (texts[start : start + _ENCODED_TEXTS] for start in range(0, len(texts), _ENCODED_TEXTS))
        return [array("I", ids) for part in parts for ids in tokenizer.encode(part, prompt)]

    def _take(self, part: _Window, result: BatchResult, buffer: _Buffer, done: Vectorised, progress: Progress) -> None:
        good = [i for i, row in enumerate(result.rows) if row not in result.failed]
        buffer.add([part.keys[result.rows[i]] for i in good], result.vectors[good])
        for row, reason in result.failed.items():
            failure = Failure(part.paths[row], "embed", reason)
            buffer.fail(part.keys[row], failure)
            self._on_event(FailureEvent(failure))
        done.texts += len(good)
        done.tokens += result.n_tokens
        done.failed += len(result.failed)
        progress.current_note = part.paths[result.rows[0]]
        if self._table(self._catalog) is self._catalog.vectors:
            progress.chunks_done += len(result.rows)
        progress.tokens_done += result.n_tokens
        progress.failures += len(result.failed)
        buffer.flush_if_due()


class _Buffer:
    """Vectors on their way into the catalogue, written in large transactions."""

    def __init__(self, catalog: Catalog, table: TextVectors, model: StoredModel, clock: Callable[[], float]) -> None:
        self._catalog = catalog
        self._table = table
        self._model = model
        self._clock = clock
        self._flushed = clock()
        self._keys: list[bytes] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._failures: list[tuple[bytes, Failure]] = []

    def add(self, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
        """Take vectors[i] for keys[i]."""
        self._keys += keys
        self._vectors.append(vectors)

    def fail(self, key: bytes, failure: Failure) -> None:
        """Take a text that is to be set aside."""
        self._failures.append((key, failure))

    def flush_if_due(self) -> None:
        """Write when the last time is a while ago, or when much has come since."""
        if len(self._keys) >= _FLUSH_ROWS or self._clock() - self._flushed >= _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write what was taken, in one transaction."""
        if self._keys or self._failures:
            with self._catalog.transaction():
                if self._keys:
                    self._table.add(self._model.id, self._keys, np.concatenate(self._vectors))
                for key, failure in self._failures:
                    self._table.fail(self._model.id, key, failure)
        self._keys, self._vectors, self._failures = [], [], []
        self._flushed = self._clock()
