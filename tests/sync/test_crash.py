"""Killed at any step, the next run converges: nothing stored is embedded twice, nothing acknowledged is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from obsidian_indexer.store.catalog import Catalog
from tests.kit import ScriptedEngine, assert_same_as_fresh, indexed_content, open_engine, write_vault

CHILD = Path(__file__).with_name("crash_child.py")
ROOT = Path(__file__).parents[2]


def run_child(vault: Path, data_dir: Path, stop_at: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(vault), str(data_dir), str(stop_at)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HF_HUB_OFFLINE": "1"},
    )


def embedded_keys(data_dir: Path) -> tuple[int, int]:
    """Passages and names that have a vector."""
    with Catalog.open(data_dir) as catalog:
        models = [model.id for model in catalog.vectors.models()]
        return sum(map(catalog.vectors.count, models)), sum(map(catalog.name_vectors.count, models))


# The first headings of twelve notes; titles such as n7 are not embedded.
NAMES = 12


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    notes = {f"n{i}.md": f"# Note {i}\n\nUnique words {i} {i * 31}.\n\n## Two\n\nMore {i} text.\n" for i in range(12)}
    return write_vault(tmp_path_factory.mktemp("crash") / "vault", notes)


@pytest.fixture(scope="module")
def steps(vault: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    done = run_child(vault, tmp_path_factory.mktemp("whole"), 0)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[1])


@pytest.mark.timeout(600)
def test_a_run_killed_at_any_step_converges(
    vault: Path, steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = ScriptedEngine()
    monkeypatch.setattr("obsidian_indexer.embed.fake.FakeEngine", lambda dim: read)
    assert steps > 12
    for stop_at in range(1, steps + 1):
        data_dir = tmp_path / f"at-{stop_at}"
        killed = run_child(vault, data_dir, stop_at)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        kept, kept_names = embedded_keys(data_dir)
        with open_engine(vault, data_dir) as engine:
            read.batches.clear()
            report = engine.index()
            assert not report.failures
            assert report.embedded == report.chunks - kept, f"killed at step {stop_at}"
            assert read.n_texts == report.chunks + NAMES - kept - kept_names, f"killed at step {stop_at}"
            assert engine.status().store_vectors == report.chunks
            assert engine.search("unique", mode="keyword").hits
        assert len(indexed_content(data_dir)) == report.chunks + NAMES
    assert_same_as_fresh(vault, data_dir, tmp_path / "fresh")


@pytest.mark.timeout(300)
def test_a_killed_writer_leaves_no_lock_behind(vault: Path, tmp_path: Path) -> None:
    assert run_child(vault, tmp_path / "index", 2).returncode == -signal.SIGKILL
    with open_engine(vault, tmp_path / "index") as engine:
        assert engine.status().writer is None
        assert engine.index().added > 0
