"""Writing on stdout and stderr, and what becomes of a command whose output nobody takes: a closed pipe, a full disk."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from obsidian_indexer.sanitize import clean_block


class OutputError(Exception):
    """Stdout takes nothing more. Not an OSError: click would end the program on some of those in its own way."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.strerror or str(cause))
        self.reader_left = cause.errno == errno.EPIPE


@contextmanager
def writing() -> Iterator[None]:
    """Around whatever prints on stdout. Raises OutputError instead of OSError."""
    try:
        yield
    except OSError as error:
        _abandon(sys.stdout)
        raise OutputError(error) from error


def emit(text: str) -> None:
    """A line on stdout, handed on at once. Raises OutputError."""
    with writing():
        print(text, flush=True)


def flush_output() -> None:
    """Hand on what is still held back. Raises OutputError."""
    with writing():
        if sys.stdout is not None:
            sys.stdout.flush()


def complain(text: str) -> None:
    """A line on stderr that --quiet does not silence; where nobody takes it, the work goes on all the same."""
    try:
        print(clean_block(text), file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)


def _abandon(stream: TextIO) -> None:
    """Lead a stream into nothing: Python flushes it once more at exit, and would fail again."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
