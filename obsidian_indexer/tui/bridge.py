"""Between the screens and the engine; with the lanes below it, the only module of the screens that knows threads.

Screens await its coroutines and, at their own pace, read the plain values it keeps (`run`, `watching`, `status`, …).
Threads never touch a widget.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from obsidian_indexer.errors import Cancelled, IndexerError
from obsidian_indexer.events import Event, FailureEvent, NoticeEvent, Progress, SyncedEvent, WatchState, WatchStateEvent
from obsidian_indexer.options import Options
from obsidian_indexer.records import IndexReport, SearchResult, Status
from obsidian_indexer.tui.face import EngineFace, OpenEngine
from obsidian_indexer.tui.lanes import Gate, Lane, close_all
from obsidian_indexer.tui.runs import IndexRun, LogEntry, Phase, TuneRun, Warmth, WatchRun
from obsidian_indexer.tuning import KeptSettings

T = TypeVar("T")

LOG_KEPT = 2_000


class NotReadyError(IndexerError):
    """The index is not open, or is busy with something that excludes the request."""


class Bridge:
    """Owns the engine and the threads that call it."""

    def __init__(
        self,
        load: Callable[[], Options],
        open_engine: OpenEngine,
        *,
        now: Callable[[], datetime] = datetime.now,
        new_progress: Callable[[], Progress] = Progress,
    ) -> None:
        self._load = load
        self._open_engine = open_engine
        self._now = now
        self._new_progress = new_progress
        self._gate = Gate()
        self._engine: EngineFace | None = None
        self._lanes = {name: Lane(name) for name in ("engine", "writer", "keyword", "search", "note", "status", "open")}
        self._lock = threading.Lock()
        self._log: deque[LogEntry] = deque(maxlen=LOG_KEPT)
        self._logged = 0
        self._notices: deque[str] = deque(maxlen=5)
        self.options: Options | None = None
        self.phase = Phase.OPENING
        self.warmth = Warmth.COLD
        self.failure: str | None = None
        self.model_line = ""
        self.status: Status | None = None
        self.status_due = False
        self.reload_due = False
        self.run: IndexRun | None = None
        self.watching: WatchRun | None = None
        self.tune_run: TuneRun | None = None

    # ---- what screens read

    @property
    def indexing(self) -> bool:
        """Whether an index run is under way."""
        return self.run is not None and not self.run.finished

    @property
    def watch_on(self) -> bool:
        """Whether the watcher is on, or still stopping."""
        return self.watching is not None and not self.watching.finished

    @property
    def tuning(self) -> bool:
        """Whether a tuning run is under way."""
        return self.tune_run is not None and not self.tune_run.finished

    @property
    def busy(self) -> bool:
        """Whether anything holds the writer's lane."""
        return self.indexing or self.watch_on or self.tuning

    @property
    def notices(self) -> tuple[str, ...]:
        """The last few notices, oldest first, none twice."""
        with self._lock:
            return tuple(self._notices)

    def now(self) -> datetime:
        """The user's local time."""
        return self._now()

    def log_since(self, number: int) -> list[LogEntry]:
        """Log entries after that number, oldest first; at most the last 2,000 are kept."""
        with self._lock:
            if self._logged <= number:
                return []
            return [entry for entry in self._log if entry.number > number]

    # ---- life cycle

    async def open(self) -> None:
        """Load the settings and open the index, in place of the one that is open; waits for those who still use it.

        Raises what loading and opening raise; the phase says how it went.
        """
        self.warmth = Warmth.COLD
        try:
            await self._lanes["engine"].run(self._open)
        except Exception as error:
            self.phase = Phase.FAILED
            self.failure = str(error) if isinstance(error, IndexerError) else type(error).__name__
            raise
        self.phase, self.failure = Phase.READY, None

    async def warm(self) -> None:
        """Load the query model. Without one keyword search still works, so a missing model is a notice."""
        self.warmth = Warmth.LOADING
        try:
            await self._lanes["search"].run(lambda: self._with_engine(lambda engine: engine.warm()))
        except IndexerError as error:
            self.warmth = Warmth.MISSING
            self._notice(str(error))
        except Exception:
            self.warmth = Warmth.MISSING
            raise
        except asyncio.CancelledError:
            self.warmth = Warmth.COLD
            raise
        else:
            self.warmth = Warmth.LOADED

    def stop_writing(self) -> None:
        """Ask whatever runs in the writer's lane to stop at its next check."""
        if self.run is not None:
            self.run.cancel.cancel()
        if self.watching is not None:
            self.watching.cancel.cancel()
        if self.tune_run is not None:
            self.tune_run.cancel.cancel()

    async def writing_ended(self) -> None:
        """Returns once no run is under way; the writer's lane is serial, so its turn comes when the run ended."""
        await self._lanes["writer"].run(lambda: None)

    def close(self, timeout_s: float = 2.0) -> bool:
        """Stop everything and close the engine; returns False when a thread would not end within the limit."""
        self.stop_writing()
        if not close_all(list(self._lanes.values()), timeout_s):
            return False
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        return True

    # ---- what screens ask for

    async def index(self, *, full: bool) -> None:
        """Run the indexer to its end; `run` holds how it went. Raises on faults that are no IndexerError."""
        if self.indexing:
            raise NotReadyError("An index run is under way.")
        if self.watch_on:
            raise NotReadyError("Watching keeps the index up to date. Stop it first to run the indexer by hand.")
        if self.tuning:
            raise NotReadyError("Tuning is under way. The indexer can start when it has ended.")
        run = IndexRun(full, progress=self._new_progress())
        self.run = run
        await self._lanes["writer"].run(lambda: self._index(run))

    async def watch(self) -> None:
        """Follow the disk until `watching.cancel` is set. Raises on faults that are no IndexerError."""
        if self.watch_on:
            raise NotReadyError("Watching is on.")
        if self.indexing:
            raise NotReadyError("An index run is under way. Watching can start when it has ended.")
        if self.tuning:
            raise NotReadyError("Tuning is under way. Watching can start when it has ended.")
        watching = WatchRun(self._now(), progress=self._new_progress())
        self.watching = watching
        await self._lanes["writer"].run(lambda: self._watch(watching))

    async def tune(self, keep: Callable[[Mapping[str, object]], KeptSettings]) -> None:
        """Measure to the end, and keep the best; `tune_run` holds how it went."""
        if self.busy:
            raise NotReadyError("Something else is under way. Tuning can start when it has ended.")
        run = TuneRun()
        self.tune_run = run
        await self._lanes["writer"].run(lambda: self._tune(run, keep))

    async def search_words(self, query: str) -> SearchResult:
        """Keyword hits; quick enough for every keystroke."""
        return await self._lanes["keyword"].run(
            lambda: self._with_engine(lambda engine: engine.search(query, mode="keyword"))
        )

    async def search(self, query: str, mode: str) -> SearchResult:
        """Hits in the given mode; waits while the model loads."""
        return await self._lanes["search"].run(
            lambda: self._with_engine(lambda engine: engine.search(query, mode=mode))
        )

    async def explain(self, query: str, mode: str) -> SearchResult:
        """The same hits as `search`, each explained."""
        return await self._lanes["search"].run(
            lambda: self._with_engine(lambda engine: engine.search(query, mode=mode, explain=True))
        )

    async def similar(self, path: str, *, hide_linked: bool = False) -> SearchResult:
        """Notes like this one, with `hide_linked` none that is linked with it."""
        return await self._lanes["search"].run(
            lambda: self._with_engine(lambda engine: engine.similar(path, hide_linked=hide_linked))
        )

    async def read_note(self, path: str, use: Callable[[str], T]) -> T:
        """What `use` makes of the note's text; both run outside the screen's thread."""
        return await self._lanes["note"].run(lambda: self._with_engine(lambda engine: use(engine.note_text(path))))

    async def check_note(self, path: str) -> None:
        """Raises NoteError when the note cannot be read any more."""
        await self._lanes["open"].run(lambda: self._with_engine(lambda engine: engine.note_text(path)))

    async def refresh_status(self, *, notes: bool = False) -> Status:
        """Ask for the health and the model line, and keep both."""
        self.status_due = False

        def ask(engine: EngineFace) -> tuple[Status, str]:
            return engine.status(notes=notes), engine.model_status()

        status, self.model_line = await self._lanes["status"].run(lambda: self._with_engine(ask))
        self.status = status
        return status

    async def outside(self, call: Callable[[], T]) -> T:
        """Run a call that may take a while and does not concern the engine."""
        return await self._lanes["open"].run(call)

    # ---- on the threads

    def _open(self) -> None:
        with self._gate.alone():
            if self._engine is not None:
                engine, self._engine = self._engine, None
                engine.close()
            options = self._load()
            self._engine = self._open_engine(options, on_event=self._take)
            self.options = options

    def _with_engine(self, use: Callable[[EngineFace], T]) -> T:
        with self._gate.shared():
            if self._engine is None:
                raise NotReadyError(self.failure or "The index is still being opened.")
            return use(self._engine)

    def _index(self, run: IndexRun) -> None:
        try:
            run.report = self._with_engine(
                lambda engine: engine.index(full=run.full, progress=run.progress, cancel=run.cancel, pause=run.pause)
            )
        except Cancelled:
            run.report = IndexReport(cancelled=True)
        except IndexerError as error:
            run.error = str(error)
        except BaseException as error:
            run.error = f"The run stopped on a fault: {type(error).__name__}. What was done before is kept."
            raise
        finally:
            run.last = run.progress.snapshot()
            run.finished = True
            self.status_due = True

    def _watch(self, watching: WatchRun) -> None:
        try:
            self._with_engine(
                lambda engine: engine.watch(
                    cancel=watching.cancel, on_event=None, progress=watching.progress, pause=watching.pause
                )
            )
        except Cancelled:
            pass
        except IndexerError as error:
            watching.error = str(error)
        except BaseException as error:
            watching.error = f"Watching stopped on a fault: {type(error).__name__}."
            raise
        finally:
            watching.state, watching.reason = WatchState.STOPPED, ""
            watching.finished = True
            self.status_due = True

    def _tune(self, run: TuneRun, keep: Callable[[Mapping[str, object]], KeptSettings]) -> None:
        try:
            report = self._with_engine(lambda engine: engine.tune(on_step=run.take, cancel=run.cancel))
            if report.best is not None and not report.cancelled:
                run.kept = keep(report.settings)
            run.report = report
        except IndexerError as error:
            run.error = str(error)
        except BaseException as error:
            run.error = f"Tuning stopped on a fault: {type(error).__name__}. The settings are as they were."
            raise
        finally:
            run.finished = True

    def _take(self, event: Event) -> None:
        """The engine's event sink: called on its threads, so it only stores."""
        match event:
            case FailureEvent(failure=failure):
                run = self.run
                if run is not None and not run.finished:
                    run.failures.append(failure)
                    run.n_failures += 1
            case NoticeEvent(message=message):
                self._notice(message)
            case WatchStateEvent(state=state, reason=reason):
                if self.watching is not None:
                    self.watching.state, self.watching.reason = state, reason
            case SyncedEvent():
                self.status_due = True
        if self.watch_on:
            with self._lock:
                self._logged += 1
                self._log.append(LogEntry(self._logged, self._now(), event))

    def _notice(self, message: str) -> None:
        with self._lock:
            if message in self._notices:
                self._notices.remove(message)
            self._notices.append(message)
