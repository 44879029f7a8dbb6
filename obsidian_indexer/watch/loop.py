"""The watch loop: decides when to bring the index up to date, and keeps the watch alive or replaces it by polling."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from obsidian_indexer.errors import IndexerError
from obsidian_indexer.events import CancelToken, EventSink, NoticeEvent, WatchState, WatchStateEvent, ignore_event
from obsidian_indexer.options import WatchOptions
from obsidian_indexer.watch.dirty import NOTE_SUFFIXES, Debouncer, DirtySet, EventSorter, Inbox
from obsidian_indexer.watch.observe import DiskObserver, WatchdogObserver
from obsidian_indexer.watch.root import RootSentinel, RootState, mounts, network_file_system

ROOT_CHECK_S = 2.0
"""How often the vault's folder is looked at; moving it raises no event."""

MAX_DEATHS = 3
"""An observer that ends this often between two regular comparisons is given up for polling."""

POLL_SHARE = 10.0
"""A poll is followed by a pause of at least this many times its length, so that polling takes a tenth at most."""

MAX_BACKOFF_S = 60.0

Sync = Callable[[DirtySet], None]
ObserverFactory = Callable[[EventSorter], DiskObserver]


class Watcher:
    """Follows one vault until cancelled.

    `sync` is called on the thread of `run`, never twice at a time; what changes meanwhile is kept for the next call.
    `step` is the whole logic without waiting, so that it can be driven by a given clock.
    """

    def __init__(
        self,
        root: Path,
        options: WatchOptions,
        sync: Sync,
        *,
        cancel: CancelToken,
        on_event: EventSink = ignore_event,
        clock: Callable[[], float] = time.monotonic,
        observer_factory: ObserverFactory = WatchdogObserver,
        mounted: Callable[[], list[tuple[str, str]]] = mounts,
        suffixes: frozenset[str] = NOTE_SUFFIXES,
        ignore_file: str = ".obsidianindexignore",
    ) -> None:
        self._root = root.resolve()
        self._options = options
        self._sync = sync
        self._cancel = cancel
        self._on_event = on_event
        self._clock = clock
        self._observer_factory = observer_factory
        self._mounted = mounted
        self._inbox = Inbox(
            Debouncer(options.quiet_s, options.max_wait_s), clock, full_diff_paths=options.full_diff_paths
        )
        self._sorter = EventSorter(self._root, self._inbox, suffixes=suffixes, ignore_file=ignore_file)
        self._sentinel = RootSentinel(self._root)
        self._observer: DiskObserver | None = None
        self._armed = False
        self._polling: str | None = None
        self._told: WatchStateEvent | None = None
        self._start_reason = "start-up"
        self._deaths = 0
        self._failures = 0
        self._not_before = float("-inf")
        self._rescan_at = float("inf")
        self._poll_at = float("inf")

    def run(self) -> None:
        """Block until cancelled; errors of `sync` become notices, and the watch goes on."""
        ended = threading.Event()
        threading.Thread(target=self._forward_cancel, args=(ended,), name="watch-cancel", daemon=True).start()
        try:
            self._tell(WatchState.STARTING)
            while not self._cancel.cancelled:
                self._inbox.wait(self.step())
        finally:
            ended.set()
            self._disarm()
            self._tell(WatchState.STOPPED)

    def poke(self) -> None:
        """Compare the whole vault now, as when the user comes back to the program; safe from any thread."""
        self._inbox.add_everything("focus", at_once=True)

    def step(self) -> float:
        """Do what is due and return the seconds until the next look is needed; new events may end the wait earlier."""
        if not self._root_is_here():
            return ROOT_CHECK_S
        if not self._armed:
            if not self._arm():
                return ROOT_CHECK_S
            self._inbox.add_everything(self._start_reason, at_once=True)
        self._plan()
        self._keep_hearing()
        if not self._armed:
            return ROOT_CHECK_S
        due_at = self._inbox.due_at()
        if due_at is not None and max(due_at, self._not_before) <= self._clock():
            self._bring_up_to_date()
        if self._polling is None:
            self._tell(WatchState.LIVE)
        else:
            self._tell(WatchState.POLLING, self._polling)
        return self._pause_s()

    def _root_is_here(self) -> bool:
        """Whether the vault's folder stands; one that is away or was exchanged loses its watch."""
        state = self._sentinel.look()
        if state is RootState.GONE:
            self._disarm()
            self._start_reason = "the vault is back"
            self._tell(WatchState.PAUSED, f"the vault is not at {self._root}; its index is kept as it is")
            return False
        if state is RootState.REPLACED and self._armed:
            self._disarm()
            self._start_reason = "the vault's folder was replaced"
        if not self._armed and self._start_reason != "start-up":
            self._tell(WatchState.STARTING, self._start_reason)
        return True

    def _arm(self) -> bool:
        """Set up events, or polling with its reason. False when the vault went away meanwhile."""
        self._polling = self._why_poll()
        try:
            self._sentinel.remember()
            if self._polling is None:
                observer = self._observer_factory(self._sorter)
                observer.start()
                self._observer = observer
        except (FileNotFoundError, NotADirectoryError):
            return False
        except Exception as error:  # noqa: BLE001 - whatever keeps events away, polling does without them
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._polling = f"the system sends no file events: {reason}"
        self._armed = True
        return True

    def _why_poll(self) -> str | None:
        if self._options.polling == "always":
            return "polling is set in the options"
        kind = network_file_system(self._root, self._mounted())
        return None if kind is None else f"the vault is on a file system that sends no events ({kind})"

    def _disarm(self) -> None:
        observer, self._observer = self._observer, None
        self._armed = False
        if observer is not None:
            observer.stop()

    def _keep_hearing(self) -> None:
        """Fall back to polling where events cannot cover the vault; renew a watch that ended by itself."""
        no_events = self._inbox.take_no_events()
        if self._observer is None:
            return
        if no_events is None and not self._observer.is_alive():
            self._deaths += 1
            if self._deaths < MAX_DEATHS:
                self._disarm()
                self._start_reason = "the watch ended by itself and was renewed"
                self._on_event(NoticeEvent("The watch on the vault ended by itself; it is set up again."))
                if self._arm():
                    self._inbox.add_everything(self._start_reason, at_once=True)
                return
            no_events = "the watch keeps ending by itself"
        if no_events is not None:
            self._disarm()
            self._armed = True
            self._polling = no_events
            self._inbox.add_everything(no_events, at_once=True)

    def _plan(self) -> None:
        """Ask for the comparisons that come with time: the regular one, and polls where there are no events."""
        now = self._clock()
        if now >= self._rescan_at:
            self._rescan_at = float("inf")
            self._deaths = 0
            if self._polling is not None:
                # A limit may have been raised, or other programs may have given their watches back.
                self._disarm()
                self._arm()
            self._inbox.add_everything("regular comparison", at_once=True)
        if self._polling is not None and now >= self._poll_at:
            self._poll_at = float("inf")
            self._inbox.add_everything("poll", at_once=True)

    def _bring_up_to_date(self) -> None:
        dirty = self._inbox.take()
        if dirty is None:
            return
        started = self._clock()
        try:
            self._sync(dirty)
        except Exception as error:  # noqa: BLE001 - the stage guard: one failed cycle must not end the watch
            self._failed(error)
        else:
            self._failures = 0
            if dirty.everything:
                self._rescan_at = self._clock() + self._options.rescan_s
        ended = self._clock()
        self._poll_at = ended + max(self._options.poll_s, POLL_SHARE * (ended - started))

    def _failed(self, error: Exception) -> None:
        """Keep the work for a later try: what was done of it is unknown, so the whole vault is compared then."""
        self._inbox.add_everything("an earlier attempt failed", at_once=True)
        if self._cancel.cancelled or self._sentinel.look() is RootState.GONE:
            return
        self._failures += 1
        pause_s = min(MAX_BACKOFF_S, 2.0 ** (self._failures - 1))
        self._not_before = self._clock() + pause_s
        what = str(error) if isinstance(error, IndexerError) else f"{type(error).__name__}: {error}"
        self._on_event(NoticeEvent(f"Changes could not be taken up ({what}). Trying again in {pause_s:.0f} s."))

    def _pause_s(self) -> float:
        moments = [self._rescan_at]
        if self._polling is not None:
            moments.append(self._poll_at)
        due_at = self._inbox.due_at()
        if due_at is not None:
            moments.append(max(due_at, self._not_before))
        return max(0.0, min(ROOT_CHECK_S, min(moments) - self._clock()))

    def _tell(self, state: WatchState, reason: str = "") -> None:
        event = WatchStateEvent(state, reason)
        if event != self._told:
            self._told = event
            self._on_event(event)

    def _forward_cancel(self, ended: threading.Event) -> None:
        # The loop sleeps on the inbox; this thread sleeps on the token, so that either wakes the loop at once.
        while not self._cancel.wait(1.0):
            if ended.is_set():
                return
        self._inbox.wake()


def watch_vault(
    root: Path,
    options: WatchOptions,
    sync: Sync,
    *,
    cancel: CancelToken,
    on_event: EventSink = ignore_event,
    clock: Callable[[], float] = time.monotonic,
    observer_factory: ObserverFactory = WatchdogObserver,
    suffixes: frozenset[str] = NOTE_SUFFIXES,
    ignore_file: str = ".obsidianindexignore",
) -> None:
    """Call `sync` for the whole vault, then for each burst of changes, until cancelled (see `Watcher`)."""
    Watcher(
        root,
        options,
        sync,
        cancel=cancel,
        on_event=on_event,
        clock=clock,
        observer_factory=observer_factory,
        suffixes=suffixes,
        ignore_file=ignore_file,
    ).run()
