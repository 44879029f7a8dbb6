"""Milliseconds that each kind of filter takes to find its notes in the catalogue.

    python benchmarks/filter_latency.py --notes 10000

The notes are synthetic: forty lines each in English or Korean, with headings, tasks, tags, properties and dates, five
hundred texts under as many names as asked for, parsed and written as real ones are, without vectors. Medians of ten
evaluations after two to warm up. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from obsidian_indexer.options import VaultOptions
from obsidian_indexer.records import FileStat, Note
from obsidian_indexer.search.filters import select
from obsidian_indexer.search.query import parse_query
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.note_rows import make_rows
from obsidian_indexer.store.notes import IndexedNote
from obsidian_indexer.vault.read import parse_file

_LINES, _WORDS, _TEXTS = 40, 12, 500
_NEW_YEAR_NS, _DAY_NS = 1_767_225_600_000_000_000, 86_400_000_000_000
_RUNS, _WARM_UP = 10, 2
_STEMS = ("회의", "기록", "연결", "정리", "생각", "계획", "노트", "블록")
_QUERIES = (
    "tag:work",
    "tag:/^wo/",
    "path:area7",
    "file:note12",
    "-tag:work -path:area7",
    "tag:work path:area7 [status:Draft]",
    "[status]",
    "[status:Draft]",
    "[rating:>5]",
    "modified:2026-01",
    "after:2026-02",
    "content:word777",
    '"word21 word22"',
    '"회의 기록"',
    "line:(word21 word22)",
    "block:(회의 기록)",
    "section:(word21 word22)",
    "task-todo:word21",
    "/word2\\d\\d1 word/",
    "tag:work line:(word21 word22)",
)


def build(data_dir: Path, n_notes: int) -> None:
    """Write a catalogue of these many notes."""
    rng = np.random.default_rng(7)
    texts = [_note(number, rng) for number in range(min(n_notes, _TEXTS))]
    with Catalog.open(data_dir) as catalog:
        for first in range(0, n_notes, 500):
            with catalog.transaction():
                for number in range(first, min(first + 500, n_notes)):
                    path, moment = f"area{number % 20}/note{number}.md", _NEW_YEAR_NS + number % 90 * _DAY_NS
                    rows = make_rows(replace(texts[number % _TEXTS], path=path), ())
                    catalog.notes.replace(IndexedNote(FileStat(path, moment, 1), 2, "bench", rows))


def _note(number: int, rng: np.random.Generator) -> Note:
    status, day = ("Draft", "Done", "Published")[number % 3], number % 28 + 1
    lines = ["---", f"status: {status}", f"rating: {number % 10}", f"created: 2026-{number % 3 + 1:02}-{day:02}", "---"]
    for line in range(_LINES):
        drawn = np.minimum(rng.zipf(1.2, _WORDS), 30_000)
        words = [_STEMS[word % len(_STEMS)] if number % 3 == 2 else f"word{word}" for word in drawn]
        mark = "\n## " if line % 10 == 0 else "- [ ] " if line % 10 == 7 else "\n" if line % 10 == 3 else ""
        lines.append(mark + " ".join(words))
    lines += ["", "#work" if number % 10 == 0 else "#home/garden"]
    return parse_file("note.md", "\n".join(lines).encode(), VaultOptions())


def timed(evaluate: Callable[[], int]) -> dict[str, float]:
    """How many notes were found, and the median milliseconds."""
    spent, found = [], 0
    for _ in range(_RUNS + _WARM_UP):
        start = time.perf_counter()
        found = evaluate()
        spent.append((time.perf_counter() - start) * 1000)
    return {"notes": found, "median_ms": round(statistics.median(spent[_WARM_UP:]), 1)}


def main() -> None:
    """Measure each filter in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=10_000)
    options = parser.parse_args()
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as scratch:
        build(Path(scratch, "index"), options.notes)
        with Catalog.open(Path(scratch, "index")) as catalog:

            def evaluate(query: str) -> int:
                return len(select(catalog.connection, parse_query(query).condition).scope.note_ids or ())

            for query in _QUERIES:
                result[query] = timed(lambda query=query: evaluate(query))  # type: ignore[misc]
    print(json.dumps({"benchmark": "filter_latency", "machine": machine(), "notes": options.notes, "filters": result}))


if __name__ == "__main__":
    main()
