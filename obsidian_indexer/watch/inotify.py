"""Linux: watchdog's inotify reader, made to say what it otherwise keeps to itself.

On a queue overflow watchdog rebuilds its watches but reports nothing; at the limit of watches it leaves folders out
silently; and an error in its reading thread leaves the observer deaf. Each of these reaches the inbox here.
"""

from __future__ import annotations

import errno
import os
import re
import warnings

from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyEmitter
from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchCallback, WatchDescriptor

from obsidian_indexer.watch.dirty import EventSorter, is_hidden

LIMITS = {
    errno.ENOSPC: "the system's limit of watched folders is reached (fs.inotify.max_user_watches)",
    errno.EMFILE: "the system's limit of watching programs is reached (fs.inotify.max_user_instances)",
}


class ReportingInotify(InotifyFD):
    """One inotify descriptor whose failures are reported, and which spends no watch on hidden folders."""

    def __init__(self, sorter: EventSorter) -> None:
        super().__init__()
        self._inbox = sorter.inbox
        self._root = os.fsencode(sorter.root)
        self.broken = False
        # A folder that leaves the vault and comes back still has its watch; watchdog warns and does the right thing.
        warnings.filterwarnings(
            "ignore", message="Callback with id", category=RuntimeWarning, module=re.escape(__name__)
        )

    def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        """Watch one folder. Raises OSError, which the caller takes as "leave it out" save for the root."""
        relative = os.fsdecode(os.path.relpath(path, self._root))
        if relative not in (".", ".obsidian") and is_hidden(relative):
            raise FileNotFoundError(errno.ENOENT, "hidden folders are not watched", path)
        # Without this watchdog files every unreadable folder under descriptor -1.
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            if error.errno in LIMITS:
                self._inbox.report_no_events(LIMITS[error.errno])
            raise

    def handle_event(self, event: InotifyEvent) -> None:
        """Pass one event on; called on the reading thread."""
        try:
            super().handle_event(event)
        except Exception:  # noqa: BLE001 - any error here would end the reading thread and leave the watch deaf
            self.broken = True
            self._inbox.add_everything("the watch lost track of a folder")
        if event.is_queue_overflow:
            self._inbox.add_everything("more changes at once than the system reports")


class VaultInotifyObserver(BaseObserver):
    """watchdog's inotify observer on a `ReportingInotify`."""

    def __init__(self, sorter: EventSorter) -> None:
        try:
            self._reader = ReportingInotify(sorter)
        except OSError as error:
            raise OSError(error.errno, LIMITS.get(error.errno or 0, str(error))) from error
        self._reader.start()
        super().__init__(InotifyEmitter, inotify_fd=self._reader)

    @property
    def hears(self) -> bool:
        """Whether the reading thread runs and follows every folder."""
        return self._reader.is_alive() and not self._reader.broken

    def on_thread_stop(self) -> None:
        """End the emitters, then the reading thread."""
        super().on_thread_stop()
        self._reader.stop()
        self._reader.join()
