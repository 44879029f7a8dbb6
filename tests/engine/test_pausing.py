"""A run that pauses: what it has written by then, what a kill costs, how it goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.engine import Engine
from obsidian_indexer.events import CancelToken, ChangeEvent, Event, PauseToken, Progress
from obsidian_indexer.records import IndexReport
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.lock import WriterLock
from tests.kit import ScriptedEngine, assert_same_as_fresh, open_engine, wait_until, write_vault

ROOT = Path(__file__).parents[2]
NOTES = {f"n{i}.md": f"# Note {i}\n\nUnique words {i} {i * 7}.\n" for i in range(40)}
# First headings; titles such as n7 are not embedded.
N_NAMES = len(NOTES)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return write_vault(tmp_path / "vault", NOTES)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    engine = ScriptedEngine()
    monkeypatch.setattr("obsidian_indexer.embed.fake.FakeEngine", lambda dim: engine)
    return engine


class Run:
    """An index run in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.pause, self.cancel, self.progress = PauseToken(), CancelToken(), Progress()
        self.reports: list[IndexReport] = []
        self._engine = engine
        self._thread = threading.Thread(target=self._index, daemon=True)

    def _index(self) -> None:
        report = self._engine.index(progress=self.progress, cancel=self.cancel, pause=self.pause)
        self.reports.append(report)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        # A test that failed must not leave a paused run behind, for which the engine would wait.
        self.cancel.cancel()
        if self._thread.is_alive():
            self._thread.join()

    def start(self) -> None:
        self._thread.start()

    def until_paused(self) -> None:
        wait_until(lambda: self.progress.snapshot().paused)

    def end(self) -> IndexReport:
        self._thread.join()
        (report,) = self.reports
        return report


def at_batch(
    scripted: ScriptedEngine, number: int, act: Callable[[], None]
) -> Callable[[Sequence[TokenIds], NDArray[np.float32]], NDArray[np.float32]]:
    """A fault that does no harm: it acts once that many batches have been seen."""

    def fault(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(scripted.batches) == number:
            act()
        return vectors

    return fault


def stored_vectors(data_dir: Path, table: str = "vectors") -> int:
    with Catalog.open(data_dir) as catalog:
        return int(catalog.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_what_is_done_is_written_before_the_pause_and_nothing_is_done_twice(
    vault: Path, tmp_path: Path, scripted: ScriptedEngine
) -> None:
    data_dir = tmp_path / "index"
    with open_engine(vault, data_dir, batch_size=4) as engine, Run(engine) as run:
        scripted.fault = at_batch(scripted, 3, run.pause.pause)
        run.start()
        run.until_paused()
        done = scripted.n_texts
        assert 0 < done < len(NOTES)
        assert stored_vectors(data_dir) == done
        assert run.progress.snapshot().chunks_done == done
        run.pause.resume()
        report = run.end()
    assert report.embedded == report.chunks == len(NOTES)
    assert scripted.n_texts == len(NOTES) + N_NAMES
    assert (run.progress.chunks_done, run.progress.chunks_total) == (len(NOTES), len(NOTES))
    assert_same_as_fresh(vault, data_dir, tmp_path / "fresh")


def test_a_pause_among_the_names_keeps_those_that_were_read(
    vault: Path, tmp_path: Path, scripted: ScriptedEngine
) -> None:
    data_dir = tmp_path / "index"
    with open_engine(vault, data_dir, batch_size=4) as engine, Run(engine) as run:
        scripted.fault = at_batch(scripted, len(NOTES) // 4 + 3, run.pause.pause)
        run.start()
        run.until_paused()
        done = scripted.n_texts - len(NOTES)
        assert 0 < done < N_NAMES
        assert (stored_vectors(data_dir), stored_vectors(data_dir, "name_vectors")) == (len(NOTES), done)
        run.pause.resume()
        report = run.end()
    assert report.embedded == report.chunks == len(NOTES)
    assert scripted.n_texts == len(NOTES) + N_NAMES


def test_a_pause_while_notes_are_read_keeps_those_that_were(tmp_path: Path) -> None:
    body = "Word after word fills the page of this note. " * 40
    notes = {f"d{i % 7}/n{i}.md": f"# N{i}\n\n{i} {body}\n\n## More\n\n{body} {i}\n" for i in range(900)}
    vault, data_dir = write_vault(tmp_path / "vault", notes), tmp_path / "index"
    seen: list[Event] = []
    runs: list[Run] = []

    def on_event(event: Event) -> None:
        seen.append(event)
        if len(seen) == 1:
            runs[0].pause.pause()

    with open_engine(vault, data_dir, on_event=on_event) as engine, Run(engine) as run:
        runs.append(run)
        run.start()
        run.until_paused()
        with Catalog.open(data_dir) as catalog:
            written = catalog.notes.counts()[0]
        assert written == sum(isinstance(event, ChangeEvent) for event in seen)
        assert 0 < written < len(notes)
        run.pause.resume()
        report = run.end()
    assert (report.added, report.embedded) == (len(notes), report.chunks)


def test_a_paused_run_that_is_stopped_reports_what_it_did(
    vault: Path, tmp_path: Path, scripted: ScriptedEngine
) -> None:
    with open_engine(vault, tmp_path / "index", batch_size=4) as engine, Run(engine) as run:
        scripted.fault = at_batch(scripted, 2, run.pause.pause)
        run.start()
        run.until_paused()
        run.cancel.cancel()
        report = run.end()
        assert report.cancelled
        assert report.embedded == scripted.n_texts
        assert engine.index().embedded == len(NOTES) - report.embedded


def test_changes_wait_while_the_watch_is_paused(vault: Path, tmp_path: Path) -> None:
    cancel, pause, progress = CancelToken(), PauseToken(), Progress()
    with open_engine(vault, tmp_path / "index") as engine:
        options = {"cancel": cancel, "progress": progress, "pause": pause}
        thread = threading.Thread(target=engine.watch, kwargs=options, daemon=True)
        thread.start()
        try:
            wait_until(lambda: engine.status().pending == 0)
            pause.pause()
            (vault / "later.md").write_text("# Later\n\nA heron at last.\n", "utf-8")
            wait_until(lambda: progress.snapshot().paused)
            assert not engine.search("heron", mode="keyword").hits
            pause.resume()
            wait_until(lambda: bool(engine.search("heron", mode="keyword").hits))
        finally:
            cancel.cancel()
            thread.join()


@contextmanager
def paused_child(vault: Path, data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process whose run is paused, and how many texts it has embedded."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.engine.pause_child", str(vault), str(data_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            yield child, int(child.stdout.readline())
        finally:
            child.kill()


def test_a_kill_during_the_pause_loses_nothing(vault: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "index"
    with paused_child(vault, data_dir) as (child, done):
        child.kill()
    assert done
    with open_engine(vault, data_dir) as engine:
        assert engine.index().embedded == len(NOTES) - done


@pytest.mark.skipif(not hasattr(signal, "SIGTSTP"), reason="no job control here")
def test_ctrl_z_keeps_the_lock_and_the_run_goes_on_after_it(vault: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "index"
    with paused_child(vault, data_dir) as (child, _):
        process = psutil.Process(child.pid)
        child.send_signal(signal.SIGTSTP)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
        assert f"process {child.pid}" in (WriterLock(data_dir).holder() or "")
        child.send_signal(signal.SIGCONT)
        assert child.communicate("go on\n")[0] == f"{len(NOTES) + N_NAMES}\n"
    assert child.returncode == 0
    assert WriterLock(data_dir).holder() is None
