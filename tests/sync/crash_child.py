"""An index run that kills itself before or after its n-th commit or store write; prints how many there were."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.chroma import ChromaStore
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
    transaction, put = Catalog.transaction, ChromaStore.put

    @contextmanager
    def stepped(self: Catalog) -> Iterator[None]:
        with transaction(self):
            yield
            step(stop_at)
        step(stop_at)

    def put_stepped(self: ChromaStore, *args: object) -> None:
        step(stop_at)
        put(self, *args)  # type: ignore[arg-type]
        step(stop_at)

    Catalog.transaction = stepped  # type: ignore[method-assign]
    ChromaStore.put = put_stepped  # type: ignore[method-assign]
    write.COMMIT_NOTES = 3
    with open_engine(Path(vault), Path(data_dir), batch_size=4) as engine:
        report = engine.index()
    print(f"STEPS {steps} EMBEDDED {report.embedded}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
