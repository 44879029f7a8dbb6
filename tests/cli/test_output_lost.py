"""A command whose output nobody takes, or that is stopped before it began: in child processes, with real pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FULL_DISK = Path("/dev/full")


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    (folder / ".obsidian").mkdir(parents=True)
    for number in range(3):
        (folder / f"n{number}.md").write_text(f"# Note {number}\n\ntext\n", "utf-8")
    return folder


def command(vault: Path, *args: str) -> list[str]:
    options = ["--vault", str(vault), "--data-dir", str(vault.parent / "data"), "--model", "fake:8"]
    return [sys.executable, str(ROOT / "main.py"), *options, *args]


COMMANDS = [
    ("config", "show"),
    ("status", "--json"),
    ("parse", "n0.md"),
    ("parse", "n0.md", "--json"),
    ("uri", "n0"),
    ("index",),
    ("--help",),
]


@pytest.mark.parametrize("args", COMMANDS)
def test_a_reader_that_left_ends_the_program_quietly(vault: Path, args: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            command(vault, *args), stdout=nobody, stderr=subprocess.PIPE, text=True, check=False, timeout=100
        )
    assert done.returncode == 141
    progress = ("scan:", "parse:", "model:", "embed:", "store:")
    assert [line for line in done.stderr.splitlines() if not line.startswith(progress)] == []


@pytest.mark.skipif(not FULL_DISK.exists(), reason="this system has no full device")
@pytest.mark.parametrize("args", COMMANDS)
def test_a_full_disk_is_said_in_a_line(vault: Path, args: tuple[str, ...]) -> None:
    with FULL_DISK.open("wb") as full:
        done = subprocess.run(
            command(vault, *args), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=100
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: The output cannot be written (No space left on device)."
    assert "Traceback" not in done.stderr


def test_watch_ends_with_its_reader(vault: Path) -> None:
    with subprocess.Popen(command(vault, "watch"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        (vault / "new.md").write_text("# New\n", "utf-8")
        said = child.stderr.read()
    assert child.returncode == 141
    assert "Traceback" not in said


INTERRUPTED_IMPORT = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.path.insert(0, sys.argv[1])
import main
sys.exit(main.main(["config", "show"]))
"""


def test_an_interrupt_during_the_imports_has_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, str(ROOT)], capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "Interrupted.\n")


def test_the_root_module_imports_next_to_nothing() -> None:
    # Until `main` runs, Ctrl+C is answered with a traceback; what is imported before it should be quick.
    code = "import sys; before = set(sys.modules); import main; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100, cwd=ROOT
    )
    assert set(done.stdout.split()) <= {"main", "__future__"}
