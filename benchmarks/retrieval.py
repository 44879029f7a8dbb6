"""What a number format costs in retrieval: nDCG@10 by vectors alone on a BEIR-style folder.

    python benchmarks/retrieval.py FOLDER

FOLDER holds corpus.jsonl, queries.jsonl and qrels.tsv. Whole documents, cut at the model's window, are embedded by each
format of the OpenVINO engine; int8 is calibrated on the documents as an index calibrates it on passages. Prints JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.make_build import like_queries, quantise
from obsidian_indexer.embed.openvino_engine import OpenVinoEngine, cpu_has_bfloat16
from obsidian_indexer.embed.openvino_graph import read_graph, read_layout
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import load_tokenizer
from obsidian_indexer.embed.workload import spread
from obsidian_indexer.evaluate.metrics import CUT, ndcg
from obsidian_indexer.evaluate.sets import read_set
from obsidian_indexer.options import EmbedOptions

# As many documents as an index takes passages (embed/build.py).
_CALIBRATION = 180
Vectors = NDArray[np.float32]


def mean_ndcg(documents: Vectors, queries: Vectors, ids: list[str], judged: list[Mapping[str, int]]) -> float:
    """Mean nDCG at 10 of the documents nearest to each query."""
    nearest = [np.argsort(-(documents @ vector))[:CUT] for vector in queries]
    return float(np.mean([ndcg([ids[i] for i in top], gains) for top, gains in zip(nearest, judged, strict=True)]))


def main() -> None:
    """Measure every format that this machine computes."""
    options = EmbedOptions()
    spec = resolve_model(options)
    assert spec.folder is not None
    layout, tokenizer = read_layout(spec.folder, prompts=False), load_tokenizer(spec)
    judged_set = read_set(Path(sys.argv[1]))
    texts = [f"{document.title} {document.text}".strip() for document in judged_set.documents.values()]
    sample = spread(sorted(texts, key=len), _CALIBRATION)
    calibration = tokenizer.encode([*sample, *like_queries(sample, spec)])
    quantised = quantise(read_graph(layout), calibration, spec.max_tokens)
    formats = ["float32", *(["bfloat16"] if cpu_has_bfloat16() else []), "int8"]
    results = {}
    for dtype in formats:
        graph = quantised if dtype == "int8" else read_graph(layout)
        engine = OpenVinoEngine(lambda graph=graph: graph, dtype, options, spec.max_tokens)  # type: ignore[misc]
        embedder = Embedder(spec, tokenizer, engine, options)
        vectors = []
        for batch in (texts, list(judged_set.queries.values())):
            out = np.zeros((len(batch), engine.dim), np.float32)
            for result in embedder.run(tokenizer.encode(batch)):
                out[result.rows] = result.vectors
            vectors.append(out)
        engine.close()
        judged = [judged_set.judged[query] for query in judged_set.queries]
        results[dtype] = round(mean_ndcg(*vectors, list(judged_set.documents), judged), 4)
    print(
        json.dumps(
            {"benchmark": "retrieval", "machine": machine(), "set": Path(sys.argv[1]).name, "ndcg_at_10": results}, indent=2
        )
    )


if __name__ == "__main__":
    main()
