"""Writes the tables of the docs from the results that are kept: `python benchmarks/report.py`.

A table stands between `<!-- table NAME -->` and `<!-- end -->` and comes from benchmarks/results/NAME.json, as the
benchmark NAME printed it, or NAME.TAG.json from a run with a tag. Names in the tables are those of the JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
QUALITY = ROOT / "docs" / "search-quality.md"
_PLACE = re.compile(r"<!-- table ([\w.]+) -->\n.*?<!-- end -->", re.DOTALL)
_HEAD = ("benchmark", "machine")
Result = Mapping[str, Any]


def fill(page: str, results: Mapping[str, Result]) -> str:
    """The page with the table of each result in its place; a place without a result says so."""

    def table(match: re.Match[str]) -> str:
        name = match[1]
        body = (
            render(results[name]) if name in results else f"Not measured: there is no `benchmarks/results/{name}.json`."
        )
        return f"<!-- table {name} -->\n{body}\n<!-- end -->"

    return _PLACE.sub(table, page)


def render(result: Result) -> str:
    """A result as Markdown: the machine, then its tables."""
    make = _TABLES.get(result["benchmark"], _runs_table if "runs" in result else _plain_table)
    return f"{_machine_line(result['machine'])}\n\n{make(result)}"


def flatten(value: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Nested figures as text under dotted names; lists of figures on one line."""
    found: dict[str, str] = {}
    for key, inner in value.items():
        name = f"{before}{key}"
        if isinstance(inner, Mapping):
            found |= flatten(inner, f"{name}.")
        elif isinstance(inner, list) and any(isinstance(item, Mapping) for item in inner):
            for number, item in enumerate(inner):
                found |= flatten(item, f"{name}.{number}.")
        else:
            found[name] = _text(inner)
    return found


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are set to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _columns(rows: Mapping[str, Mapping[str, str]], corner: str) -> str:
    """A table with a row for each name and a column for each figure that any row has."""
    names = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    return grid([corner, *names], [[row, *(figures.get(name, "") for name in names)] for row, figures in rows.items()])


def _runs_table(result: Result) -> str:
    """A column for each run, headed by its first figure, then what the result says of all runs together."""
    runs = [flatten(run) for run in result["runs"]]
    size = next(iter(runs[0]))
    names = list(dict.fromkeys(name for run in runs for name in run if name != size))
    table = grid([size, *(run[size] for run in runs)], [[name, *(run.get(name, "") for run in runs)] for name in names])
    rest = {key: value for key, value in result.items() if key != "runs"}
    return f"{table}\n\n{_plain_table(rest)}"


def _plain_table(result: Result) -> str:
    figures = flatten({key: value for key, value in result.items() if key not in _HEAD})
    return grid(["figure", "value"], [[name, value] for name, value in figures.items()]) if figures else ""


def _throughput_table(result: Result) -> str:
    figures = {
        name: {
            "passages/s": _text(rate),
            "with every core free": _text(result["cpu_rate"].get(name, "")),
            **flatten(result["engines"].get(name, {})),
        }
        for name, rate in result["rate"].items()
    }
    left = ("rate", "cpu_rate", "engines")
    return f"{_columns(figures, 'contender')}\n\n{_plain_table({k: v for k, v in result.items() if k not in left})}"


def _contenders_table(result: Result) -> str:
    rows = {name: flatten(figures) for name, figures in result["contenders"].items()}
    rest = {key: value for key, value in result.items() if key not in ("contenders", "skipped")}
    skipped = "".join(f"\n\nSkipped: {name} ({reason})." for name, reason in result["skipped"].items())
    return f"{_columns(rows, 'contender')}{skipped}\n\n{_plain_table(rest)}"


def _ablation_table(result: Result) -> str:
    sets = result["sets"]
    head = ["nDCG", *(f"{name} @{figures['cut']}" for name, figures in sets.items())]
    ways = next(iter(sets.values()), {"ndcg": {}})["ndcg"]
    rows = [[way, *(f"{figures['ndcg'][way]:.3f}" for figures in sets.values())] for way in ways]
    asked = ["questions", *(_text(figures["questions"]) for figures in sets.values())]
    rest = {"model": result["model"], "weights": result["weights"]}
    return f"{grid(head, [*rows, asked])}\n\n{_plain_table(rest)}"


def _ways_table(result: Result) -> str:
    return _columns({way: flatten(figures) for way, figures in result["ways"].items()}, "nDCG@10")


_TABLES: dict[str, Callable[[Result], str]] = {
    "embed_throughput": _throughput_table,
    "index_vault": _contenders_table,
    "ablation": _ablation_table,
    "korean_terms": _ways_table,
}


def _machine_line(machine: Result) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    instructions = f" ({', '.join(machine['instructions'])})" if machine.get("instructions") else ""
    where = f"{machine['cpu']}{instructions}, {machine['cores']} cores, {machine['memory_gib']} GiB"
    return f"{where}; {machine['system']}; Python {machine['python']}, {packages}."


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    """Fill the pages."""
    results = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(RESULTS.glob("*.json"))}
    for page in (PAGE, QUALITY):
        page.write_text(fill(page.read_text("utf-8"), results), "utf-8")


if __name__ == "__main__":
    main()
