"""The whole program in child processes, as a script would run it: real engine, fake model, exit codes and JSON."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Imported by every child before the program: connecting to another machine ends it.
NO_NETWORK = """
import socket
def denied(*args, **kwargs):
    raise SystemExit(99)
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = denied
"""


class Place:
    """A vault with an index folder, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.vault, self.data = folder / "vault", folder / "data"
        (self.vault / ".obsidian").mkdir(parents=True)
        (self.vault / "Garden").mkdir()
        self.write("Garden/Tomatoes.md", "---\ntags: [food]\n---\n# Tomatoes\n\nThey want sun. See [[Beans]].\n")
        self.write("Garden/Beans.md", "# Beans\n\nBeans climb poles.\n\n## Harvest\n\nPick them young.\n")
        self.write("한국어.md", "# 텃밭\n\n상추는 봄에 심는다.\n")
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(NO_NETWORK)
        self.env = {**os.environ, "PYTHONPATH": str(folder / "site")}

    def write(self, path: str, text: str) -> None:
        (self.vault / path).write_text(text, "utf-8")

    def command(self, *args: str) -> list[str]:
        options = ["--vault", str(self.vault), "--data-dir", str(self.data), "--model", "fake:8"]
        return [sys.executable, str(ROOT / "main.py"), *options, *args]

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        # 022 is the usual umask: the program must keep its files private by itself.
        return subprocess.run(
            self.command(*args), capture_output=True, text=True, check=False, timeout=100, env=self.env, umask=0o022
        )

    def json(self, *args: str) -> Any:
        done = self.run(*args, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def listing(self) -> dict[str, tuple[int, int, bytes]]:
        return {
            str(path.relative_to(self.vault)): (
                path.stat().st_mtime_ns,
                path.stat().st_mode,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in sorted(self.vault.rglob("*"))
        }


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_day_with_the_command_line(place: Place) -> None:
    before = place.listing()
    first = place.json("index")
    assert (first["seen"], first["added"], first["failures"]) == (3, 3, [])
    assert first["embedded"] == first["chunks"] > 0
    assert place.json("index")["embedded"] == 0
    full = place.json("index", "--full")
    assert (full["embedded"], full["chunks"]) == (0, first["chunks"])
    assert place.json("search", "beans poles", "--mode", "keyword")["hits"][0]["path"] == "Garden/Beans.md"
    assert place.json("search", "상추", "--mode", "keyword")["hits"][0]["path"] == "한국어.md"
    found = place.json("search", "tag:food")["hits"]
    assert [hit["path"] for hit in found] == ["Garden/Tomatoes.md"]
    assert place.json("similar", "Garden/Beans")["hits"][0]["path"] != "Garden/Beans.md"
    status = place.json("status", "--notes")
    assert (status["notes"], status["pending"], status["failed"]) == (3, 0, 0)
    assert [model["name"] for model in status["models"] if model["active"]] == ["fake:8"]
    assert {entry["state"] for entry in status["entries"]} == {"indexed"}
    parsed = place.json("parse", "Garden/Tomatoes.md")
    assert (parsed["title"], parsed["tags"], parsed["links"][0]["resolved"]) == (
        "Tomatoes",
        ["food"],
        "Garden/Beans.md",
    )
    assert place.run("uri", "Garden/Beans").stdout.startswith("obsidian://")
    assert place.listing() == before


def test_the_index_is_for_its_owner_alone(place: Place) -> None:
    place.json("index")
    found = [place.data, *place.data.rglob("*")]
    assert len(found) > 3
    assert [str(path) for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_renaming_a_folder_embeds_nothing(place: Place) -> None:
    place.json("index")
    (place.vault / "Garden").rename(place.vault / "Allotment")
    moved = place.json("index")
    assert (moved["embedded"], moved["renamed"], moved["added"], moved["removed"]) == (0, 2, 0, 0)
    assert place.json("search", "beans", "--mode", "keyword")["hits"][0]["path"] == "Allotment/Beans.md"


def test_an_unreadable_note_is_listed_and_the_rest_is_indexed(place: Place) -> None:
    (place.vault / "broken.md").write_bytes(b"\x00\x01\x02\xff" * 400)
    (place.vault / "empty.md").touch()
    place.write("front.md", "---\na: [\nb: @x\n---\nbody text\n")
    done = place.run("index", "--json")
    assert done.returncode in (0, 1), done.stderr
    states = {entry["path"]: entry["state"] for entry in place.json("status", "--notes")["entries"]}
    assert states["broken.md"] in ("failed", "ignored")
    assert states["empty.md"] == "empty"
    assert place.json("search", "body text", "--mode", "keyword")["hits"][0]["path"] == "front.md"


def test_a_model_that_is_not_here_ends_with_2(place: Place) -> None:
    done = place.run("index", "--model", "nobody/nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nobody/nothing" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_index_folder_that_cannot_be_written_ends_with_2(place: Place) -> None:
    place.data.mkdir(mode=0o500)
    done = place.run("index")
    assert (done.returncode, done.stdout) == (2, "")
    assert str(place.data) in done.stderr


def test_an_index_folder_under_a_file_ends_with_2(place: Place) -> None:
    place.data.write_text("not a folder")
    done = place.run("index")
    assert (done.returncode, done.stdout) == (2, "")
    assert str(place.data) in done.stderr


def test_watch_follows_edits_until_interrupted(place: Place) -> None:
    child = subprocess.Popen(place.command("watch", "--json"), stdout=subprocess.PIPE, text=True, env=place.env)
    with child:
        assert child.stdout is not None

        def until(**expected: object) -> dict[str, Any]:
            assert child.stdout is not None
            for line in child.stdout:
                event: dict[str, Any] = json.loads(line)
                if expected.items() <= event.items():
                    return event
            raise AssertionError(f"watch ended before {expected}")

        until(event="state", state="live")
        place.write("new.md", "# New\n\nFreshly written.\n")
        until(event="change", kind="added", path="new.md")
        assert until(event="synced")["embedded"] == 1
        shutil.move(place.vault / "Garden", place.vault / "Allotment")
        until(event="change", kind="renamed", path="Allotment/Beans.md")
        child.send_signal(signal.SIGINT)
        child.stdout.read()  # to its end: a closed pipe would stop the program in another way
    assert child.returncode == 130
    found = place.json("search", "freshly", "--mode", "keyword")["hits"]
    assert [hit["path"] for hit in found] == ["new.md"]
