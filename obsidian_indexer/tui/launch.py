"""Starts the screens on a real engine, keeps foreign output off them, and ends the process as the user left it."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path

from obsidian_indexer.events import EventSink
from obsidian_indexer.options import Options, SettingRow
from obsidian_indexer.tui.app import INTERRUPTED_CODE, IndexerApp, refuse_to_keep, refuse_to_restore
from obsidian_indexer.tui.bridge import Bridge
from obsidian_indexer.tui.face import EngineFace, OpenEngine
from obsidian_indexer.tui.opening import run_editor
from obsidian_indexer.tui.output import divert_output
from obsidian_indexer.tuning import KeptSettings, RestoredSettings

# Beside the program's own log; a file of its own, since what native code writes is no JSON.
OUTPUT_LOG = Path("logs") / "terminal.log"


def open_real_engine(options: Options, *, on_event: EventSink) -> EngineFace:
    """The engine itself; imported late, so that the first frame does not wait for it."""
    from obsidian_indexer.engine import Engine

    engine: EngineFace = Engine.open(options, on_event=on_event)
    return engine


def shorten_collections() -> None:
    """Leave what libraries hold for good out of Python's full collections.

    Each walked 100,000 objects of the engine's libraries, on whatever thread it began, and nothing was drawn for 65 ms.
    """
    modules_then = 0

    def leave_out(phase: str, info: Mapping[str, int]) -> None:
        nonlocal modules_then
        # Before it walks, not after: the first one would stop the screen. And only after imports: what was left out is
        # never collected, and the screens' own garbage is to be.
        if phase == "start" and info["generation"] == 2 and len(sys.modules) != modules_then:
            modules_then = len(sys.modules)
            gc.freeze()

    gc.callbacks.append(leave_out)


def run_tui(
    load: Callable[[], Options],
    *,
    settings_view: Callable[[], Sequence[SettingRow]],
    save_setting: Callable[[str, str, object], None],
    keep_tuned: Callable[[Mapping[str, object]], KeptSettings] = refuse_to_keep,
    restore_tuned: Callable[[], RestoredSettings] = refuse_to_restore,
    open_engine: OpenEngine = open_real_engine,
    user_umask: int = -1,
) -> int:
    """Run the screens until the user leaves; the exit code is 0, or 2 when the index could not be opened, 1 on a fault.

    `load` and the other calls run on threads after the first frame; `user_umask` is for the user's editor. While the
    screens run, whatever is written to descriptors 1 and 2 goes to `logs/terminal.log` in the index folder. Where the
    user would not wait for a run to stop, the process ends here, with code 130.
    """
    bridge = Bridge(load, open_engine)
    with divert_output() as diverted:

        def follow(options: Options) -> None:
            if diverted is not None:
                diverted.move_to(options.data_dir / OUTPUT_LOG)

        app = IndexerApp(
            bridge,
            settings_view=settings_view,
            save_setting=save_setting,
            keep_tuned=keep_tuned,
            restore_tuned=restore_tuned,
            on_ready=follow,
            edit_file=partial(run_editor, umask=user_umask),
        )
        shorten_collections()
        # The first process that multiprocessing spawns asks standard error for its descriptor, which a screen has not.
        resource_tracker.ensure_running()
        app.run()
        code = app.return_code or 0
    if bridge.close():
        return code
    # A thread is inside a native call that cannot be interrupted. Python's own ending would wait for it or crash in it;
    # the catalogue is safe at any point of a run.
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(INTERRUPTED_CODE if app.left_running else code)
