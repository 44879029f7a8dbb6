"""The command `tune`: over a fake engine, and the whole program on the fake model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from obsidian_indexer.cli.text import show
from obsidian_indexer.cli.tuning import tune_text
from obsidian_indexer.errors import LockedError
from tests.cli.conftest import TUNED

ROOT = Path(__file__).resolve().parents[2]


def data_of(vault: Path) -> Path:
    return vault.parent / "data"


def test_the_best_is_kept_and_restored_byte_for_byte(program: Any, vault: Path) -> None:
    file = data_of(vault) / "settings.toml"
    file.parent.mkdir()
    file.write_bytes(b"[search]\nk = 4 # four\n")
    outcome = program("tune", "--json")
    assert outcome.code == 0
    shown = json.loads(outcome.out)
    assert (shown["kept"], shown["settings_file"], shown["backup"]) == (True, str(file), f"{file}.before-tune")
    assert shown["best"]["dtype"] == "int8"
    assert program("config", "show", "--json").out.count('"int8"') == 1
    restored = program("tune", "--restore", "--json")
    assert (restored.code, json.loads(restored.out)["settings_file"]) == (0, str(file))
    assert file.read_bytes() == b"[search]\nk = 4 # four\n"
    assert [path.name for path in file.parent.iterdir()] == ["settings.toml"]


def test_the_json_has_its_shape(program: Any) -> None:
    shown = json.loads(program("tune", "--json").out)
    assert set(shown) >= {
        "vault", "model", "sample", "seconds", "trials", "best", "kept", "settings_file", "backup",
    }  # fmt: skip
    assert shown["sample"] == {"chunks": 300, "tokens": 30_000}
    assert set(shown["trials"][0]) >= {
        "engine", "dtype", "token_budget", "chunks_per_second", "tokens_per_second", "cosine_mean", "cosine_min",
    }  # fmt: skip
    assert [trial["note"] for trial in shown["trials"]] == ["", "behind, measured once", "no [such] device"]
    assert shown["trials"][2]["tokens_per_second"] is None


def test_a_dry_run_changes_nothing(program: Any, vault: Path) -> None:
    shown = json.loads(program("tune", "--dry-run", "--json").out)
    assert (shown["kept"], shown["settings_file"], shown["backup"]) == (False, None, None)
    assert shown["best"]["engine"] == "openvino"
    assert not data_of(vault).exists()


@pytest.mark.parametrize(
    ("args", "precision"), [((), "weigh"), (("--keep-precision",), "keep"), (("--any-precision",), "any")]
)
def test_options_are_handed_on(program: Any, args: tuple[str, ...], precision: str) -> None:
    program("tune", "--seconds", "7.5", *args)
    assert program.asked()[0] == ("tune", {"seconds": 7.5, "precision": precision})


def test_the_table_has_bars_reasons_and_the_way_back(program: Any) -> None:
    outcome = program("tune")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    fast, slow = (next(line for line in lines if word in line) for word in ("int8", "float32"))
    assert fast.count("█") > 4 * slow.count("█") > 0
    assert "best" in fast
    for piece in ("no [such] device", "300 passages", "The fastest.", "'tune --restore' undoes it"):
        assert piece in outcome.out
    assert "loading [torch]" in outcome.err


def test_making_an_engine_is_reported_apart(capsys: pytest.CaptureFixture[str]) -> None:
    show(*tune_text(replace(TUNED, build_seconds=17.0), None))
    assert "after 17 s of making an engine" in capsys.readouterr().out


def test_without_a_best_it_ends_with_1(program: Any, vault: Path) -> None:
    def prepare(engine: Any) -> None:
        engine.tuned = replace(TUNED, best=None, settings={}, reason="Nothing could be measured.")

    program.prepare = prepare
    outcome = program("tune")
    assert outcome.code == 1
    assert "Nothing could be measured." in outcome.out
    assert not data_of(vault).exists()


def test_an_interrupted_run_ends_with_130_and_keeps_nothing(program: Any, vault: Path) -> None:
    def prepare(engine: Any) -> None:
        engine.on_tune = lambda cancel: cancel.cancel()
        engine.tuned = replace(TUNED, best=None, settings={}, cancelled=True)

    program.prepare = prepare
    outcome = program("tune")
    assert outcome.code == 130
    assert "as they were" in outcome.err
    assert not data_of(vault).exists()


@pytest.mark.parametrize("args", [("--seconds", "0"), ("--seconds", "soon"), ("--restore",)])
def test_wrong_use_ends_with_2(program: Any, args: tuple[str, ...]) -> None:
    outcome = program("tune", *args)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err


def test_a_locked_index_ends_with_2(program: Any) -> None:
    def prepare(engine: Any) -> None:
        engine.error = LockedError("Another process is writing this index.")

    program.prepare = prepare
    outcome = program("tune")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Another process" in outcome.err


def test_a_batch_size_on_the_command_line_goes_before_the_tuned_budget(program: Any) -> None:
    program("tune", "--quiet")
    program("index", "--quiet")
    assert program.engine.options.embedding.token_budget == 1024
    program("index", "--quiet", "--batch-size", "7")
    embedding = program.engine.options.embedding
    assert (embedding.batch_size, embedding.token_budget) == (7, 0)


class Whole:
    """The whole program in child processes, on a vault of its own."""

    def __init__(self, folder: Path) -> None:
        self.vault, self.data = folder / "vault", folder / "data"
        (self.vault / ".obsidian").mkdir(parents=True)
        for n in range(30):
            (self.vault / f"Note {n}.md").write_text(f"# Note {n}\n\n" + f"Word {n} and more. " * 40, "utf-8")

    def run(self, *args: str, model: str = "fake:8") -> subprocess.CompletedProcess[str]:
        options = ["--vault", str(self.vault), "--data-dir", str(self.data), "--model", model]
        command = [sys.executable, str(ROOT / "main.py"), *options, *args]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=dict(os.environ))

    def json(self, *args: str) -> Any:
        done = self.run(*args, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.mark.parametrize("indexed", [False, True])
def test_the_whole_program_tunes_a_vault_and_restores(tmp_path: Path, indexed: bool) -> None:
    whole = Whole(tmp_path)
    if indexed:
        whole.json("index")
    shown = whole.json("tune", "--seconds", "20")
    assert shown["sample"]["chunks"] >= 30
    assert shown["best"]["engine"] == "fake"
    assert shown["seconds"] <= 21
    assert shown["index_dtype"] == ("float32" if indexed else None)
    settings = whole.json("config", "show")["embedding"]["token_budget"]
    assert settings["value"] == shown["best"]["token_budget"]
    assert "settings.toml" in settings["source"]
    assert whole.json("index")["failures"] == []
    assert not [path for path in whole.vault.rglob("*") if "settings" in path.name]
    whole.json("tune", "--restore")
    assert not list(whole.data.glob("settings.toml*"))
    assert whole.run("tune", "--restore").returncode == 2


def test_a_vault_without_text_ends_with_2(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    for path in whole.vault.glob("*.md"):
        path.unlink()
    done = whole.run("tune")
    assert done.returncode == 2
    assert "no text" in done.stderr
