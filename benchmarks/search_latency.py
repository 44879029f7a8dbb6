"""Milliseconds a query takes, by size of the index and kind of query, and of a whole `search` process.

    python benchmarks/search_latency.py --chunks 10000 100000 500000

The index is synthetic: notes of words drawn by Zipf's law, and random vectors around a few hundred centres, written
through the catalogue's own tables. Medians of 30 queries after three to warm up. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import ROOT, machine
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.engine import Engine
from obsidian_indexer.options import EmbedOptions, Options
from obsidian_indexer.records import Chunk, FileStat, Note
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.note_rows import make_rows
from obsidian_indexer.store.notes import IndexedNote

_DIM, _CHUNKS_PER_NOTE, _WORDS_PER_CHUNK, _VOCABULARY, _CENTRES = 384, 10, 60, 30_000, 300
_MODEL = f"fake:{_DIM}"
_QUERIES, _WARM_UP = 30, 3


def build(vault: Path, data_dir: Path, n_chunks: int) -> None:
    """Write an index of `n_chunks` passages whose every tenth note is tagged `work`."""
    rng = np.random.default_rng(7)
    spec = resolve_model(EmbedOptions(model=_MODEL))
    centres = rng.standard_normal((_CENTRES, _DIM)).astype(np.float32)
    (vault / ".obsidian").mkdir(parents=True)
    with Catalog.open(data_dir) as catalog:
        catalog.bind_vault(vault)
        with catalog.transaction():
            model = catalog.vectors.add_model(spec.fingerprint("float32"), spec.name, _DIM, spec.identity, "float32")
            catalog.vectors.activate(model)
        for first in range(0, n_chunks // _CHUNKS_PER_NOTE, 500):
            with catalog.transaction():
                keys: list[bytes] = []
                for number in range(first, min(first + 500, n_chunks // _CHUNKS_PER_NOTE)):
                    item = _note(number, rng)
                    catalog.notes.replace(item)
                    keys += [row[-1] for row in item.rows.chunks]
                near = centres[rng.integers(0, _CENTRES, len(keys))]
                vectors = near + 0.7 * rng.standard_normal(near.shape).astype(np.float32)
                catalog.vectors.add(model.id, keys, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _note(number: int, rng: np.random.Generator) -> IndexedNote:
    path = f"area{number % 20}/note{number}.md"
    words = np.minimum(rng.zipf(1.3, (_CHUNKS_PER_NOTE, _WORDS_PER_CHUNK)), _VOCABULARY)
    chunks = []
    for seq, row in enumerate(words):
        text = f"n{number}s{seq} " + " ".join(f"word{word}" for word in row)
        key = hashlib.sha256(text.encode()).hexdigest()
        chunks.append(Chunk(path, seq, (f"Section {seq}",), seq + 1, seq + 1, text, text, 60, key))
    tags = ("work",) if number % 10 == 0 else ()
    note = Note(path, hashlib.sha256(path.encode()).hexdigest(), f"note{number}", tags=tags)
    return IndexedNote(FileStat(path, 1, 1), 2, "bench", make_rows(note, tuple(chunks)))


def timed(ask: Callable[[str], object], queries: list[str]) -> dict[str, float]:
    """Median and worst milliseconds."""
    for query in queries[:_WARM_UP]:
        ask(query)
    spent = []
    for query in queries[_WARM_UP:]:
        start = time.perf_counter()
        ask(query)
        spent.append((time.perf_counter() - start) * 1000)
    return {"median_ms": round(statistics.median(spent), 1), "worst_ms": round(max(spent), 1)}


def measure(n_chunks: int) -> dict[str, object]:
    """Every kind of query on one size."""
    rng = np.random.default_rng(11)
    queries = [
        " ".join(f"word{word}" for word in np.minimum(rng.zipf(1.3, 6) + 20, _VOCABULARY))
        for _ in range(_QUERIES + _WARM_UP)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        vault, data_dir = Path(scratch, "vault"), Path(scratch, "index")
        build(vault, data_dir, n_chunks)
        result: dict[str, object] = {"chunks": n_chunks}
        with Engine.open(Options(vault, data_dir, embedding=EmbedOptions(model=_MODEL))) as engine:
            start = time.perf_counter()
            engine.warm()
            result["warm_s"] = round(time.perf_counter() - start, 2)
            for mode in ("keyword", "semantic", "hybrid"):
                result[mode] = timed(lambda query, mode=mode: engine.search(query, mode=mode), queries)  # type: ignore[misc]
            result["filtered"] = timed(lambda query: engine.search(f"tag:work {query}"), queries)
        command = [sys.executable, "main.py", "--vault", str(vault), "--data-dir", str(data_dir), "--model", _MODEL]
        for mode in ("keyword", "hybrid"):
            start = time.perf_counter()
            subprocess.run(
                [*command, "--json", "search", "--mode", mode, queries[0]], cwd=ROOT, check=True, capture_output=True
            )
            result[f"process_{mode}_s"] = round(time.perf_counter() - start, 2)
    return result


def main() -> None:
    """Measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000, 500_000])
    options = parser.parse_args()
    runs = [measure(n_chunks) for n_chunks in options.chunks]
    print(json.dumps({"benchmark": "search_latency", "machine": machine(), "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
