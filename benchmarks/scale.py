"""How cost and memory grow with the vault: full index, a start with nothing changed, one edit.

    python benchmarks/scale.py VAULT --sizes 6000 38000 [--model default]

For each size, that many notes of the vault are copied to a scratch folder. Every step is a process of its own; memory
is the largest sum over the process and its workers, sampled ten times a second. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import ROOT, machine

_SAMPLE_S = 0.1


def copy_notes(vault: Path, target: Path, count: int) -> None:
    """Copy the first notes of a vault, by path."""
    for number, note in enumerate(sorted(vault.rglob("*.md"))):
        if number == count:
            return
        copy = target / note.relative_to(vault)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(note, copy)


def index(vault: Path, data_dir: Path, model: str) -> dict[str, object]:
    """One `index` process: seconds of the whole process, peak memory in MiB, and its report."""
    command = [sys.executable, "main.py", "--vault", str(vault), "--data-dir", str(data_dir), "--model", model]
    start = time.monotonic()
    process = subprocess.Popen([*command, "--json", "--quiet", "index"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            family = [watched, *watched.children(recursive=True)]
            peak = max(peak, sum(member.memory_info().rss for member in family))
        except psutil.Error:
            pass
        time.sleep(_SAMPLE_S)
    seconds = time.monotonic() - start
    assert process.stdout is not None
    report = json.loads(process.stdout.read())
    kept = ("seen", "added", "modified", "chunks", "embedded", "tokens", "seconds_by_stage")
    return {
        "process_s": round(seconds, 2),
        "peak_mib": round(peak / 2**20, 1),
        "report": {name: report[name] for name in kept},
    }


def measure(vault: Path, size: int, model: str) -> dict[str, object]:
    """A full index of `size` notes, a run with nothing to do, and a run after one edit."""
    with tempfile.TemporaryDirectory() as scratch:
        notes, data_dir = Path(scratch, "vault"), Path(scratch, "index")
        copy_notes(vault, notes, size)
        full = index(notes, data_dir, model)
        unchanged = index(notes, data_dir, model)
        edited = next(notes.rglob("*.md"))
        edited.write_text(edited.read_text("utf-8") + "\n\nOne more paragraph.\n", "utf-8")
        edit = index(notes, data_dir, model)
        on_disk = sum(file.stat().st_size for file in data_dir.rglob("*") if file.is_file())
    return {"notes": size, "full": full, "unchanged": unchanged, "edit": edit, "index_mib": round(on_disk / 2**20, 1)}


def growth(runs: list[dict[str, object]]) -> dict[str, object]:
    """The last size against the first: memory, and milliseconds a note in each stage."""

    def per_note(run: dict[str, object], stage: str) -> float:
        full = run["full"]
        assert isinstance(full, dict)
        return float(full["report"]["seconds_by_stage"][stage]) * 1000 / float(str(run["notes"]))

    first, last = runs[0], runs[-1]
    stages = {}
    for stage in ("scan", "parse", "embed", "store"):
        before, after = per_note(first, stage), per_note(last, stage)
        stages[stage] = {"ms_first": round(before, 3), "ms_last": round(after, 3), "ratio": round(after / before, 2)}
    memory = [float(run["full"]["peak_mib"]) for run in (first, last)]  # type: ignore[index]
    return {"memory_ratio": round(memory[1] / memory[0], 2), "per_note": stages}


def main() -> None:
    """Measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[6000, 38000])
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    runs = [measure(options.vault, size, options.model) for size in options.sizes]
    result = {"benchmark": "scale", "machine": machine(), "model": options.model, "runs": runs, "growth": growth(runs)}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
