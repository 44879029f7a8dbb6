"""How long the screens stand still while a full index runs in the same process.

    python benchmarks/ui_stall.py VAULT [--model default]

The app runs without a terminal on its Index screen. A coroutine asks to be woken every 5 ms; what it waits beyond
that is time in which no key would have been answered and no frame drawn. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import config
from benchmarks.machine import machine
from obsidian_indexer.errors import ConfigError
from obsidian_indexer.tui.app import IndexerApp
from obsidian_indexer.tui.bridge import Bridge
from obsidian_indexer.tui.launch import open_real_engine

_BEAT_S = 0.005


async def longest_gaps(app: IndexerApp) -> dict[str, object]:
    """Index once from the Index screen; the distribution of what the event loop was late."""
    gaps: list[float] = []
    async with app.run_test(size=(100, 30)) as pilot:
        while app.bridge.status is None:
            await asyncio.sleep(0.05)
        await pilot.press("1", "u")
        while app.bridge.run is None:
            await asyncio.sleep(0.05)
        started = last = time.perf_counter()
        while not app.bridge.run.finished:
            await asyncio.sleep(_BEAT_S)
            now = time.perf_counter()
            gaps.append(now - last - _BEAT_S)
            last = now
        seconds = last - started
        chunks = app.bridge.run.snapshot().chunks_done
    gaps.sort()
    return {
        "index_s": round(seconds, 2),
        "chunks": chunks,
        "worst_ms": round(gaps[-1] * 1000, 1),
        "p99_ms": round(gaps[int(len(gaps) * 0.99)] * 1000, 1),
        "over_100_ms": sum(gap > 0.1 for gap in gaps),
    }


def main() -> None:
    """Measure one full index."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault", type=Path)
    parser.add_argument("--model", default="default")
    chosen = parser.parse_args()

    def refuse(section: str, name: str, value: object) -> None:
        raise ConfigError("Settings stay as they are during a measurement.")

    with tempfile.TemporaryDirectory() as folder:
        overrides = {"vault.path": chosen.vault, "vault.data_dir": Path(folder), "embedding.model": chosen.model}
        settings = config.load(overrides)
        bridge = Bridge(lambda: settings.options, open_real_engine)
        app = IndexerApp(bridge, settings_view=lambda: settings.rows, save_setting=refuse)
        result = asyncio.run(longest_gaps(app))
        bridge.close(timeout_s=30)
    print(json.dumps({"benchmark": "ui_stall", "machine": machine(), "model": chosen.model, **result}, indent=2))


if __name__ == "__main__":
    main()
