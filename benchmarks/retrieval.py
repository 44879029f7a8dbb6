"""What a number format costs in retrieval: nDCG@10 by vectors alone on a BEIR-style folder.

    python benchmarks/retrieval.py FOLDER

FOLDER holds corpus.jsonl, queries.jsonl and qrels.tsv. Whole documents, cut at the model's window, are embedded by each
format of the CPU; int8 is made from the documents as an index makes it from passages. Prints JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.build import BuildKind, Builds
from obsidian_indexer.embed.engines import choose
from obsidian_indexer.embed.openvino_engine import cpu_has_bfloat16
from obsidian_indexer.embed.spec import ModelSpec, resolve_model
from obsidian_indexer.embed.workload import Workload, spread
from obsidian_indexer.evaluate.metrics import CUT, ndcg
from obsidian_indexer.evaluate.sets import JudgedSet, read_set
from obsidian_indexer.options import EmbedOptions

Vectors = NDArray[np.float32]
_OPTIONS = EmbedOptions(device="cpu")


def mean_ndcg(documents: Vectors, queries: Vectors, ids: list[str], judged: list[Mapping[str, int]]) -> float:
    """Mean nDCG at 10 of the documents nearest to each query."""
    nearest = [np.argsort(-(documents @ vector))[:CUT] for vector in queries]
    return float(np.mean([ndcg([ids[i] for i in top], gains) for top, gains in zip(nearest, judged, strict=True)]))


def embed(embedder: Embedder, texts: Sequence[str], prompt: str) -> Vectors:
    """float32[n, dim], row by row of the texts."""
    out = np.zeros((len(texts), embedder.engine.dim), np.float32)
    for result in embedder.run(embedder.tokenizer.encode(texts, prompt)):
        out[result.rows] = result.vectors
    return out


def by_format(judged_set: JudgedSet, spec: ModelSpec, builds: Builds) -> dict[str, float]:
    """nDCG@10 of every format that this machine computes."""
    texts = [f"{document.title} {document.text}".strip() for document in judged_set.documents.values()]
    queries, ids = list(judged_set.queries.values()), list(judged_set.documents)
    judged = [judged_set.judged[query] for query in judged_set.queries]
    ordered = sorted(texts, key=len)
    builds.make(spec, BuildKind.INT8, _OPTIONS, Workload(sample=lambda n: spread(ordered, n)))
    results = {}
    for dtype in ["float32", *(["bfloat16"] if cpu_has_bfloat16() else []), "int8"]:
        embedder = Embedder.load(spec, _OPTIONS, builds, choose(spec, _OPTIONS, builds, dtype=dtype))
        vectors = embed(embedder, texts, spec.document_prompt), embed(embedder, queries, spec.query_prompt)
        embedder.engine.close()
        results[dtype] = round(mean_ndcg(*vectors, ids, judged), 4)
    return results


def main() -> None:
    """Measure, and print the figures as JSON."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        builds, spec = Builds(Path(scratch) / "engines"), resolve_model(_OPTIONS)
        results = by_format(read_set(folder), spec, builds)
        build = builds.find(spec, BuildKind.INT8)
    figures = {
        "benchmark": "retrieval",
        "machine": machine(),
        "model": spec.name,
        "set": folder.name,
        "int8_engine": build.engine if build else None,
        "int8_check": dict(build.check) if build else None,
        "ndcg_at_10": results,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
