"""Lower priority for indexing, so that other programs go first; a lowered priority is not raised again.

Linux gives each thread a priority of its own, which threads and processes started from it take over. Elsewhere it
belongs to a whole process, so there only the processes that parse and build have it beside a screen. Windows counts
otherwise and is left alone.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")


def lower_process(nice: int) -> None:
    """Let this process, and what it starts from now on, run at `nice` (0 to 19) if it is not lower already.

    On Linux: this thread and those started from it.
    """
    if nice and hasattr(os, "setpriority"):
        _lower(0, nice)


def lower_libraries(nice: int) -> None:
    """Let the threads that libraries keep for computing run at `nice`; Linux only.

    Python's own threads are left alone: they share one interpreter lock with the screen, and one that has lost its
    turn with the lock in hand would hold up the screen as well. OpenVINO computes in threads of its own only; on a CPU,
    torch does one thread's share in the thread that calls it and ONNX Runtime all, which so keeps its priority.
    """
    if not nice or sys.platform != "linux":
        return
    own = {thread.native_id for thread in threading.enumerate()}
    for task in _TASKS.iterdir():
        if int(task.name) not in own:
            _lower(int(task.name), nice)


def _lower(task: int, nice: int) -> None:
    with suppress(OSError):  # a thread that has just ended, or a system that forbids it
        if os.getpriority(os.PRIO_PROCESS, task) < nice:
            os.setpriority(os.PRIO_PROCESS, task, nice)
