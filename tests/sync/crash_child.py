"""An index run that kills itself at its n-th step and prints how many there were.

A step is before and after each commit, before each write to the store, while the store's process is at it, and after.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.process import StoreProcess
from obsidian_indexer.sync import write
from tests.kit import open_engine

steps = 0


def step(stop_at: int) -> None:
    """Count a step; at the chosen one, die as by `kill -9`."""
    global steps
    steps += 1
    if steps == stop_at:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def main(vault: str, data_dir: str, stop_at: int) -> None:
    """Index with small batches, so that there are many steps to die at."""
    transaction, put, poll = Catalog.transaction, StoreProcess.put, Connection.poll
    putting = False

    @contextmanager
    def stepped(self: Catalog) -> Iterator[None]:
        with transaction(self):
            yield
            step(stop_at)
        step(stop_at)

    def put_stepped(self: StoreProcess, *args: object) -> None:
        nonlocal putting
        step(stop_at)
        putting = True
        put(self, *args)  # type: ignore[arg-type]
        putting = False
        step(stop_at)

    def poll_stepped(self: Connection, *args: float) -> bool:
        if putting:
            step(stop_at)  # the rows are on their way; the process that writes them is left alone
        return poll(self, *args)

    Catalog.transaction = stepped  # type: ignore[method-assign]
    StoreProcess.put = put_stepped  # type: ignore[method-assign]
    Connection.poll = poll_stepped  # type: ignore[method-assign]
    write.COMMIT_NOTES = 3
    with open_engine(Path(vault), Path(data_dir), batch_size=4) as engine:
        report = engine.index()
    print(f"STEPS {steps} EMBEDDED {report.embedded}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
