"""Milliseconds a query takes, by size of the index and kind of query, and seconds of a whole `search` process.

    python benchmarks/search_latency.py [--chunks 10000 100000 500000] [--keep FOLDER] [--store]

The indexes are synthetic (`benchmarks/synthetic.py`) and hold vectors under the name of the bundled model. It embeds
the queries, on the engine that a run over such a vault would choose: runs of 2 to 10 words, every third Korean. A third
of them warms up, the others are timed, each once. `keyword_same_best` is the share of the 20 best passages that stays
when every matching one is scored (decision 11). Of `vectors_ms`, `embed` is the model alone, `exact` the comparison of
a passage with all others, `sifted` the same where signs choose what is compared; with `--store`, `store` the same
question to Chroma. `sifted_same` and `store_recall` are the share of the exact answers that these find. A process is
timed from start to end, also on an index of a hundred passages. `--keep` writes the indexes there and uses them again.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import main as program

os.environ.update({name: os.environ.get(name, value) for name, value in program.ENVIRONMENT.items()})

from benchmarks.machine import COMPILED, ROOT, machine, resident_bytes
from benchmarks.synthetic import Corpus, write_index
from obsidian_indexer.embed.loaded import LoadedModel
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.workload import Workload, spread
from obsidian_indexer.engine import ENGINES, Engine
from obsidian_indexer.options import EmbedOptions, Options, StoreOptions
from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.store.ann import AnnIndex
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import CHUNK_WEIGHTS, match_chunks
from obsidian_indexer.store.live import ResidentVectors
from obsidian_indexer.store.process import StoreProcess

# A tenth of the notes, one in a thousand, a twentieth, and all but a tenth.
FILTERS = ("tag:work", "tag:project/rare", "path:area3/", "-tag:work")
Nearest = Callable[[NDArray[np.float32], int], Mapping[int, float]]
_SMALL, _NEAREST, _STORE_QUERIES, _BEST, _SAMPLED_CHUNKS = 100, 200, 100, 20, 1000


def quantiles(spent_ms: Sequence[float]) -> dict[str, float]:
    """p50 and p95 by the nearest rank."""
    ordered = sorted(spent_ms)
    return {f"p{p}": round(ordered[min(len(ordered) - 1, p * len(ordered) // 100)], 1) for p in (50, 95)}


def timed(ask: Callable[[str], object], queries: Sequence[str]) -> dict[str, float]:
    """Milliseconds of each query but the first third, which warms up."""
    warming = len(queries) // 3
    for query in queries[:warming]:
        ask(query)
    spent = []
    for query in queries[warming:]:
        start = time.perf_counter()
        ask(query)
        spent.append((time.perf_counter() - start) * 1000)
    return quantiles(spent)


def warm_queries(options: Options, queries: Sequence[str]) -> dict[str, object]:
    """Every kind of query in one process."""
    with Engine.open(options) as engine:
        start = time.perf_counter()
        engine.warm()
        result: dict[str, object] = {"warm_s": round(time.perf_counter() - start, 2)}
        kinds: dict[str, Callable[[str], object]] = {
            mode: lambda query, mode=mode: engine.search(query, mode=mode)  # type: ignore[misc]
            for mode in ("keyword", "semantic", "hybrid")
        }
        for condition in FILTERS:
            kinds[f"hybrid {condition}"] = lambda query, condition=condition: engine.search(f"{condition} {query}")  # type: ignore[misc]
        result["ms"] = {kind: timed(ask, queries) for kind, ask in kinds.items()}
        result["resident_mib"] = resident_bytes(os.getpid()) >> 20
    return result


def vectors_alone(options: Options, queries: Sequence[str], *, store: bool) -> dict[str, object]:
    """The model, the exact comparison and, with `store`, the approximate one, each on its own."""
    spec = resolve_model(options.embedding)
    with Catalog.open(options.data_dir) as catalog:
        model = catalog.vectors.active()
        assert model is not None
        embedder = LoadedModel(options.embedding, options.data_dir / ENGINES).get(spec, model.dtype)
        result: dict[str, object] = {"engine": embedder.engine.dtype, "embed": timed(embedder.embed_query, queries)}
        start = time.perf_counter()
        resident = ResidentVectors()
        live = resident.now(catalog, model)
        result["read_s"] = round(time.perf_counter() - start, 2)
        # Passages of the index are better questions to a graph than texts that were made without regard to it.
        asked = {
            str(row): live.vectors[row].astype(np.float32)
            for row in range(0, len(live), max(1, len(live) // _STORE_QUERIES))
        }
        result["exact"] = timed(lambda row: live.nearest(asked[row], _NEAREST), list(asked))
        resident.prepare(catalog, model)
        sifted = resident.now(catalog, model)
        result["sifted"] = timed(lambda row: sifted.nearest(asked[row], _NEAREST), list(asked))
        result["sifted_same"] = share_of(live.nearest, sifted.nearest, asked.values())
        if store:
            start = time.perf_counter()
            process = StoreProcess(options.data_dir / "chroma.lock")
            ann = AnnIndex.open(process, options.data_dir, catalog, model, StoreOptions())
            ann.fill(catalog, lambda rows: None, lambda: None)
            result["store_filled_s"] = round(time.perf_counter() - start, 1)
            result["store"] = timed(lambda row: ann.nearest_chunks(catalog, asked[row], _NEAREST), list(asked))
            result["store_recall"] = share_of(live.nearest, partial(ann.nearest_chunks, catalog), asked.values())
            process.close()
    return result


def share_of(exact: Nearest, other: Nearest, queries: Collection[NDArray[np.float32]]) -> float:
    """The share of the exact answers that another comparison finds."""
    shares = []
    for query in queries:
        wanted = exact(query, _NEAREST).keys()
        shares.append(len(wanted & other(query, _NEAREST).keys()) / len(wanted))
    return round(statistics.mean(shares), 4)


def same_best(options: Options, queries: Sequence[str]) -> float:
    """The share of the best passages by keyword that score as high as the best do when every matching one is scored."""
    score = f"bm25(chunk_terms, {', '.join(map(str, CHUNK_WEIGHTS))})"
    shares = []
    with Catalog.open(options.data_dir) as catalog:
        for phrases in (match_phrases(match_terms(query)) for query in queries):
            rows = catalog.connection.execute(
                f"SELECT {score} AS score FROM chunk_terms WHERE chunk_terms MATCH ? ORDER BY score LIMIT ?",
                (" OR ".join(phrases), _BEST),
            )
            whole = [-row[0] for row in rows]
            found = match_chunks(catalog.connection, phrases, _NEAREST)[:_BEST]
            if whole:
                shares.append(sum(hit.score >= whole[-1] - 1e-9 for hit in found) / len(whole))
    return round(statistics.mean(shares), 4)


def cold(options: Options, query: str, runs: int) -> dict[str, object]:
    """Seconds of `search` processes, keyword and hybrid in turn."""
    command = [sys.executable, "main.py", "--vault", str(options.vault_path), "--data-dir", str(options.data_dir)]
    spent: dict[str, list[float]] = {"keyword": [], "hybrid": []}
    for _ in range(runs):
        for mode, seconds in spent.items():
            start = time.perf_counter()
            subprocess.run(
                [*command, "--json", "search", "--mode", mode, query],
                cwd=ROOT,
                check=True,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **COMPILED},
            )
            seconds.append(time.perf_counter() - start)
    return {
        mode: {"best_s": round(min(seconds), 2), "median_s": round(statistics.median(seconds), 2)}
        for mode, seconds in spent.items()
    }


def run_over(n_chunks: int) -> Workload:
    """The run that would embed such an index: by it an engine is chosen, and made where that pays, as for any vault."""
    notes = (note for note, _ in Corpus(1).notes(min(n_chunks, _SAMPLED_CHUNKS)))
    rows = sorted((row for note in notes for row in note.rows.chunks), key=lambda row: -row[6])
    mean_tokens = sum(row[6] for row in rows) / len(rows)
    return Workload(int(n_chunks * mean_tokens), lambda n: spread([row[5] for row in rows], n))


def index(folder: Path, n_chunks: int, embedding: EmbedOptions) -> tuple[Options, float]:
    """The options of an index of this size in a folder, written if it is not there, and the seconds that took."""
    vault, data_dir, seconds = folder / "vault", folder / "index", 0.0
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        spec = resolve_model(embedding)
        engine = LoadedModel(embedding, data_dir / ENGINES).get(spec, None, run_over(n_chunks)).engine
        start = time.perf_counter()
        write_index(vault, data_dir, spec, engine.dtype, engine.dim, n_chunks)
        seconds = time.perf_counter() - start
        (folder / "whole").touch()
    return Options(vault.resolve(), data_dir.resolve(), embedding=embedding), seconds


def measure(folder: Path, n_chunks: int, embedding: EmbedOptions, arguments: argparse.Namespace) -> dict[str, object]:
    """Every figure of one size."""
    queries = Corpus(1).queries(arguments.queries)
    options, seconds = index(folder, n_chunks, embedding)
    files = sum(file.stat().st_size for file in options.data_dir.rglob("*") if file.is_file())
    result: dict[str, object] = {"chunks": n_chunks, "written_s": round(seconds, 1), "mib": files >> 20}
    result |= warm_queries(options, queries)
    result["keyword_same_best"] = same_best(options, queries)
    result["process_s"] = cold(options, queries[0], arguments.cold)
    result["vectors_ms"] = vectors_alone(options, queries, store=arguments.store)
    return result


def run() -> None:
    """Measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000, 500_000])
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--keep", type=Path, help="folder for the indexes")
    parser.add_argument("--cold", type=int, default=5, help="processes of each kind")
    parser.add_argument("--store", action="store_true", help="fill and ask Chroma too (100,000 passages: a minute)")
    parser.add_argument("--model", default="default")
    arguments = parser.parse_args()
    embedding = EmbedOptions(model=arguments.model)
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        runs = [
            measure(folder / str(n_chunks), n_chunks, embedding, arguments) for n_chunks in [_SMALL, *arguments.chunks]
        ]
    model = resolve_model(embedding).name
    print(json.dumps({"benchmark": "search_latency", "machine": machine(), "model": model, "runs": runs}, indent=2))


if __name__ == "__main__":
    run()
