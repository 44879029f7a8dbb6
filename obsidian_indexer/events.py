"""Progress as a state to sample, events for what is rare, and the tokens that stop a run or let it pause.

One worker thread writes a `Progress`; any thread may call `snapshot()` at its own pace. Events go to one callable; it
is called on the worker's thread and must be quick.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from obsidian_indexer.errors import Cancelled
from obsidian_indexer.records import Change, Failure


class Stage(StrEnum):
    """The part of a run that is under way."""

    IDLE = "idle"
    SCAN = "scan"
    PARSE = "parse"
    MODEL = "model"
    BUILD = "build"
    EMBED = "embed"
    STORE = "store"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ProgressSnapshot:
    """Progress at one moment. Totals are 0 until known; `eta_s` is None until it can be told.

    `notes_seen` counts files met so far by the scan, `notes_done` notes parsed out of `notes_total` changed ones.
    Chunks, tokens and rate concern the embedding stage; `stored` of `store_total` vectors the store stage. While the
    run is paused its clock stands still; `pause_reason` says why if it was not by hand.
    """

    stage: Stage = Stage.IDLE
    notes_seen: int = 0
    notes_done: int = 0
    notes_total: int = 0
    chunks_done: int = 0
    chunks_total: int = 0
    chunks_reused: int = 0
    tokens_done: int = 0
    tokens_total: int = 0
    stored: int = 0
    store_total: int = 0
    failures: int = 0
    current_note: str = ""
    chunks_per_second: float = 0.0
    eta_s: float | None = None
    elapsed_s: float = 0.0
    paused: bool = False
    pause_reason: str = ""


class Progress:
    """A run's counters, written by one thread and sampled by any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When the pause began, if there is one, and what earlier ones took: one value, since other threads read it.
        self._held: tuple[float | None, float] = (None, 0.0)
        self._started = clock()
        self._embed_started: float | None = None
        self._embed_stopped: float | None = None
        self.stage = Stage.IDLE
        self.notes_seen = 0
        self.notes_done = 0
        self.notes_total = 0
        self.chunks_done = 0
        self.chunks_total = 0
        self.chunks_reused = 0
        self.tokens_done = 0
        self.tokens_total = 0
        self.stored = 0
        self.store_total = 0
        self.failures = 0
        self.current_note = ""
        self.pause_reason = ""

    def now(self) -> float:
        """Seconds on the run's own clock, which stands still while it is paused."""
        since, before = self._held
        return (self._clock() if since is None else since) - before

    @contextmanager
    def held(self, reason: str = "") -> Iterator[None]:
        """Around a pause; one within another changes nothing."""
        if self._held[0] is not None:
            yield
            return
        self.pause_reason = reason
        since, before = self._clock(), self._held[1]
        self._held = since, before
        try:
            yield
        finally:
            self._held = None, before + self._clock() - since

    def enter(self, stage: Stage) -> None:
        """Move to a stage; the embedding rate is measured over the embedding stage alone."""
        now = self.now()
        if stage is Stage.EMBED:
            self._embed_started, self._embed_stopped = now, None
        elif self.stage is Stage.EMBED:
            self._embed_stopped = now
        self.stage = stage

    def snapshot(self) -> ProgressSnapshot:
        """The counters now, with rate and time left derived from them."""
        now = self.now()
        rate, eta = 0.0, None
        if self._embed_started is not None:
            spent = (self._embed_stopped or now) - self._embed_started
            rate = self.chunks_done / spent if spent > 0 else 0.0
            # Tokens, not chunks: batches are sorted by length, so chunks per second drifts and tokens do not.
            if self.stage is Stage.EMBED and self.tokens_done and spent > 0:
                eta = (self.tokens_total - self.tokens_done) * spent / self.tokens_done
        return ProgressSnapshot(
            stage=self.stage,
            notes_seen=self.notes_seen,
            notes_done=self.notes_done,
            notes_total=self.notes_total,
            chunks_done=self.chunks_done,
            chunks_total=self.chunks_total,
            chunks_reused=self.chunks_reused,
            tokens_done=self.tokens_done,
            tokens_total=self.tokens_total,
            stored=self.stored,
            store_total=self.store_total,
            failures=self.failures,
            current_note=self.current_note,
            chunks_per_second=rate,
            eta_s=eta,
            elapsed_s=now - self._started,
            paused=self._held[0] is not None,
            pause_reason=self.pause_reason,
        )


@dataclass(frozen=True, slots=True)
class FailureEvent:
    """A note or chunk failed twice and was set aside."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """Something the user should see that is not a failure."""

    message: str


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """A change on disk was brought into the catalogue."""

    change: Change


@dataclass(frozen=True, slots=True)
class SyncedEvent:
    """A watch cycle ended: the index equals the vault again. Counts concern this cycle; `seconds` is its length."""

    added: int
    modified: int
    removed: int
    renamed: int
    embedded: int
    seconds: float


class WatchState(StrEnum):
    """What the watcher is doing."""

    STARTING = "starting"
    LIVE = "live"
    POLLING = "polling"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class WatchStateEvent:
    """The watcher changed state; `reason` says why in a line."""

    state: WatchState
    reason: str = ""


Event = FailureEvent | NoticeEvent | ChangeEvent | SyncedEvent | WatchStateEvent
EventSink = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """A sink for callers that only want the report."""


@dataclass(slots=True)
class CancelToken:
    """A flag that one thread sets and the worker checks between batches."""

    _event: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask the run to stop at its next check."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the run was asked to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises Cancelled if the run was asked to stop."""
        if self._event.is_set():
            raise Cancelled

    def wait(self, timeout_s: float) -> bool:
        """Sleep up to `timeout_s`, waking at once when cancelled; returns whether it was."""
        return self._event.wait(timeout_s)


class PauseToken:
    """A switch that lets a run pause between two batches and go on; safe from any thread."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._go.set()
        self.reason = ""

    def pause(self, reason: str = "") -> None:
        """Ask the run to wait at its next check; `reason` is for the reader, empty when it is by hand."""
        self.reason = reason
        self._go.clear()

    def resume(self) -> None:
        """Let the run go on."""
        self.reason = ""
        self._go.set()

    @property
    def paused(self) -> bool:
        """Whether the run is to wait."""
        return not self._go.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Sleep up to `timeout_s` while paused, waking at once to go on; returns whether the run may go on."""
        return self._go.wait(timeout_s)
