"""The vector store's own process: it ends with whoever started it, and its failures are errors like others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from obsidian_indexer.options import StoreOptions
from obsidian_indexer.store.process import StoreError, StoreProcess
from tests.kit import HANG_GUARD_S, wait_until

pytestmark = pytest.mark.store_process

ROOT = Path(__file__).parents[2]
PARENT = """
import sys, time
from pathlib import Path
from obsidian_indexer.options import StoreOptions
from obsidian_indexer.store.process import StoreProcess
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    store = StoreProcess(folder / "chroma.lock")
    store.open(folder / "chroma", "v-test", StoreOptions())
    print(store._process.pid, flush=True)
    time.sleep(600)
"""


def rows(n: int) -> tuple[list[bytes], NDArray[np.float32]]:
    vectors = np.random.default_rng(n).standard_normal((n, 8)).astype(np.float32)
    return [bytes([i]) * 32 for i in range(n)], vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    process = StoreProcess(tmp_path / "chroma.lock")
    process.open(tmp_path / "chroma", "v-test", StoreOptions())
    yield process
    process.close()


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_what_was_put_is_found_also_after_the_process_has_ended_and_begun_again(
    store: StoreProcess, tmp_path: Path
) -> None:
    keys, vectors = rows(20)
    store.put(keys, vectors)
    store.delete(keys[10:])
    store.close()
    assert not children()
    with pytest.raises(StoreError):
        store.count()
    store.open(tmp_path / "chroma", "v-test", StoreOptions())
    assert store.count() == 10
    assert store.answers(keys[:10], vectors[:10])
    found = store.query(vectors[3], 1)
    assert found is not None
    assert bytes.fromhex(found[0][0]) == keys[3][:16]


def test_a_crash_of_the_library_is_an_error_and_the_next_open_starts_anew(store: StoreProcess, tmp_path: Path) -> None:
    keys, vectors = rows(5)
    store.put(keys, vectors)
    (child,) = children()
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(StoreError, match="ended"):
        store.put(keys, vectors)
    assert not store.alive
    store.open(tmp_path / "chroma", "v-test", StoreOptions())
    assert store.count() == 5


def test_an_error_of_the_library_leaves_the_process_at_work(store: StoreProcess) -> None:
    keys, vectors = rows(5)
    store.put(keys, vectors)
    with pytest.raises(StoreError):
        store.put(keys, vectors[:, :3])
    assert store.count() == 5


def test_it_ends_with_a_parent_that_was_killed_and_the_folder_is_free(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT, "utf-8")
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(HANG_GUARD_S)
    parent.stdout.close()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    store = StoreProcess(tmp_path / "chroma.lock")
    store.open(tmp_path / "chroma", "v-test", StoreOptions())
    assert store.count() == 0
    store.close()
