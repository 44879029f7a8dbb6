"""Tuning through the engine, on the fake model: what it reads, what it leaves alone, when it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.errors import LockedError, VaultError
from obsidian_indexer.events import CancelToken
from obsidian_indexer.store.lock import WriterLock
from obsidian_indexer.tuning import TuneStep
from tests.kit import indexed_content, open_engine, write_vault

NOTES = {f"Note {n}.md": f"# Note {n}\n\n" + f"Beans {n} climb poles and want sun. " * 30 for n in range(40)}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return write_vault(tmp_path / "vault", NOTES)


def test_it_measures_the_vaults_own_passages_and_changes_nothing(vault: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_engine(vault, data) as engine:
        chunks = engine.index().chunks
        before = indexed_content(data), engine.status()
        report = engine.tune()
        assert report.chunks == chunks
        after = engine.status()
        assert (indexed_content(data), replace(after, tuned=None)) == before
    assert report.best is not None
    assert after.tuned is not None
    assert after.tuned.summary.startswith(f"{report.best.engine} in {report.best.dtype}, batches of")
    assert report.index_dtype == "float32"
    assert report.settings == {"token_budget": report.best.token_budget}
    assert not list(data.glob("settings.toml*"))


def test_a_vault_that_was_never_indexed_is_sampled_from_its_notes(vault: Path, tmp_path: Path) -> None:
    with open_engine(vault, tmp_path / "data") as engine:
        report = engine.tune()
        assert engine.status().notes == 0
    assert report.chunks >= len(NOTES)
    assert report.index_dtype is None
    assert report.best is not None


def test_it_tells_what_it_does(vault: Path, tmp_path: Path) -> None:
    steps: list[TuneStep] = []
    with open_engine(vault, tmp_path / "data") as engine:
        engine.tune(seconds=50.0, on_step=steps.append)
    assert "sample" in steps[0].doing
    assert {step.limit_s for step in steps} == {50.0}
    assert steps[-1].trials


def test_a_cancelled_run_concludes_nothing(vault: Path, tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with open_engine(vault, tmp_path / "data") as engine:
        report = engine.tune(cancel=cancel)
    assert (report.cancelled, report.best, report.settings) == (True, None, {})


def test_it_does_not_run_beside_another_writer(vault: Path, tmp_path: Path) -> None:
    with open_engine(vault, tmp_path / "data") as engine:
        other = WriterLock(tmp_path / "data")
        other.acquire("index")
        with pytest.raises(LockedError):
            engine.tune()
        other.release()
        assert engine.tune().best is not None


def test_a_vault_without_text_is_refused(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", {})
    with open_engine(vault, tmp_path / "data") as engine, pytest.raises(VaultError, match="no text"):
        engine.tune()
