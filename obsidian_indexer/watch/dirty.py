"""What may have changed since the last cycle: the set that the observer's thread fills and the watch loop empties."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NOTE_SUFFIXES = frozenset({".md", ".canvas", ".base"})
"""Lower-case suffixes whose files can be notes; the scan has the last word."""

SETTINGS_FILES = frozenset({".obsidian/app.json", ".obsidian/templates.json"})
"""Files of Obsidian that decide which notes count."""


@dataclass(frozen=True, slots=True)
class DirtySet:
    """Where the index may differ from the disk.

    `paths` are vault-relative POSIX files that may be new, changed or gone; `prefixes` are folders to compare with all
    below them (also gone ones), none inside another and no path inside one. With `everything` both are empty and the
    whole vault is to be compared. `reason` is a line for the log.
    """

    paths: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()
    everything: bool = False
    reason: str = ""

    def covers(self, path: str) -> bool:
        """Whether a comparison of this set looks at the file."""
        return self.everything or path in self.paths or _has_ancestor(path, self.prefixes)


class Debouncer:
    """Decides when a burst of changes is taken up: after `quiet_s` of silence, or `max_wait_s` after its first change.

    Holds no clock; every time is given, in seconds of one monotonic clock.
    """

    def __init__(self, quiet_s: float, max_wait_s: float) -> None:
        self._quiet_s = quiet_s
        self._max_wait_s = max_wait_s
        self._first: float | None = None
        self._last = 0.0

    def note(self, now: float) -> None:
        """Record a change at `now`."""
        if self._first is None:
            self._first = now
        self._last = now

    def due_at(self) -> float | None:
        """The time at which the burst is to be taken up, None when there is none."""
        if self._first is None:
            return None
        return min(self._last + self._quiet_s, self._first + self._max_wait_s)

    def reset(self) -> None:
        """Forget the burst."""
        self._first = None


class Inbox:
    """Collects dirty places from any thread and wakes the loop when the first one arrives."""

    def __init__(self, debouncer: Debouncer, clock: Callable[[], float], *, full_diff_paths: int) -> None:
        self._debouncer = debouncer
        self._clock = clock
        self._full_diff_paths = full_diff_paths
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._paths: set[str] = set()
        self._prefixes: set[str] = set()
        self._everything: str | None = None
        self._at_once = False
        self._no_events: str | None = None

    def add_file(self, path: str) -> None:
        """A file may have changed."""
        with self._lock:
            if self._everything is None and not _has_ancestor(path, self._prefixes):
                self._paths.add(path)
            self._arrived()

    def add_folder(self, prefix: str) -> None:
        """Anything below a folder may have changed, or the folder itself came or went."""
        with self._lock:
            if self._everything is None and not _has_ancestor(prefix, self._prefixes):
                self._prefixes.add(prefix)
            self._arrived()

    def add_everything(self, reason: str, *, at_once: bool = False) -> None:
        """Anything may have changed; `at_once` skips the wait for silence."""
        with self._lock:
            self._everything = self._everything or reason
            self._at_once = self._at_once or at_once
            self._arrived()
        self._awake.set()

    def report_no_events(self, reason: str) -> None:
        """The system cannot send events for all of the vault; the loop must poll."""
        with self._lock:
            self._no_events = self._no_events or reason
        self._awake.set()

    def take_no_events(self) -> str | None:
        """The reason given to `report_no_events` since the last call, or None."""
        with self._lock:
            reason, self._no_events = self._no_events, None
        return reason

    def due_at(self) -> float | None:
        """When what is here should be taken up, on the loop's clock; None when there is nothing."""
        with self._lock:
            return float("-inf") if self._at_once else self._debouncer.due_at()

    def take(self) -> DirtySet | None:
        """Empty the box; what arrives from now on belongs to the next cycle."""
        with self._lock:
            if self._everything is not None:
                taken = DirtySet(everything=True, reason=self._everything)
            elif self._paths or self._prefixes:
                prefixes = frozenset(p for p in self._prefixes if not _has_ancestor(p, self._prefixes))
                paths = frozenset(p for p in self._paths if not _has_ancestor(p, prefixes))
                taken = DirtySet(paths, prefixes, reason="changes on disk")
            else:
                return None
            self._paths, self._prefixes = set(), set()
            self._everything, self._at_once = None, False
            self._debouncer.reset()
            return taken

    def wake(self) -> None:
        """End the loop's current wait."""
        self._awake.set()

    def wait(self, timeout_s: float) -> None:
        """Sleep until woken, `timeout_s` at most."""
        self._awake.wait(timeout_s)
        self._awake.clear()

    def _arrived(self) -> None:
        # Later changes of a burst only move its deadline, which the loop reads when it wakes: one wake-up per burst.
        if self._debouncer.due_at() is None:
            self._awake.set()
        self._debouncer.note(self._clock())
        if self._everything is None and len(self._paths) + len(self._prefixes) > self._full_diff_paths:
            self._everything = f"more than {self._full_diff_paths} changed paths"
        if self._everything is not None:
            self._paths.clear()
            self._prefixes.clear()


class EventSorter:
    """Sorts the paths of file system events into an `Inbox`, leaving out what can never be a note.

    `root` is the resolved vault folder, as the observer was given it.
    """

    def __init__(
        self,
        root: Path,
        inbox: Inbox,
        *,
        suffixes: frozenset[str] = NOTE_SUFFIXES,
        ignore_file: str = ".obsidianindexignore",
    ) -> None:
        self.root = root
        self.inbox = inbox
        self._base = str(root)
        self._below = self._base if self._base.endswith(os.sep) else self._base + os.sep
        self._suffixes = suffixes
        self._settings = SETTINGS_FILES | {ignore_file}

    def sort(self, path: str, *, is_folder: bool) -> None:
        """Take one end of an event: an absolute path as the observer reports it."""
        if path == self._base:
            self.inbox.add_everything("the vault's folder itself changed")
            return
        if not path.startswith(self._below):
            return
        relative = path[len(self._below) :].replace(os.sep, "/")
        folder, _, name = relative.rpartition("/")
        if relative in self._settings or (name == ".gitignore" and not is_hidden(folder)):
            self.inbox.add_everything("the rules of what is a note changed")
        elif is_hidden(relative):
            if is_folder and relative == ".obsidian":
                self.inbox.add_everything("the rules of what is a note changed")
        elif is_folder:
            self.inbox.add_folder(relative)
        elif os.path.splitext(name)[1].lower() in self._suffixes:  # noqa: PTH122 - runs for every event of a burst
            self.inbox.add_file(relative)


def is_hidden(relative: str) -> bool:
    """Whether a vault-relative POSIX path is, or lies below, a name that starts with a dot."""
    return relative.startswith(".") or "/." in relative


def _has_ancestor(path: str, prefixes: set[str] | frozenset[str]) -> bool:
    """Whether a folder strictly above `path` is in `prefixes`."""
    if not prefixes:
        return False
    end = path.rfind("/")
    while end > 0:
        if path[:end] in prefixes:
            return True
        end = path.rfind("/", 0, end)
    return False
