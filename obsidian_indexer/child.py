"""How the processes that this program spawns begin, so that none outlives its parent or touches its terminal."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading

from obsidian_indexer.priority import lower_process


def begin(nice: int) -> None:
    """Settle in a spawned process, first of all: end with the parent, run at its `nice`, leave signals to it."""
    lower_process(nice)
    # Ctrl+C and Ctrl+Z reach the whole process group; the parent decides when its children stop, and may wait for them.
    for name in ("SIGINT", "SIGTSTP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def silence() -> None:
    """Lead descriptors 1 and 2 nowhere: libraries print bars and warnings, and the screen belongs to the parent."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            os.dup2(nowhere, descriptor)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
