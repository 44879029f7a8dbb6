"""Many texts through an engine: batches of like length under a token budget, and what to do when one fails.

Batches grow with the memory that is found, and one that runs out of it is halved (`budget.py`). One that fails
otherwise is tried again after a pause, text by text, so that a poisonous text has failed twice and its neighbours not
at all.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.budget import TokenBudget
from obsidian_indexer.embed.build import Builds
from obsidian_indexer.embed.bundled import check_sums
from obsidian_indexer.embed.engines import Choice, VectorEngine, Vectors, load_engine
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TextTokenizer, TokenIds, load_tokenizer
from obsidian_indexer.errors import OutOfMemory
from obsidian_indexer.options import EmbedOptions


def plan_batches(lengths: Sequence[int], token_budget: Callable[[], int], max_rows: int = 0) -> Iterator[list[int]]:
    """Rows grouped into batches of at most `token_budget` padded tokens (and `max_rows` rows), longest first.

    The budget is asked for at each batch. Sorting by length first keeps padding to a few per cent of the tokens
    computed. A single row may exceed the budget.
    """
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable").tolist()
    start = 0
    while start < len(order):
        width = max(1, lengths[order[start]])
        rows = max(1, token_budget() // width)
        if max_rows:
            rows = min(rows, max_rows)
        yield order[start : start + rows]
        start += rows


class Window(Protocol):
    """Some of the texts of a run."""

    @property
    def encoded(self) -> Sequence[TokenIds]:
        """Their tokens."""


@dataclass(frozen=True, slots=True)
class _OnlyWindow:
    encoded: Sequence[TokenIds]


W = TypeVar("W", bound=Window)


@dataclass(slots=True)
class BatchResult:
    """One finished batch: vectors[i] (float32[n, dim], unit length) belongs to rows[i]; failed rows say why."""

    rows: list[int]
    vectors: Vectors
    n_tokens: int
    failed: dict[int, str] = field(default_factory=dict)


class Embedder:
    """A model ready for work: tokenizer, engine and the limits they run under; any thread may ask for a query."""

    def __init__(
        self,
        spec: ModelSpec,
        tokenizer: TextTokenizer,
        engine: VectorEngine,
        options: EmbedOptions,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.spec = spec
        self.tokenizer = tokenizer
        self.engine = engine
        self._options = options
        self._pause = pause
        self._budget = TokenBudget(options.token_budget or engine.token_budget, fixed=bool(options.token_budget))
        self._slots = threading.Semaphore(engine.lanes)

    @classmethod
    def load(cls, spec: ModelSpec, options: EmbedOptions, builds: Builds, choice: Choice) -> Embedder:
        """Load the model with the engine chosen. Raises ModelError, also for files that are damaged."""
        if spec.folder is not None:
            check_sums(spec.folder)
        return cls(spec, load_tokenizer(spec), load_engine(spec, options, builds, choice), options)

    @property
    def token_budget(self) -> int:
        """Padded tokens that the next batch may have."""
        return self._budget.tokens

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether a batch was too large and had to be halved."""
        return self._budget.ran_out

    def run(self, encoded: Sequence[TokenIds]) -> Iterator[BatchResult]:
        """Embed encoded texts batch by batch, longest first; stop between batches by closing the iterator."""
        return (result for _, result in self.stream([_OnlyWindow(encoded)]))

    def stream(self, windows: Iterable[W]) -> Iterator[tuple[W, BatchResult]]:
        """Embed window after window, without a pause between them; rows of a result are those of its window."""
        tasks = ((window, batch) for window in windows for batch in self._plan(window.encoded))
        if self.engine.lanes == 1:
            return ((window, self._embed(batch, window.encoded)) for window, batch in tasks)
        return self._side_by_side(tasks)

    def _plan(self, encoded: Sequence[TokenIds]) -> Iterator[list[int]]:
        """Batches of a window. `--batch-size` alone sets the rows: the token budget then grows to hold them."""
        step = self.engine.width_step
        lengths = [-(-len(ids) // step) * step for ids in encoded]
        rows = self._options.batch_size
        least = rows * max(lengths, default=1) if not self._options.token_budget else 0
        return plan_batches(lengths, lambda: max(self._budget.tokens, least), rows)

    def _side_by_side(self, tasks: Iterator[tuple[W, list[int]]]) -> Iterator[tuple[W, BatchResult]]:
        """Batches on as many threads as the engine has lanes, in order.

        As many again may wait, or be done, so that no lane stands idle while the taker is busy with a result.
        """
        running: deque[tuple[W, Future[BatchResult]]] = deque()
        with ThreadPoolExecutor(self.engine.lanes, thread_name_prefix="embed") as pool:
            try:
                for window, batch in tasks:
                    running.append((window, pool.submit(self._embed, batch, window.encoded)))
                    if len(running) > 2 * self.engine.lanes:
                        window, future = running.popleft()
                        yield window, future.result()
                while running:
                    window, future = running.popleft()
                    yield window, future.result()
            finally:
                for _, future in running:
                    future.cancel()

    def embed_query(self, query: str) -> NDArray[np.float32]:
        """The vector of a query: float32[dim], unit length. Raises EmbeddingError."""
        ids = self.tokenizer.encode([query], self.spec.query_prompt)
        with self._slots:
            vector: NDArray[np.float32] = self.engine.forward(ids)[0]
        return vector

    def _embed(self, batch: list[int], encoded: Sequence[TokenIds]) -> BatchResult:
        result = BatchResult(batch, np.zeros((len(batch), self.engine.dim), np.float32), 0)
        result.n_tokens = sum(len(encoded[row]) for row in batch)
        try:
            result.vectors = self._forward([encoded[row] for row in batch])
        except Exception as error:  # noqa: BLE001 - engines wrap libraries that raise anything; the run must go on
            reason = f"{type(error).__name__}: {error}"
        else:
            reason = ""
        if reason:
            self._pause(self._options.retry_delay_s)
        # A row without direction, or any row of a batch that raised, has one more try on its own.
        for i in np.flatnonzero(~_usable(result.vectors)).tolist():
            row = batch[i]
            try:
                self._retry(result, i, encoded[row], alone=bool(reason))
            except Exception as error:  # noqa: BLE001 - second strike: set aside, with the reason
                result.failed[row] = f"{type(error).__name__}: {error}"
        return result

    def _retry(self, result: BatchResult, i: int, ids: TokenIds, *, alone: bool) -> None:
        with self._slots:
            vector = self.engine.forward([ids])[0] if alone else self.engine.forward_exact(ids)
        if not _usable(vector[np.newaxis])[0]:
            raise ValueError("the model gave no usable vector (zero or not a number)")
        result.vectors[i] = vector

    def _forward(self, batch: Sequence[TokenIds]) -> Vectors:
        """A batch, cut in halves for as long as memory does not suffice."""
        padded = len(batch) * max(len(ids) for ids in batch)
        if len(batch) == 1 or self._budget.holds(padded):
            try:
                with self._slots:
                    vectors = self.engine.forward(batch)
            except OutOfMemory:
                if len(batch) == 1:
                    with self._slots:
                        return self.engine.forward_exact(batch[0])[np.newaxis, :]
            else:
                self._budget.went_well(padded, self.engine.room_tokens)
                return vectors
            # Outside the `except`: there the traceback would keep the failed batch's memory alive.
            self._budget.overflowed(padded)
        half = len(batch) // 2
        return np.concatenate([self._forward(batch[:half]), self._forward(batch[half:])])


def _usable(vectors: Vectors) -> NDArray[np.bool_]:
    """Which rows have a direction: bool[n]."""
    norms = np.linalg.norm(vectors, axis=1)
    usable: NDArray[np.bool_] = np.isfinite(norms) & (norms > 0.5)
    return usable
