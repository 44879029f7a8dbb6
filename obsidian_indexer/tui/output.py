"""Keeps other people's output off the screen: descriptors 1 and 2 lead into a file while the screens run.

Native libraries and child processes write to the descriptors, past Python's `sys.stdout`; on a terminal that Textual
draws on, each such line destroys the picture.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

# The file starts afresh beyond this size: it holds chatter, and must not grow for ever.
LOG_LIMIT_BYTES = 5_000_000


class DivertedOutput:
    """Where descriptors 1 and 2 lead now: a nameless file first, the log once its folder is known."""

    def __init__(self, sink: int) -> None:
        self._sink = sink

    def move_to(self, path: Path) -> None:
        """Lead the output into that file from now on, with what was written so far; appends, mode 0600."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            flags |= os.O_TRUNC
        new = os.open(path, flags, 0o600)
        os.lseek(self._sink, 0, os.SEEK_SET)
        while early := os.read(self._sink, 65_536):
            os.write(new, early)
        os.dup2(new, 1)
        os.dup2(new, 2)
        # Also the number that later calls read from, so that moving twice copies nothing twice.
        os.dup2(new, self._sink)
        os.lseek(self._sink, 0, os.SEEK_END)
        os.close(new)


@contextmanager
def divert_output() -> Iterator[DivertedOutput | None]:
    """Lead descriptors 1 and 2 away while the screens run; Python's own streams keep the terminal.

    Textual draws on `sys.__stderr__` and measures through `sys.__stdout__`, so both get a copy of the terminal's
    descriptor. Yields None on Windows, where the console is not addressed by descriptor.
    """
    if sys.platform == "win32":
        yield None
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    saved = (os.dup(1), os.dup(2))
    before = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    out = _terminal(saved[0])
    err = _terminal(saved[1])
    with tempfile.TemporaryFile() as nameless:
        os.dup2(nameless.fileno(), 1)
        os.dup2(nameless.fileno(), 2)
        sys.stdout, sys.stderr = out, err
        sys.__stdout__, sys.__stderr__ = out, err  # type: ignore[misc]
        try:
            yield DivertedOutput(nameless.fileno())
        finally:
            for stream in (out, err):
                stream.flush()
            sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            out.close()
            err.close()


def _terminal(descriptor: int) -> TextIOWrapper:
    return open(descriptor, "w", encoding="utf-8", errors="replace", closefd=True)
