"""The operating system's file events through watchdog, narrowed to the few kinds that can mean a changed note."""

from __future__ import annotations

import logging
import os
import platform
from typing import Protocol

from watchdog.events import (
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver

from obsidian_indexer.watch.dirty import EventSorter

EVENT_KINDS: list[type[FileSystemEvent]] = [
    # Opening and reading are left out because our own reading raises them; a folder's "modified" because watchdog adds
    # it to every change inside the folder.
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]

# A library's warning must not reach the screen where the program set up no log.
logging.getLogger("watchdog").addHandler(logging.NullHandler())


class DiskObserver(Protocol):
    """A source of events for one folder tree."""

    def start(self) -> None:
        """Arm the watch; from its return on every change is reported. Raises OSError when the system refuses."""

    def stop(self) -> None:
        """End the watch and its threads; harmless when it never started."""

    def is_alive(self) -> bool:
        """Whether changes are still being reported."""


class Handler(FileSystemEventHandler):
    """Hands both ends of each event to the sorter, and does nothing else."""

    def __init__(self, sorter: EventSorter) -> None:
        self._sorter = sorter

    def dispatch(self, event: FileSystemEvent) -> None:
        """Called on the observer's thread for each event that the filter lets through."""
        for path in (event.src_path, event.dest_path):
            if path:
                self._sorter.sort(os.fsdecode(path), is_folder=event.is_directory)


class WatchdogObserver:
    """A `DiskObserver` on the best interface of this system."""

    def __init__(self, sorter: EventSorter) -> None:
        self._sorter = sorter
        self._observer: BaseObserver | None = None

    def start(self) -> None:
        """Arm the watch recursively. Raises OSError, ENOSPC and EMFILE among them."""
        self._observer = _new_observer(self._sorter)
        try:
            self._observer.schedule(
                Handler(self._sorter), str(self._sorter.root), recursive=True, event_filter=EVENT_KINDS
            )
            self._observer.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the watch and join its threads."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer.ident is not None:
                observer.join()

    def is_alive(self) -> bool:
        """Whether every thread between the system and the inbox still runs."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and bool(observer.emitters)
            and all(emitter.is_alive() for emitter in observer.emitters)
            and getattr(observer, "hears", True)
        )


def _new_observer(sorter: EventSorter) -> BaseObserver:
    if platform.system() == "Linux":
        from obsidian_indexer.watch.inotify import VaultInotifyObserver

        return VaultInotifyObserver(sorter)
    from watchdog.observers import Observer

    return Observer()
