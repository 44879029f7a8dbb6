"""An index run that pauses after its third batch, says how many texts it has embedded, and waits for a line."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.cli.interrupt import run_in_worker
from obsidian_indexer.embed import fake
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.events import CancelToken, PauseToken, Progress
from tests.kit import ScriptedEngine, open_engine, wait_until


def main(vault: str, data_dir: str) -> None:
    """Index, pause, wait for a line, go on, and say how many texts were embedded in all."""
    scripted, pause, progress, cancel = ScriptedEngine(), PauseToken(), Progress(), CancelToken()
    fake.FakeEngine = lambda dim: scripted  # type: ignore[assignment, misc]

    def pause_at_third(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(scripted.batches) == 3:
            pause.pause()
        return vectors

    def listen() -> None:
        wait_until(lambda: progress.snapshot().paused)
        print(scripted.n_texts, flush=True)
        sys.stdin.readline()
        pause.resume()

    scripted.fault = pause_at_third
    threading.Thread(target=listen, daemon=True).start()
    with open_engine(Path(vault), Path(data_dir), batch_size=4) as engine:
        run_in_worker(
            lambda: engine.index(progress=progress, cancel=cancel, pause=pause),
            cancel=cancel,
            on_tick=lambda: None,
            on_interrupt=lambda: None,
        )
    print(scripted.n_texts, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
