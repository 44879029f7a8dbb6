"""The app in a real pseudo-terminal: what reaches the screen, what reaches the log, how it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANG_GUARD_S = 60.0


class Terminal:
    """A child on a pseudo-terminal; `seen` is every byte it wrote there."""

    def __init__(self, mode: str, folder: Path, environ: dict[str, str]) -> None:
        self._controller, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.tui.run_in_terminal", mode, str(folder)],
            cwd=ROOT,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", **environ},
        )
        os.close(follower)
        self.seen = b""

    def until(self, text: str) -> None:
        """Read until the child wrote this; the limit only guards against hangs."""
        deadline = time.monotonic() + HANG_GUARD_S
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, self.seen[-3000:]
            assert self._read(), self.seen[-3000:]

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._controller, keys.encode())

    def end(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + HANG_GUARD_S
        while self._read():
            assert time.monotonic() < deadline, self.seen[-3000:]
        return self.child.wait(HANG_GUARD_S)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self._controller)

    def _read(self) -> bool:
        """Whether the child may still write."""
        ready, _, _ = select.select([self._controller], [], [], 0.1)
        if not ready:
            return self.child.poll() is None
        try:
            piece = os.read(self._controller, 65_536)
        except OSError:
            return False
        self.seen += piece
        return bool(piece)


@pytest.fixture
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """A child in the mode that the test's mark names."""
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\necho EDITOR-ON-THE-TERMINAL\necho "$@" > {tmp_path}/edited\n')
    editor.chmod(0o700)
    child = Terminal(request.param, tmp_path, {"EDITOR": str(editor), "VISUAL": ""})
    yield child
    child.close()


@pytest.mark.parametrize("terminal", ["plain"], indirect=True)
def test_foreign_output_goes_to_the_log_and_not_to_the_screen(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until("173 notes")
    terminal.send("5")
    log = tmp_path / "logs" / "terminal.log"
    deadline = time.monotonic() + HANG_GUARD_S
    while not log.exists() or "MARKER-SPAWNED" not in log.read_text():
        assert time.monotonic() < deadline
        terminal._read()
    terminal.send("\x11")
    assert terminal.end() == 0
    assert b"ended with 0" in terminal.seen
    assert b"MARKER" not in terminal.seen
    assert b"EARLY" not in terminal.seen
    text = log.read_text()
    for line in ("EARLY-ONE", "EARLY-TWO", "MARKER-ONE", "MARKER-TWO", "MARKER-CHILD", "MARKER-SPAWNED"):
        assert text.count(line) == 1
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("terminal", ["plain"], indirect=True)
def test_no_control_of_a_note_reaches_the_terminal(terminal: Terminal) -> None:
    terminal.until("173 notes")
    terminal.send("2")
    terminal.until("Type to search")
    terminal.send("hostile")
    terminal.until("Text with")
    terminal.send("\x11")
    assert terminal.end() == 0
    for harm in ("\x1b]52", "\u202e", "aGk="):
        assert harm.encode() not in terminal.seen


@pytest.mark.parametrize("terminal", ["plain"], indirect=True)
def test_the_editor_gets_the_terminal_and_gives_it_back(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until("173 notes")
    terminal.send("2")
    terminal.until("Type to search")
    terminal.send("hostile")
    terminal.until("Text with")
    terminal.send("\x05")
    terminal.until("EDITOR-ON-THE-TERMINAL")
    # The app's screen is entered a second time after the editor. Keys are its own once it is drawn: before, the
    # terminal still takes ctrl+q for itself.
    terminal.seen = terminal.seen[terminal.seen.rindex(b"EDITOR-ON-THE-TERMINAL") :]
    terminal.until("\x1b[?1049h")
    terminal.until("Text with")
    terminal.send("\x11")
    assert terminal.end() == 0
    assert (tmp_path / "edited").read_text().strip() == str(tmp_path / "demo" / "Hostile.md")


@pytest.mark.parametrize("editor", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nkill -INT $PPID\nkill -INT $$\n", None])
@pytest.mark.parametrize("terminal", ["plain"], indirect=True)
def test_an_editor_that_fails_gives_the_terminal_back(terminal: Terminal, tmp_path: Path, editor: str | None) -> None:
    if editor is None:
        (tmp_path / "editor").unlink()
    else:
        (tmp_path / "editor").write_text(editor)
    terminal.until("173 notes")
    terminal.send("2")
    terminal.until("Type to search")
    terminal.send("hostile")
    terminal.until("Text with")
    terminal.send("\x05")
    # The message is wrapped, so only its beginning is written in one piece.
    terminal.until("The editor")
    # More than one redraw reaches the screen, and a signal is heard.
    terminal.send("s")
    terminal.until("hostiles")
    terminal.child.terminate()
    assert terminal.end() == 130


@pytest.mark.parametrize("terminal", ["fatal"], indirect=True)
def test_an_index_that_cannot_be_opened_gives_exit_code_two(terminal: Terminal) -> None:
    terminal.until("There is no vault.")
    terminal.send("q")
    assert terminal.end() == 2


@pytest.mark.parametrize("terminal", ["busy"], indirect=True)
def test_quitting_in_the_middle_of_a_run_ends_cleanly(terminal: Terminal) -> None:
    terminal.until("173 notes")
    terminal.send("1")
    terminal.until("Rebuild reads every note")
    terminal.send("u")
    terminal.until("Embedding passages")
    terminal.send("\x11")
    assert terminal.end() == 0
    assert b"ended with 0" in terminal.seen


@pytest.mark.parametrize("terminal", ["busy"], indirect=True)
def test_a_signal_ends_it_in_order_and_gives_the_terminal_back(terminal: Terminal) -> None:
    terminal.until("173 notes")
    terminal.send("1")
    terminal.until("Rebuild reads every note")
    terminal.send("u")
    terminal.until("Embedding passages")
    terminal.child.terminate()
    assert terminal.end() == 130
    assert b"\x1b[?1049l" in terminal.seen


@pytest.mark.parametrize("terminal", ["stuck"], indirect=True)
def test_a_run_that_never_stops_does_not_keep_the_program(terminal: Terminal) -> None:
    terminal.until("173 notes")
    terminal.send("1")
    terminal.until("Rebuild reads every note")
    terminal.send("u")
    terminal.until("Embedding passages")
    terminal.send("\x11")
    terminal.until("Stopping after this batch")
    terminal.send("\x11")
    assert terminal.end() == 130
