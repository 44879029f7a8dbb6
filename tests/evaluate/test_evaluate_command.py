"""The command `evaluate` on the real engine with the fake model."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import config
from obsidian_indexer.cli.app import run
from obsidian_indexer.cli.session import Composition
from obsidian_indexer.engine import Engine
from tests.kit import write_vault


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.out)["results"]
        return found


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Runs `evaluate` in a folder that is in no vault; temporary folders must be gone afterwards."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def refuse(*args: object, **kwargs: object) -> Any:
        raise AssertionError("evaluate needs none of this")

    composition = Composition(
        load=config.load,
        open_engine=lambda options, on_event: Engine.open(options, on_event=on_event),
        parse_note=refuse,
        run_tui=refuse,
        keep_tuned=refuse,
        restore_tuned=refuse,
    )

    def evaluate(*args: str, common: tuple[str, ...] = ()) -> Outcome:
        code = run([*common, "evaluate", *args], composition)
        assert list(scratch.iterdir()) == []
        return Outcome(code, *capsys.readouterr())

    return evaluate


def test_a_collection_needs_no_vault(command: Callable[..., Outcome], collection: Path) -> None:
    outcome = command("--set", str(collection), "--model", "fake", "--json", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    (result,) = outcome.results
    assert result["name"] == "garden"
    assert result["model"] == "fake:64"
    assert set(result["modes"]) == {"keyword", "semantic", "hybrid"}
    assert result["modes"]["keyword"] | {"median_ms": 0} == {
        "questions": 4,
        "ndcg_at_10": 1.0,
        "mrr_at_10": 1.0,
        "hit_at_1": 1.0,
        "hit_at_5": 1.0,
        "recall_at_10": 1.0,
        "unanswered": 0,
        "median_ms": 0,
    }


def test_models_and_collections_are_compared(command: Callable[..., Outcome], collection: Path) -> None:
    folder = str(collection)
    outcome = command("--set", folder, "--set", folder, "--model", "fake:8", "--model", "fake:16", "--limit", "1")
    assert outcome.code == 0
    assert outcome.out.count("keyword") == 4
    assert "fake:8" in outcome.out
    assert "fake:16" in outcome.out
    assert "asking" in outcome.err


def test_the_model_may_stand_before_the_command(command: Callable[..., Outcome], collection: Path) -> None:
    outcome = command("--set", str(collection), "--json", common=("--model", "fake:8"))
    assert [result["model"] for result in outcome.results] == ["fake:8"]


def test_what_is_kept_is_used_again(command: Callable[..., Outcome], collection: Path, tmp_path: Path) -> None:
    args = ("--set", str(collection), "--model", "fake", "--keep", str(tmp_path / "kept"), "--json")
    assert command(*args).results[0]["embedded"] > 0
    assert command(*args).results[0]["embedded"] == 0


def test_a_vault_is_measured_and_left_alone(command: Callable[..., Outcome], tmp_path: Path) -> None:
    notes = {
        "Beans.md": "---\naliases: [기는 콩]\n---\n## Harvest\n\nPick them young.\n",
        "Diary.md": "[[Beans|poles]]\n",
    }
    vault, data = write_vault(tmp_path / "vault", notes), tmp_path / "data"
    outcome = command("--json", common=("--vault", str(vault), "--data-dir", str(data), "--model", "fake"))
    (result,) = outcome.results
    assert outcome.code == 0
    assert set(result["groups"]["kind"]) == {"link", "alias", "heading"}
    assert set(result["groups"]["script"]) == {"latin", "hangul"}
    assert not data.exists()
    assert {path.name for path in vault.rglob("*.md")} == set(notes)


def test_without_a_vault_or_a_collection_there_is_nothing_to_measure(command: Callable[..., Outcome]) -> None:
    outcome = command()
    assert outcome.code == 2
    assert "--vault" in outcome.err


def test_a_folder_that_is_no_collection_is_refused(command: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = command("--set", str(tmp_path), "--model", "fake")
    assert outcome.code == 2
    assert "corpus.jsonl" in outcome.err


def test_a_model_that_is_not_here_is_refused(command: Callable[..., Outcome], collection: Path) -> None:
    outcome = command("--set", str(collection), "--model", "/nowhere/model")
    assert outcome.code == 2
    assert "/nowhere/model" in outcome.err
