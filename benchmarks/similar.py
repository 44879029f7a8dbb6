"""How often the notes that a note links to are among its ten most similar: as `similar` has it, and by mean vectors.

    python benchmarks/similar.py VAULT...

Each vault is indexed with the bundled model in a folder of its own that is removed afterwards. A note is asked for when
it links to others; up to 300 of them, drawn evenly. `recall_at_10` is the share of the linked notes (of ten, where more
are) among the ten, `hit_at_10` how often there is any; `long` are notes of five passages or more. The mean vector of a
note is compared with every passage, one hit per note. Prints one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from obsidian_indexer.embed.workload import spread
from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import NoteError
from obsidian_indexer.options import Options
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.halves import cosines
from obsidian_indexer.store.live import LiveVectors, ResidentVectors
from obsidian_indexer.store.rows import path_from_row

_CUT, _LONG, _ASKED = 10, 5, 300
Ask = Callable[[str], list[str]]


class MeanVector:
    """Notes by the cosine of their best passage with a note's mean vector."""

    def __init__(self, catalog: Catalog) -> None:
        model = catalog.vectors.active()
        assert model is not None
        self.live: LiveVectors = ResidentVectors().now(catalog, model)
        rows = catalog.connection.execute("SELECT id, path FROM notes")
        self.path_of = {note_id: path_from_row(path) for note_id, path in rows}
        self._note_of = {path: note_id for note_id, path in self.path_of.items()}

    def passages(self, path: str) -> int:
        """How many passages a note has."""
        return int((self.live.note_ids == self._note_of[path]).sum())

    def ask(self, path: str) -> list[str]:
        """The ten nearest notes, best first."""
        own = self.live.note_ids == self._note_of[path]
        mean = self.live.vectors[own].mean(axis=0, dtype=np.float32)
        near = cosines(self.live.vectors, mean[np.newaxis])[0]
        near[own] = -2.0
        nearest = dict.fromkeys(self.live.note_ids[np.argsort(-near, kind="stable")].tolist())
        return [self.path_of[note_id] for note_id in list(nearest)[:_CUT]]


def linked(engine: Engine, mean: MeanVector) -> dict[str, set[str]]:
    """The notes with passages that each such note links to."""
    indexed = {path for path in mean.path_of.values() if mean.passages(path)}
    targets: dict[str, set[str]] = defaultdict(set)
    for path in sorted(indexed):
        for link in engine.outgoing(path):
            if link.resolved in indexed and link.resolved != path:
                targets[path].add(link.resolved)
    return targets


def scores(ask: Ask, asked: Sequence[str], targets: Mapping[str, set[str]]) -> dict[str, float]:
    """Means over the notes asked for."""
    recall, hit, took = [], [], []
    for path in asked:
        start = time.perf_counter()
        found = set(ask(path)[:_CUT])
        took.append((time.perf_counter() - start) * 1000)
        recall.append(len(found & targets[path]) / min(_CUT, len(targets[path])))
        hit.append(bool(found & targets[path]))
    return {
        "recall_at_10": round(statistics.mean(recall), 3),
        "hit_at_10": round(statistics.mean(hit), 3),
        "median_ms": round(statistics.median(took), 1),
    }


def measure(vault: Path) -> dict[str, object]:
    """One vault, by both methods."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        Engine.open(Options(vault.resolve(), Path(scratch).resolve())) as engine,
        Catalog.open(Path(scratch).resolve()) as catalog,
    ):
        engine.index()
        mean = MeanVector(catalog)
        targets = linked(engine, mean)
        asked = spread(sorted(targets), _ASKED)
        long = [path for path in asked if mean.passages(path) >= _LONG]

        def ask(path: str) -> list[str]:
            """As the program has it; a note may have no text that was embedded."""
            try:
                return [hit.path for hit in engine.similar(path, k=_CUT).hits]
            except NoteError:
                return []

        return {
            "vault": vault.name,
            "notes": len(mean.path_of),
            "passages": len(mean.live.chunk_ids),
            "links": sum(map(len, targets.values())),
            "asked": len(asked),
            "asked_long": len(long),
            **{
                f"{name}_{kind}": scores(method, which, targets)
                for name, method in (("similar", ask), ("mean_vector", mean.ask))
                for kind, which in (("all", asked), ("long", long))
                if which
            },
        }


def main() -> None:
    """Measure each vault in turn."""
    runs = [measure(Path(folder)) for folder in sys.argv[1:]]
    print(json.dumps({"benchmark": "similar", "machine": machine(), "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
