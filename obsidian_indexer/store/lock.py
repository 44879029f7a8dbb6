"""One writer for an index folder, known by name to everyone else.

The lock belongs to the process and goes with it, also when it is killed. Beside it lies a note of who holds it.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from obsidian_indexer.errors import LockedError

if TYPE_CHECKING:
    from filelock import BaseFileLock


# Whoever asks for the holder takes a free lock for a moment; a writer must not find it taken for that.
_PASSING_S = 0.25


class WriterLock:
    """The right to write an index folder; any thread may call."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "writer.lock"
        self._holder = data_dir / "writer.json"
        self._lock: BaseFileLock | None = None
        self._turn = threading.RLock()

    def acquire(self, purpose: str) -> None:
        """Take the lock; a second call by the same holder changes nothing. Raises LockedError when another has it."""
        with self._turn:
            if self._is_ours():
                return
            if not self._take(_PASSING_S):
                raise LockedError(
                    f"This index is being written by {self.holder() or 'another process'}. Searching works meanwhile; "
                    "wait for it to end, or close it."
                )
            self._holder.touch(mode=0o600)
            self._holder.write_text(json.dumps({"pid": os.getpid(), "purpose": purpose}), "utf-8")

    def release(self) -> None:
        """Give the lock back."""
        with self._turn:
            if self._lock is not None and self._is_ours():
                self._holder.unlink(missing_ok=True)
                self._lock.release()

    def holder(self) -> str | None:
        """Who holds the lock, as `purpose (process N)`, or None when it is free."""
        with self._turn:
            if not self._is_ours() and self._take(0):
                assert self._lock is not None
                self._lock.release()
                return None
        try:
            told = json.loads(self._holder.read_text("utf-8"))
            return f"{told['purpose']} (process {told['pid']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    def _is_ours(self) -> bool:
        return self._lock is not None and self._lock.is_locked

    def _take(self, timeout_s: float) -> bool:
        # The library takes as long to import as a search by keyword, which has no use for it.
        from filelock import FileLock, Timeout

        if self._lock is None:
            self._lock = FileLock(self._path, mode=0o600, thread_local=False)
        try:
            self._lock.acquire(timeout=timeout_s, poll_interval=_PASSING_S / 10)
        except Timeout:
            return False
        return True
