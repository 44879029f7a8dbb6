"""How soon the screens are drawn, and how long they stand still while a full index runs in the same process.

    python benchmarks/ui_stall.py VAULT [--model default] [--starts 5]

Both are read off a pseudo-terminal. `first_frame_s` is from the start of `main.py` to the menu. For the gaps, the app
draws its Index screen 50 times a second, with a counter in its top line so that each time a frame is due: a gap is the
time between two writes to the terminal, from the key that starts a full index to its end. Prints one JSON object.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import ROOT, Outcome, machine

_ROWS, _COLUMNS = 30, 100
_REFRESH_HZ = 50.0
_TIMEOUT_S = 600.0
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
            env={**os.environ, "TERM": "xterm-256color", **(environ or {})},
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
        for _ in range(count):
            terminal = Terminal(args)
            spent.append(terminal.until(_MENU) - terminal.started)
            terminal.close()
    return {"best": round(min(spent), 3), "median": round(statistics.median(spent), 3), "worst": round(max(spent), 3)}


def longest_gaps(vault: Path, model: str) -> Outcome:
    """The times between frames during one full index."""
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal([__file__, "--inside", str(vault), folder, model])
        terminal.until(_MENU)
        terminal.press("1")
        terminal.until(_READY)
        terminal.press("u")
        started = time.perf_counter()
        ended = terminal.until(_ENDED)
        terminal.close()
    frames = [started, *(moment for moment, _ in terminal.written if moment > started)]
    gaps = sorted(after - before for before, after in pairwise(frames))
    longest_at = max(pairwise(frames), key=lambda pair: pair[1] - pair[0])[0] - started
    return {
        "index_s": round(ended - started, 2),
        "frames": len(gaps),
        "longest_ms": round(gaps[-1] * 1000, 1),
        "longest_at_s": round(longest_at, 2),
        "p99_ms": round(gaps[int(len(gaps) * 0.99)] * 1000, 1),
        "median_ms": round(statistics.median(gaps) * 1000, 1),
        "over_100_ms": sum(gap > 0.1 for gap in gaps),
    }


def show_counter(vault: str, data_dir: str, model: str) -> None:
    """The app itself, on this terminal, with a counter in its top line."""
    import config
    from main import ENVIRONMENT
    from obsidian_indexer.errors import ConfigError
    from obsidian_indexer.tui.app import IndexerApp
    from obsidian_indexer.tui.launch import run_tui

    os.environ.update(ENVIRONMENT)

    def refuse(section: str, name: str, value: object) -> None:
        raise ConfigError("Settings stay as they are during a measurement.")

    overrides = {
        "vault.path": Path(vault),
        "vault.data_dir": Path(data_dir),
        "embedding.model": model,
        "ui.refresh_hz": _REFRESH_HZ,
    }
    settings = config.load(overrides)
    frames = count()

    def mark(app: IndexerApp, screen: object) -> str:
        run = app.bridge.run
        if run is None or not run.finished:
            return f"{next(frames)}"
        return (_ENDED if run.error is None else _FAILED).decode()

    IndexerApp.activity_for = mark  # type: ignore[method-assign]
    run_tui(lambda: settings.options, settings_view=lambda: settings.rows, save_setting=refuse)


def main() -> None:
    """Measure starts, then one full index."""
    if sys.argv[1:2] == ["--inside"]:
        return show_counter(*sys.argv[2:5])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    vault = options.vault.resolve()
    result = {
        "benchmark": "ui_stall",
        "machine": machine(),
        "model": options.model,
        "first_frame_s": first_frames(vault, options.model, options.starts),
        "gaps": longest_gaps(vault, options.model),
    }
    print(json.dumps(result, indent=2))
    return None


if __name__ == "__main__":
    main()
