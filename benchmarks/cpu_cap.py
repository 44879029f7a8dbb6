"""Whether indexing keeps to its share of the CPU, gives way to other programs, and rests while it is paused.

    python benchmarks/cpu_cap.py VAULT [--limit 60] [--engines auto torch] [--fractions 1 0.75 0.5 0.25 0.1]

Each figure comes from a process of its own that indexes the vault into an empty folder. `ratio` is the CPU time that
`psutil` reads for it and its children over the wall time of `Engine.index` and all cores. For `nice`, the same run
meets a busy loop on every core: `ratio` is what it gets beside them. `paused` is what five seconds of a pause cost, in
the middle of the embedding. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import config
from benchmarks.machine import machine, run_process
from obsidian_indexer.engine import Engine
from obsidian_indexer.events import PauseToken, Progress, Stage
from obsidian_indexer.pace import usable_cores
from obsidian_indexer.priority import lower_process

_PAUSE_S = 5.0
# A batch under way when the pause is asked for is not part of it.
_SETTLE_S = 1.5


def cpu_s() -> float:
    """CPU seconds of this process and of its children, those that ended included."""
    own = psutil.Process()
    times = own.cpu_times()
    spent = times.user + times.system + times.children_user + times.children_system
    for child in own.children(recursive=True):
        try:
            child_times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += child_times.user + child_times.system
    return float(spent)


def nice_of_threads() -> dict[str, int]:
    """How many threads of this process run at each priority."""
    counted: Counter[int] = Counter()
    for task in Path("/proc/self/task").glob("*"):
        # The name, in brackets, may hold blanks; of what follows, niceness is the 17th.
        counted[int((task / "stat").read_text("utf-8").rpartition(")")[2].split()[16])] += 1
    return {str(nice): number for nice, number in sorted(counted.items())}


def pause_once(pause: PauseToken, progress: Progress, found: dict[str, object]) -> None:
    """In the middle of the embedding, pause for a while; what that cost, and memory before and after."""
    while not progress.tokens_done:
        time.sleep(0.02)
    before = psutil.Process().memory_info().rss
    pause.pause()
    while not progress.snapshot().paused:
        time.sleep(0.005)
    time.sleep(_SETTLE_S)
    assert progress.stage is Stage.EMBED, "the run was over too soon; take a larger --limit"
    spent, began = cpu_s(), time.monotonic()
    time.sleep(_PAUSE_S)
    wall = time.monotonic() - began
    found["paused"] = {
        "ratio": round((cpu_s() - spent) / (wall * usable_cores()), 4),
        "memory_mib": round(psutil.Process().memory_info().rss / 2**20),
        "memory_before_mib": round(before / 2**20),
    }
    pause.resume()


def measure(chosen: argparse.Namespace) -> dict[str, object]:
    """Index once in this process and say what it spent."""
    lower_process(chosen.nice)
    pause, progress, found = PauseToken(), Progress(), {}
    with tempfile.TemporaryDirectory() as folder:
        overrides = {
            "vault.path": chosen.vault,
            "vault.data_dir": Path(folder),
            "embedding.engine": chosen.engine,
            "embedding.cpu_fraction": chosen.fraction,
            "embedding.nice": chosen.nice,
        }
        with Engine.open(config.load(overrides).options) as engine:
            spent, began = cpu_s(), time.monotonic()
            if chosen.pause:
                threading.Thread(target=pause_once, args=(pause, progress, found), daemon=True).start()
            report = engine.index(limit=chosen.limit, progress=progress, pause=pause)
            wall = time.monotonic() - began
            found |= {
                "ratio": round((cpu_s() - spent) / (wall * usable_cores()), 3),
                "seconds": round(wall, 2),
                "chunks": report.embedded,
                "chunks_per_second": report.chunks_per_second,
                "engine": report.engine,
                "dtype": report.dtype,
                "threads_by_nice": nice_of_threads(),
            }
    return found


def one(chosen: argparse.Namespace, engine: str, *more: str) -> object:
    """The same in a process of its own."""
    args = ["benchmarks/cpu_cap.py", str(chosen.vault), "--limit", str(chosen.limit), "--engine", engine, *more]
    return run_process(args)["output"]


def busy_loop() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def main() -> None:
    """Measure each combination."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault", type=Path)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--engines", nargs="+", default=["auto", "torch"])
    parser.add_argument("--fractions", nargs="+", type=float, default=[1.0, 0.75, 0.5, 0.25, 0.1])
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--fraction", type=float, default=1.0, help=argparse.SUPPRESS)
    parser.add_argument("--nice", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--pause", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.engine:
        print(json.dumps(measure(chosen)))
        return
    capped = [
        {"asked": fraction, "asked_of": engine, **one(chosen, engine, "--fraction", str(fraction))}
        for engine in chosen.engines
        for fraction in chosen.fractions
    ]
    paused = one(chosen, chosen.engines[0], "--pause")["paused"]
    with ExitStack() as stack:
        for _ in range(usable_cores()):
            stack.callback(stack.enter_context(busy_loop()).kill)
        beside = {str(nice): one(chosen, chosen.engines[0], "--nice", str(nice)) for nice in (0, 19)}
    result = {"cores": usable_cores(), "capped": capped, "paused": paused, "nice_beside_busy_loops": beside}
    print(json.dumps({"benchmark": "cpu_cap", "machine": machine(), **result}, indent=2))


if __name__ == "__main__":
    main()
