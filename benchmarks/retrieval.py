"""What a number format costs in retrieval: nDCG@10 by vectors alone on a BEIR-style folder.

    python benchmarks/retrieval.py FOLDER

FOLDER holds corpus.jsonl, queries.jsonl and qrels.tsv. Whole documents, cut at the model's window, are embedded by each
format of the OpenVINO engine; int8 is calibrated on the documents as an index calibrates it on passages. Prints JSON.
"""

from __future__ import annotations

import csv
import json
import math
import sys
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
from obsidian_indexer.options import EmbedOptions

_AT = 10
# As many documents as an index takes passages (embed/build.py).
_CALIBRATION = 180
Vectors = NDArray[np.float32]


def read_set(folder: Path) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    """Documents, judged queries and judgements by id."""
    judged: dict[str, dict[str, int]] = {}
    with (folder / "qrels.tsv").open(encoding="utf-8") as file:
        for row in csv.reader(file, delimiter="\t"):
            if row and row[-1].lstrip("-").isdigit():
                judged.setdefault(row[0], {})[row[-2]] = int(row[-1])
    documents = {d["_id"]: f"{d.get('title', '')} {d['text']}".strip() for d in _rows(folder / "corpus.jsonl")}
    queries = {q["_id"]: q["text"] for q in _rows(folder / "queries.jsonl") if q["_id"] in judged}
    return documents, queries, judged


def _rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def ndcg(documents: Vectors, queries: Vectors, ids: list[str], judged: list[dict[str, int]]) -> float:
    """Mean nDCG at 10 (Järvelin and Kekäläinen 2002, gain as judged, discount log2(rank + 1))."""
    scores = []
    for vector, relevant in zip(queries, judged, strict=True):
        top = np.argsort(-(documents @ vector))[:_AT]
        found = sum(relevant.get(ids[place], 0) / math.log2(rank + 2) for rank, place in enumerate(top))
        best = sorted(relevant.values(), reverse=True)[:_AT]
        scores.append(found / sum(gain / math.log2(rank + 2) for rank, gain in enumerate(best)))
    return float(np.mean(scores))


def main() -> None:
    """Measure every format that this machine computes."""
    options = EmbedOptions()
    spec = resolve_model(options)
    assert spec.folder is not None
    layout, tokenizer = read_layout(spec.folder, prompts=False), load_tokenizer(spec)
    documents, queries, judged = read_set(Path(sys.argv[1]))
    texts = list(documents.values())
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
        for batch in (texts, list(queries.values())):
            out = np.zeros((len(batch), engine.dim), np.float32)
            for result in embedder.run(tokenizer.encode(batch)):
                out[result.rows] = result.vectors
            vectors.append(out)
        engine.close()
        results[dtype] = round(ndcg(*vectors, list(documents), [judged[query] for query in queries]), 4)
    print(
        json.dumps(
            {"benchmark": "retrieval", "machine": machine(), "set": sys.argv[1], "ndcg_at_10": results}, indent=2
        )
    )


if __name__ == "__main__":
    main()
