"""Every benchmark of the docs, one after another, then its tables: `python benchmarks/run_all.py DATA_DIR`.

DATA_DIR holds `vaults/obsidian-help` (with `en` and `ko`) and `vaults/tldr` (folders of notes) and `ir/` with
BEIR-style sets. Each result is kept in benchmarks/results/NAME.json as soon as it is there; a benchmark that fails is
named, its old result stays, and the rest goes on. `--only` runs some of them, `--tag` keeps results beside those of
another machine, as NAME.TAG.json. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import report
from benchmarks.machine import ROOT

ABLATED = ("scifact", "cisi", "belebele-en", "belebele-ko", "korquad-dev", "welfare-ko")
"""The sets that the legs are weighed on."""


def commands(data: Path, peer_python: str) -> dict[str, list[str]]:
    """The arguments of each benchmark."""
    sets = [str(data / "ir" / name) for name in ABLATED]
    manual, tldr = str(data / "vaults" / "obsidian-help" / "en"), str(data / "vaults" / "tldr")
    return {
        "embed_throughput": [manual, "--all"],
        "retrieval": [str(data / "ir" / "scifact")],
        "index_vault": [manual, "--peer-python", peer_python],
        "scale": [tldr],
        "one_edit": [tldr, "--sizes", "6000", "38000"],
        "search_latency": [],
        "ui_stall": [manual],
        "cpu_cap": [manual],
        "korean_terms": [name for name in sets if name.endswith("-ko") or "korquad" in name],
        "ablation": [*sets, "--manual", str(data / "vaults" / "obsidian-help")],
    }


def run(name: str, args: list[str], tag: str) -> bool:
    """Run one benchmark and keep its result, under the tag if there is one; whether it could be kept."""
    print(f"{name}: {' '.join(args)}", file=sys.stderr)
    started = time.monotonic()
    child = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *args], cwd=ROOT, stdout=subprocess.PIPE, check=False
    )
    print(f"{name}: {time.monotonic() - started:.0f} s, exit {child.returncode}", file=sys.stderr)
    if child.returncode != 0:
        return False
    report.RESULTS.mkdir(exist_ok=True)
    result = json.dumps(json.loads(child.stdout), indent=2, ensure_ascii=False)
    kept = f"{name}.{tag}.json" if tag else f"{name}.json"
    (report.RESULTS / kept).write_text(result + "\n", "utf-8")
    return True


def main() -> int:
    """Run what was asked for, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--peer-python", default=sys.executable, help="the Python that has index_vault's peers installed"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--tag", default="", help="a word for this kind of machine")
    options = parser.parse_args()
    if options.tag and not re.fullmatch(r"\w+", options.tag):
        parser.error("--tag takes one word")
    every = commands(options.data.resolve(), options.peer_python)
    unknown = set(options.only or ()) - set(every)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    failed = [name for name in options.only or every if not run(name, every[name], options.tag)]
    report.main()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
