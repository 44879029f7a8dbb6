"""How long after a note is written it is found, while `watch` runs with the model warm.

    python benchmarks/one_edit.py VAULT [--sizes 6000] [--edits 10] [--model default]

For each size, that many notes are indexed in a scratch folder, which is then watched in this process. Each edit appends
a passage to another note; its time runs from the write until a search by words and one by meaning, both begun when
the watch tells that it has taken the edit up, have found the note. `after_debounce_s` is without the pause
(`watch.quiet_s`) that the watch waits for further changes. The first edit warms up. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import queue
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import config
from benchmarks.machine import Outcome, machine, run_process
from benchmarks.scale import edit, link_notes
from obsidian_indexer.engine import Engine
from obsidian_indexer.events import CancelToken, Event, SyncedEvent

_TIMEOUT_S = 120.0
# Long enough to be a passage of its own.
_PARAGRAPH = (
    "The {word} ferry leaves the northern harbour at dawn with apples, letters and two violins that need new strings "
    "before the winter concert in the old chapel. Its cook bakes bread on a hot stone and lets it rest under a linen "
    "cloth, while passengers look through a brass telescope at four moons and a storm on the giant planet. By noon it "
    "reaches the lighthouse, where the keeper of {word} island trades honey for newspapers and tells of great frosts."
)
_HITS = 50


def measure(vault: Path, size: int, edits: int, model: str) -> Outcome:
    """Index `size` notes, then edit some of them one after another."""
    with tempfile.TemporaryDirectory() as scratch:
        notes, data_dir = Path(scratch, "vault"), Path(scratch, "index")
        count = link_notes(vault, notes, size)
        command = ["main.py", "--vault", str(notes), "--data-dir", str(data_dir), "--model", model]
        print(f"{count} notes: index", file=sys.stderr)
        report = run_process([*command, "--json", "--quiet", "index"])["output"]
        settings = config.load({"vault.path": notes, "vault.data_dir": data_dir, "embedding.model": model})
        synced: queue.Queue[SyncedEvent] = queue.Queue()

        def hear(event: Event) -> None:
            if isinstance(event, SyncedEvent):
                synced.put(event)

        cancel = CancelToken()
        with Engine.open(settings.options) as engine:
            thread = threading.Thread(target=engine.watch, kwargs={"cancel": cancel, "on_event": hear})
            thread.start()
            try:
                synced.get(timeout=_TIMEOUT_S)
                engine.warm()
                paths = sorted(notes.rglob("*.md"))
                edited = [paths[number * len(paths) // (edits + 1)] for number in range(edits + 1)]
                spent = [one_edit(engine, notes, path, number, synced) for number, path in enumerate(edited)][1:]
            finally:
                cancel.cancel()
                thread.join()
    quiet_s = settings.options.watch.quiet_s
    found = [total - quiet_s for total, _ in spent]
    return {
        "notes": count,
        "chunks": report["chunks"],
        "dtype": report["dtype"],
        "quiet_s": quiet_s,
        "after_debounce_s": {"median": round(statistics.median(found), 3), "worst": round(max(found), 3)},
        "sync_s": {
            "median": round(statistics.median(seconds for _, seconds in spent), 3),
            "worst": round(max(seconds for _, seconds in spent), 3),
        },
    }


def one_edit(
    engine: Engine, vault: Path, note: Path, number: int, synced: queue.Queue[SyncedEvent]
) -> tuple[float, float]:
    """Seconds from the write until the note is found, and of them in the watch cycle."""
    word, path = f"zq{number}x", note.relative_to(vault).as_posix()
    paragraph = _PARAGRAPH.format(word=word)
    start = time.perf_counter()
    edit(note, f"## Ferry {word}\n\n{paragraph}")
    event = synced.get(timeout=_TIMEOUT_S)
    for mode, query in (("keyword", word), ("semantic", paragraph)):
        hits = engine.search(query, k=_HITS, mode=mode).hits
        if path not in [hit.path for hit in hits]:
            raise SystemExit(f"edit {number} was not found by {mode}")
    return time.perf_counter() - start, event.seconds


def main() -> None:
    """Measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[6000])
    parser.add_argument("--edits", type=int, default=10)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    runs = [measure(options.vault.resolve(), size, options.edits, options.model) for size in options.sizes]
    print(json.dumps({"benchmark": "one_edit", "machine": machine(), "model": options.model, "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
