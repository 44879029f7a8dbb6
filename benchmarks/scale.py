"""How cost and memory grow with the vault: full index, a start with nothing changed, an index after one edit.

    python benchmarks/scale.py VAULT [--sizes 1000 6000 38000] [--rounds 2] [--model default]

The sizes take turns for some rounds: times are the best of each, memory the highest. For each size, that many notes of
the vault, spread evenly, are linked into a scratch folder. Every step is a process of its own; memory is the largest
sum of resident memory over the process and its workers. `ms_per_note` tells the stages; `write_cpu` is the processor
time within `parse` that writing to the catalogue took, which worker processes beside it do not lengthen. The fake model
costs next to nothing, so that the other stages show. `unchanged` is `main.py index`, from the start of the process to
its end; `files_opened` are those of the vault that such a run opens. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import Outcome, machine, run_process

_OBSERVED = str(Path(__file__).with_name("observed_index.py"))
_WALL = ("scan", "parse", "embed", "store")
_STAGES = (*_WALL, "write_cpu")
_STARTS = 2
# Of figures that are not times, the highest is told.
_HIGHEST = ("peak_mib", "files_opened", "index_mib")


def link_notes(vault: Path, target: Path, count: int) -> int:
    """Give `count` notes of a vault, spread evenly over its paths, a second name in `target`; returns how many."""
    notes = sorted(vault.rglob("*.md"))
    count = min(count, len(notes))
    for number in range(count):
        note = notes[number * len(notes) // count]
        link = target / note.relative_to(vault)
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(note, link)
        except OSError:  # another file system
            shutil.copy2(note, link)
    return count


def edit(note: Path, text: str) -> None:
    """Append to a note of the scratch folder; the vault's own file, which may be the same, is left alone."""
    before = note.read_text("utf-8")
    note.unlink()
    note.write_text(f"{before}\n\n{text}\n", "utf-8")


def measure(vault: Path, size: int, model: str) -> Outcome:
    """A full index of `size` notes, a run with nothing to do, and a run after one edit."""
    with tempfile.TemporaryDirectory() as scratch:
        notes, data_dir = Path(scratch, "vault"), Path(scratch, "index")
        count = link_notes(vault, notes, size)
        print(f"{count} notes", file=sys.stderr)
        observed = [_OBSERVED, str(notes), str(data_dir), model]
        plain = ["main.py", "--vault", str(notes), "--data-dir", str(data_dir), "--model", model, "--quiet", "index"]
        full = run_process(observed)
        starts = [run_process([*plain, "--json"])["seconds"] for _ in range(_STARTS)]
        unchanged = run_process(observed)
        edit(next(notes.rglob("*.md")), "One more paragraph.")
        edited = run_process([*plain, "--json"])
        on_disk = sum(file.stat().st_size for file in data_dir.rglob("*") if file.is_file())
    report = full["output"]
    return {
        "notes": count,
        "chunks": report["chunks"],
        "tokens": report["tokens"],
        "full": {
            "process_s": full["seconds"],
            "peak_mib": full["peak_mib"],
            "build_s": report["seconds_by_stage"].get("build", 0.0),
            "ms_per_note": stages_per_note(report, count),
        },
        "unchanged": {
            "process_s": min(starts),
            "peak_mib": unchanged["peak_mib"],
            "files_opened": unchanged["output"]["opened"],
        },
        "edit": {
            "process_s": edited["seconds"],
            "embedded": edited["output"]["embedded"],
            "seconds_by_stage": edited["output"]["seconds_by_stage"],
        },
        "index_mib": round(on_disk / 2**20, 1),
    }


def best_of(rounds: Sequence[Outcome]) -> Outcome:
    """One size of several rounds: the least of each time, the highest of what is no time."""
    merged: Outcome = {}
    for name, value in rounds[0].items():
        values = [figures[name] for figures in rounds]
        merged[name] = best_of(values) if isinstance(value, dict) else (max if name in _HIGHEST else min)(values)
    return merged


def stages_per_note(report: Outcome, count: int) -> dict[str, float]:
    """Milliseconds a note in each stage of a full run."""
    seconds = {**report["seconds_by_stage"], "write_cpu": report["write_cpu_s"]}
    return {stage: round(seconds[stage] * 1000 / count, 3) for stage in _STAGES}


def growth(first: Outcome, last: Outcome) -> Outcome:
    """One size against another: memory, and milliseconds a note in each stage."""
    before, after = first["full"]["ms_per_note"], last["full"]["ms_per_note"]
    return {
        "from_notes": first["notes"],
        "to_notes": last["notes"],
        "memory_ratio": round(last["full"]["peak_mib"] / first["full"]["peak_mib"], 2),
        "ms_per_note_ratio": {stage: round(after[stage] / before[stage], 2) for stage in _STAGES},
        "all_stages_ratio": round(sum(after[stage] for stage in _WALL) / sum(before[stage] for stage in _WALL), 2),
    }


def main() -> None:
    """Measure each size in turn; growth is from the last size but one to the last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 6000, 38000])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", default="fake:384")
    options = parser.parse_args()
    rounds = [
        [measure(options.vault.resolve(), size, options.model) for size in options.sizes] for _ in range(options.rounds)
    ]
    runs = [best_of(of_size) for of_size in zip(*rounds, strict=True)]
    head = {"benchmark": "scale", "machine": machine(), "model": options.model, "rounds": options.rounds}
    result = {**head, "runs": runs}
    if len(runs) > 1:
        result["growth"] = growth(runs[-2], runs[-1])
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
