"""`main.py index` with what its report does not tell: `observed_index.py VAULT DATA_DIR MODEL` prints one JSON object.

`write_cpu_s` are the seconds of processor time that writing to the catalogue took within the stage `parse`; `opened`
counts the files of the vault that Python opened in the main process, by an audit hook.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Index once."""
    from main import main as run_program
    from obsidian_indexer.sync.write import NoteWriter

    vault, data_dir, model = sys.argv[1:]
    spent, opened = [0.0], [0]
    flush, inside = NoteWriter.flush, os.path.realpath(vault) + os.sep

    def timed_flush(writer: NoteWriter) -> None:
        start = time.thread_time()
        try:
            flush(writer)
        finally:
            spent[0] += time.thread_time() - start

    def count(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and isinstance(args[0], str | bytes) and os.fsdecode(args[0]).startswith(inside):
            opened[0] += 1

    NoteWriter.flush = timed_flush  # type: ignore[method-assign]
    sys.addaudithook(count)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run_program(["--vault", vault, "--data-dir", data_dir, "--model", model, "--json", "--quiet", "index"])
    report = json.loads(out.getvalue().splitlines()[-1])
    print(json.dumps({**report, "exit": code, "write_cpu_s": round(spent[0], 3), "opened": opened[0]}))


if __name__ == "__main__":
    main()
