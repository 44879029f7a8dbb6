"""A fresh index of a vault, whole process, against three programs that do the same with the same model.

    python benchmarks/index_vault.py VAULT [--rounds N] [--peer-python PATH] [--without langchain txtai recipe]

`ours` is `main.py index` into an empty folder at default settings: start-up, reading, cutting, embedding, storing. An
engine that is made once per model is made within it, so both are told: seconds with it and without. `langchain` reads
and cuts the vault itself; `txtai` and `recipe` are handed the passages that `ours` makes and neither read nor cut. Runs
are interleaved; seconds are the best of the rounds, memory the highest. A peer that is not installed is skipped and
named. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import Outcome, machine, run_process
from benchmarks.peers import NEEDED, OFFLINE

_PEER_SCRIPT = str(Path(__file__).with_name("peers.py"))
_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""


def write_passages(vault: str, file: str) -> str:
    """Write the passages of a vault as JSON lines, as this program cuts them; the folder of the bundled model."""
    import config
    from obsidian_indexer.embed.spec import resolve_model
    from obsidian_indexer.options import EmbedOptions
    from obsidian_indexer.records import FileStat
    from obsidian_indexer.sync.inspect import NoteInspector
    from obsidian_indexer.vault.scan import scan

    options = config.load({"vault.path": vault}).options
    inspector = NoteInspector(options)
    texts = []
    for entry in scan(options.vault_path, options.vault):
        if isinstance(entry, FileStat):
            texts += [chunk.embedded_text for chunk in inspector.inspect(entry.path)[1]]
    Path(file).write_text("\n".join(map(json.dumps, texts)), "utf-8")
    return str(resolve_model(EmbedOptions()).folder)


def index_ours(vault: str, data_dir: str) -> Outcome:
    """One run of this program; `build_s` is the making of an engine within it."""
    outcome = run_process(["main.py", "--vault", vault, "--data-dir", data_dir, "--json", "--quiet", "index"])
    report = outcome["output"]
    return {
        "seconds": outcome["seconds"],
        "peak_mib": outcome["peak_mib"],
        "build_s": report["seconds_by_stage"].get("build", 0.0),
        "output": {"notes": report["seen"], "passages": report["chunks"], "dtype": report["dtype"]},
    }


def installed(names: Sequence[str], python: str) -> dict[str, str | None]:
    """Versions of packages as another Python has them; None for those that are missing."""
    out = subprocess.run([python, "-c", _VERSIONS, *names], capture_output=True, text=True, check=True).stdout
    found: dict[str, str | None] = json.loads(out)
    return found


def compare(vault: str, rounds: int, peers: Sequence[str], python: str) -> Outcome:
    """Run every contender in turn, `rounds` times."""
    runs: dict[str, list[Outcome]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        passages = f"{scratch}/passages.jsonl"
        model = write_passages(vault, passages)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}: ours", file=sys.stderr)
            runs["ours"].append(index_ours(vault, f"{scratch}/ours-{number}"))
            for name in peers:
                print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
                source = vault if name == "langchain" else passages
                args = [_PEER_SCRIPT, name, source, f"{scratch}/{name}-{number}", model]
                runs[name].append(run_process(args, python=python, environ=OFFLINE))
    return figures(runs)


def figures(runs: dict[str, list[Outcome]]) -> Outcome:
    """What each contender took, and the others as multiples of ours, with the making of our engine and without."""
    contenders = {}
    for name, own in runs.items():
        contenders[name] = {
            "seconds": min(run["seconds"] for run in own),
            "every_run_s": [run["seconds"] for run in own],
            "peak_mib": max(run["peak_mib"] for run in own),
            **own[-1]["output"],
        }
    whole = contenders["ours"]["seconds"]
    without_build = round(min(run["seconds"] - run["build_s"] for run in runs["ours"]), 2)
    contenders["ours"]["build_s"] = max(run["build_s"] for run in runs["ours"])
    contenders["ours"]["seconds_without_build"] = without_build
    others = {name: contender["seconds"] for name, contender in contenders.items() if name != "ours"}
    return {
        "contenders": contenders,
        "times_faster": {name: round(seconds / without_build, 2) for name, seconds in others.items()},
        "times_faster_with_build": {name: round(seconds / whole, 2) for name, seconds in others.items()},
        "times_faster_than_best": round(min(others.values()) / without_build, 2) if others else None,
    }


def main() -> None:
    """Parse the command line and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that has the peers installed")
    parser.add_argument("--without", nargs="+", choices=list(NEEDED), default=[], help="peers to leave out")
    options = parser.parse_args()
    wanted = {name: packages for name, packages in NEEDED.items() if name not in options.without}
    versions = installed(sorted({package for packages in wanted.values() for package in packages}), options.peer_python)
    skipped = {
        name: "not installed: " + ", ".join(package for package in packages if versions[package] is None)
        for name, packages in wanted.items()
        if not all(versions[package] for package in packages)
    }
    skipped |= dict.fromkeys(options.without, "left out")
    peers = [name for name in wanted if name not in skipped]
    result = compare(str(options.vault.resolve()), options.rounds, peers, options.peer_python)
    head = {"benchmark": "index_vault", "machine": machine(), "peers": versions, "skipped": skipped}
    print(json.dumps({**head, "rounds": options.rounds, **result}, indent=2))


if __name__ == "__main__":
    main()
