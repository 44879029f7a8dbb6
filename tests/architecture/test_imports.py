"""What each part may know of the others, and what stays unloaded until it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "obsidian_indexer"
HEAVY = ("torch", "openvino", "textual", "chromadb", "sentence_transformers", "transformers", "sklearn", "onnxruntime")


def imported(source: Path) -> set[str]:
    """The first parts of every name a file imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_nothing_in_the_package_imports_the_composition_root() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 20
    assert [str(file) for file in files if imported(file) & {"config", "main"}] == []


# What only indexing and watching need: together they would take as long as a search by keyword.
FOR_WRITING = ("filelock", "watchdog", "markdown_it", "yaml", "pathspec")


def loaded_by(args: list[str], modules: tuple[str, ...] = HEAVY) -> list[str]:
    """Those of some modules that are in memory after one command line has run in a fresh process."""
    script = (
        "import json, sys, main\n"
        f"code = main.main({args!r})\n"
        "assert code in (0, None), code\n"
        f"print('\\n' + json.dumps([name for name in {modules!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def indexed(tmp_path: Path) -> list[str]:
    """The common options of a small vault that has been indexed with the fake model."""
    vault = tmp_path / "vault"
    (vault / ".obsidian").mkdir(parents=True)
    (vault / "Garden.md").write_text("# Garden\n\nTomatoes want sun and water.\n", "utf-8")
    options = ["--vault", str(vault), "--data-dir", str(tmp_path / "data"), "--model", "fake"]
    subprocess.run([sys.executable, "main.py", *options, "index", "--quiet"], cwd=ROOT, check=True, timeout=100)
    return options


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by(["--help"]) == []


def test_settings_load_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by(["--vault", str(tmp_path), "config", "show"]) == []


def test_status_loads_nothing_heavy(indexed: list[str]) -> None:
    assert loaded_by([*indexed, "status"]) == []


def test_keyword_search_loads_nothing_heavy(indexed: list[str]) -> None:
    assert loaded_by([*indexed, "search", "--mode", "keyword", "tomatoes"], (*HEAVY, *FOR_WRITING)) == []


def test_keyword_search_that_names_no_model_checks_no_setting_and_loads_no_engine(indexed: list[str]) -> None:
    unneeded = ("pydantic", "obsidian_indexer.embed.engines", "obsidian_indexer.embed.batch")
    assert loaded_by([*indexed[:4], "search", "--mode", "keyword", "tomatoes"], unneeded) == []


def test_the_menu_module_alone_loads_textual_and_no_model() -> None:
    script = f"import sys, obsidian_indexer.tui.app\nprint([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['textual']"
