"""The writer lock: looking at it does not take it away from a writer."""

from __future__ import annotations

import threading
from pathlib import Path

from obsidian_indexer.store.lock import WriterLock


def test_asking_for_the_holder_meanwhile_neither_refuses_a_writer_nor_frees_its_lock(tmp_path: Path) -> None:
    lock, other = WriterLock(tmp_path), WriterLock(tmp_path)
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            lock.holder()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            lock.acquire("index")
            assert (other.holder() or "").startswith("index (process")
            lock.release()
    finally:
        stop.set()
        asking.join()
