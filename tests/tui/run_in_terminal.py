"""A program for the terminal tests: the app on a fake engine, whose calls write to descriptors 1 and 2."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from pathlib import Path

from obsidian_indexer.errors import VaultError
from obsidian_indexer.tui.launch import run_tui
from tests.tui.fake_engine import HOSTILE, HOSTILE_HIT, FakeEngine, FakeOpening, make_options


def main(mode: str, folder: Path) -> int:
    """Run in one of the modes the tests name; return the exit code."""

    def prepare(engine: FakeEngine) -> None:
        engine.hits = (HOSTILE_HIT,)
        engine.notice = HOSTILE
        if mode == "stuck":
            engine.deaf = True
            engine.index_gate = threading.Event()
        if mode == "busy":
            engine.index_gate = threading.Event()
        os.write(1, b"EARLY-ONE\n")
        os.write(2, b"EARLY-TWO\n")

    opening = FakeOpening(prepare, fault=VaultError("There is no vault.") if mode == "fatal" else None)

    def noise() -> tuple[()]:
        os.write(1, b"MARKER-ONE\n")
        os.write(2, b"MARKER-TWO\n")
        os.system("echo MARKER-CHILD")
        spawned = multiprocessing.get_context("spawn").Process(target=print, args=("MARKER-SPAWNED",))
        spawned.start()
        spawned.join()
        return ()

    code = run_tui(lambda: make_options(folder), settings_view=noise, save_setting=lambda *_: None, open_engine=opening)
    assert not {"torch", "chromadb", "sentence_transformers"} & set(sys.modules)
    print(f"ended with {code}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
