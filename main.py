"""The composition root: reads settings, opens the engine, starts one surface.

Next to nothing is imported here: worker processes are spawned and import this file again, and until `main` runs,
Ctrl+C is answered with a traceback.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # the name that checkers know; importing it would cost more than the rest
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from config import Settings
    from obsidian_indexer.engine import Engine
    from obsidian_indexer.events import EventSink
    from obsidian_indexer.options import Options
    from obsidian_indexer.tuning import KeptSettings, RestoredSettings

ENVIRONMENT = {
    # Said aloud, so that the tokenizer does not warn about processes started after it.
    "TOKENIZERS_PARALLELISM": "true",
    # Threads that wait for each other by spinning halve the speed as soon as anything else wants a core.
    "OMP_WAIT_POLICY": "PASSIVE",
    # The same of numpy's: 10,000 vectors compared on two busy cores take 0.2 ms on one thread and 6 on two.
    "OPENBLAS_NUM_THREADS": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
INTERRUPTED = 130


def main(args: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    try:
        return _run(args)
    except KeyboardInterrupt:  # commands hear it themselves; this one came while they were being imported
        print("Interrupted.", file=sys.stderr)  # noqa: T201
        return INTERRUPTED


def _run(args: Sequence[str] | None) -> int:
    # The index holds the text of private notes: whatever a library creates is for the owner alone.
    user_umask = os.umask(0o077)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    _make_streams_safe()
    from functools import cache, partial

    from obsidian_indexer.cli.app import run
    from obsidian_indexer.cli.session import Composition

    run_tui = partial(_run_tui, user_umask)
    inspector = cache(_inspector)
    composition = Composition(
        load=_load,
        open_engine=_open_engine,
        parse_note=lambda options, path: inspector(_prepare(options)).inspect(path),
        run_tui=run_tui,
        keep_tuned=_keep_tuned,
        restore_tuned=_restore_tuned,
    )
    return run(sys.argv[1:] if args is None else args, composition)


def _make_streams_safe() -> None:
    """File names need not be valid text; printing one must not end the program, whatever the terminal's encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _load(overrides: Mapping[str, object], *, around: Path | None = None) -> Settings:
    import config

    return config.load(overrides, around=around)


def _keep_tuned(overrides: Mapping[str, object], values: Mapping[str, object]) -> KeptSettings:
    import config

    return config.keep_tuned(config.load(overrides), values)


def _restore_tuned(overrides: Mapping[str, object]) -> RestoredSettings:
    import config

    return config.restore_tuned(config.load(overrides))


def _prepare(options: Options) -> Options:
    """What must be in place before an engine is made: the log, and no network unless it was asked for."""
    from obsidian_indexer.log import open_log

    open_log(options.data_dir)
    if not options.embedding.allow_download:
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["TRANSFORMERS_OFFLINE"] = "1"
    return options


def _open_engine(options: Options, on_event: EventSink) -> Engine:
    from obsidian_indexer.engine import Engine

    return Engine.open(_prepare(options), on_event=on_event)


def _inspector(options: Options) -> Any:
    from obsidian_indexer.sync.inspect import NoteInspector

    return NoteInspector(options)


def _run_tui(user_umask: int, overrides: Mapping[str, object]) -> int:
    from functools import partial

    from obsidian_indexer.tui.launch import run_tui

    # Called on threads after the first frame, which need not wait for what they import.
    def load() -> Options:
        from obsidian_indexer.log import route_structlog

        route_structlog()
        return _prepare(_load(overrides).options)

    def save_setting(section: str, name: str, value: object) -> None:
        import config

        config.save(_load(overrides), section, name, value)

    return run_tui(
        load,
        settings_view=lambda: _load(overrides).rows,
        save_setting=save_setting,
        keep_tuned=partial(_keep_tuned, overrides),
        restore_tuned=partial(_restore_tuned, overrides),
        user_umask=user_umask,
    )


if __name__ == "__main__":
    sys.exit(main())
