"""How soon the screens are drawn, how long they stand still while a full index runs behind them, and what they cost it.

    python benchmarks/ui_stall.py VAULT [--model default] [--starts 5]

All is read off a pseudo-terminal. `first_frame_s` is from the start of `main.py` to the menu, once Python has compiled
the program. `index_s` is a full index, as a process of the command line and in the app, from the key that starts it to
its end. For the gaps, the app draws its Index screen 50 times a second, with a counter in its top line so that each
time a frame is due; a gap is the time between two frames. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import COMPILED, ROOT, Outcome, machine

if TYPE_CHECKING:
    from textual.screen import Screen

_ROWS, _COLUMNS = 30, 100
_REFRESH_HZ = 50.0
_TIMEOUT_S = 600.0
# The pieces of one frame come closer together than two frames can.
_ONE_FRAME_S = 0.002
_PLAIN, _COUNTED = "--inside", "--inside-counted"
_MENU, _READY, _ENDED, _FAILED = b"Search", b"Rebuild reads every note", b"RUN-ENDED", b"RUN-FAILED"


class Terminal:
    """A child on a pseudo-terminal; every read is kept with its time."""

    def __init__(self, args: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        self._controller, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self.started = time.perf_counter()
        self._child = subprocess.Popen(
            [sys.executable, *args],
            cwd=ROOT,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            env={**os.environ, **COMPILED, "TERM": "xterm-256color", **(environ or {})},
        )
        os.close(follower)
        self.written: list[tuple[float, int]] = []
        self._seen = b""

    def until(self, text: bytes) -> float:
        """Read until the child has written this; returns when."""
        while text not in self._seen:
            ready, _, _ = select.select([self._controller], [], [], _TIMEOUT_S)
            if not ready:
                raise SystemExit(f"the terminal never showed {text.decode()!r}")
            piece = os.read(self._controller, 1 << 20)
            self.written.append((time.perf_counter(), len(piece)))
            self._seen = self._seen[-200_000:] + piece
            if _FAILED in self._seen:
                raise SystemExit("the run in the app stopped on a fault")
        return self.written[-1][0]

    def press(self, key: str) -> None:
        """Type, and forget what was shown before."""
        self._seen = b""
        os.write(self._controller, key.encode())

    def close(self) -> None:
        """End the child."""
        os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        os.close(self._controller)


def first_frames(vault: Path, model: str, count: int) -> Outcome:
    """Seconds from the start of the program to the menu, the index being there already."""
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        args = ["main.py", "--vault", str(vault), "--data-dir", folder, "--model", model]
        for _ in range(count + 1):
            terminal = Terminal(args)
            spent.append(terminal.until(_MENU) - terminal.started)
            terminal.close()
    del spent[0]
    return {"best": round(min(spent), 3), "median": round(statistics.median(spent), 3), "worst": round(max(spent), 3)}


def index_by_command(vault: Path, model: str) -> float:
    """Seconds of one full index on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        args = ["main.py", "--vault", str(vault), "--data-dir", folder, "--model", model, "--quiet", "index"]
        started = time.perf_counter()
        subprocess.run([sys.executable, *args], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def index_in_app(vault: Path, model: str, *, counted: bool) -> list[float]:
    """When each frame of one full index was written: its start first, its end last."""
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal([__file__, _COUNTED if counted else _PLAIN, str(vault), folder, model])
        terminal.until(_MENU)
        terminal.press("1")
        terminal.until(_READY)
        terminal.press("u")
        started = time.perf_counter()
        terminal.until(_ENDED)
        terminal.close()
    return [started, *(moment for moment, _ in terminal.written if moment > started)]


def longest_gaps(frames: Sequence[float]) -> Outcome:
    """The times between frames."""
    between = [(after - before, before - frames[0]) for before, after in pairwise(frames)]
    longest, longest_at = max(between)
    gaps = sorted(gap for gap, _ in between if gap > _ONE_FRAME_S)
    return {
        "index_s": round(frames[-1] - frames[0], 2),
        "frames": len(gaps),
        "longest_ms": round(longest * 1000, 1),
        "longest_at_s": round(longest_at, 2),
        "p99_ms": round(gaps[int(len(gaps) * 0.99)] * 1000, 1),
        "median_ms": round(statistics.median(gaps) * 1000, 1),
        "over_100_ms": sum(gap > 0.1 for gap in gaps),
    }


def show_app(vault: str, data_dir: str, model: str, *, counted: bool) -> None:
    """The app itself, on this terminal, which says when a run has ended; at will with a counter in its top line."""
    import config
    from main import ENVIRONMENT
    from obsidian_indexer.errors import ConfigError
    from obsidian_indexer.tui.app import IndexerApp
    from obsidian_indexer.tui.launch import run_tui

    os.environ.update(ENVIRONMENT)

    def refuse(section: str, name: str, value: object) -> None:
        raise ConfigError("Settings stay as they are during a measurement.")

    overrides = {"vault.path": Path(vault), "vault.data_dir": Path(data_dir), "embedding.model": model}
    if counted:
        overrides["ui.refresh_hz"] = _REFRESH_HZ
    settings = config.load(overrides)
    frames = count()
    own = IndexerApp.activity_for

    def mark(app: IndexerApp, screen: Screen[None]) -> str:
        run = app.bridge.run
        if run is not None and run.finished:
            return (_ENDED if run.error is None else _FAILED).decode()
        return f"{next(frames)}" if counted else own(app, screen)

    IndexerApp.activity_for = mark  # type: ignore[method-assign]
    run_tui(lambda: settings.options, settings_view=lambda: settings.rows, save_setting=refuse)


def main() -> None:
    """Measure starts, then full indexes."""
    if sys.argv[1:2] and sys.argv[1] in (_PLAIN, _COUNTED):
        return show_app(*sys.argv[2:5], counted=sys.argv[1] == _COUNTED)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    vault = options.vault.resolve()
    by_command = index_by_command(vault, options.model)
    plain = index_in_app(vault, options.model, counted=False)
    result = {
        "benchmark": "ui_stall",
        "machine": machine(),
        "model": options.model,
        "first_frame_s": first_frames(vault, options.model, options.starts),
        "index_s": {"command_line": round(by_command, 2), "app": round(plain[-1] - plain[0], 2)},
        "gaps": longest_gaps(index_in_app(vault, options.model, counted=True)),
    }
    print(json.dumps(result, indent=2))
    return None


if __name__ == "__main__":
    main()
