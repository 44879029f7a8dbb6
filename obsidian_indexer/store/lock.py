"""One writer for an index folder, known by name to everyone else.

The lock belongs to the process and goes with it, also when it is killed. Beside it lies a note of who holds it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from filelock import FileLock, Timeout

from obsidian_indexer.errors import LockedError


class WriterLock:
    """The right to write an index folder."""

    def __init__(self, data_dir: Path) -> None:
        self._lock = FileLock(data_dir / "writer.lock", mode=0o600, thread_local=False)
        self._holder = data_dir / "writer.json"

    def acquire(self, purpose: str) -> None:
        """Take the lock; a second call by the same holder changes nothing. Raises LockedError when another has it."""
        if self._lock.is_locked:
            return
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise LockedError(
                f"This index is being written by {self.holder() or 'another process'}. Searching works meanwhile; wait "
                "for it to end, or close it."
            ) from None
        self._holder.touch(mode=0o600)
        self._holder.write_text(json.dumps({"pid": os.getpid(), "purpose": purpose}), "utf-8")

    def release(self) -> None:
        """Give the lock back."""
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def holder(self) -> str | None:
        """Who holds the lock, as `purpose (process N)`, or None when it is free."""
        if not self._lock.is_locked:
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                pass
            else:
                self._lock.release()
                return None
        try:
            told = json.loads(self._holder.read_text("utf-8"))
            return f"{told['purpose']} (process {told['pid']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"
