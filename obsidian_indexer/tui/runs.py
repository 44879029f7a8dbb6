"""How far the engine is, and what its long runs tell: written by their threads, read by the screens."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from obsidian_indexer.events import CancelToken, Event, PauseToken, Progress, ProgressSnapshot, WatchState
from obsidian_indexer.records import Failure, IndexReport
from obsidian_indexer.tuning import KeptSettings, TuneReport, TuneStep

FAILURES_KEPT = 500


class Phase(StrEnum):
    """How far the engine is."""

    OPENING = "opening"
    READY = "ready"
    FAILED = "failed"


class Warmth(StrEnum):
    """How far the query model is."""

    COLD = "cold"
    LOADING = "loading"
    LOADED = "loaded"
    MISSING = "missing"


@dataclass(slots=True)
class IndexRun:
    """One index run: written by its thread, read by the screens. `error` is for the user; None when all went well."""

    full: bool
    progress: Progress = field(default_factory=Progress)
    cancel: CancelToken = field(default_factory=CancelToken)
    pause: PauseToken = field(default_factory=PauseToken)
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=FAILURES_KEPT))
    n_failures: int = 0
    report: IndexReport | None = None
    last: ProgressSnapshot | None = None
    error: str | None = None
    finished: bool = False

    def snapshot(self) -> ProgressSnapshot:
        """Progress now, or as it was when the run ended."""
        return self.last if self.last is not None else self.progress.snapshot()


@dataclass(slots=True)
class WatchRun:
    """One stretch of watching: written by its thread, read by the screens."""

    since: datetime
    progress: Progress = field(default_factory=Progress)
    cancel: CancelToken = field(default_factory=CancelToken)
    pause: PauseToken = field(default_factory=PauseToken)
    state: WatchState = WatchState.STARTING
    reason: str = ""
    error: str | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event with the local time at which it came; numbers count up from 1."""

    number: int
    at: datetime
    event: Event


@dataclass(slots=True)
class TuneRun:
    """One tuning run: written by its thread, read by the screens. `error` is for the user; None when all went well."""

    cancel: CancelToken = field(default_factory=CancelToken)
    step: TuneStep | None = None
    report: TuneReport | None = None
    kept: KeptSettings | None = None
    restored: bool = False
    error: str | None = None
    finished: bool = False

    def take(self, step: TuneStep) -> None:
        """Keep what the run tells; called on its thread."""
        self.step = step
