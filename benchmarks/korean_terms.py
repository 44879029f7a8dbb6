"""What each step of making Korean terms is worth: nDCG@10 of whole documents by BM25 alone on BEIR-style folders.

    python benchmarks/korean_terms.py FOLDER...

FOLDER holds corpus.jsonl, queries.jsonl and qrels.tsv. 'pairs' are bare pairs of characters, 'particles' leaves
particles out of queries, 'program' also words that only ask, as the program does. With kiwipiepy installed,
'morphemes' stand in their place and 'both' beside them, as with search.korean_morphemes. 'ms a document' is the time
that the terms of one take. Prints JSON.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from obsidian_indexer.evaluate.metrics import CUT, ndcg
from obsidian_indexer.evaluate.sets import JudgedSet, read_set
from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.search.terms import query_morphemes
from obsidian_indexer.store.morphemes import analyser_version, marked_morphemes, take_apart
from obsidian_indexer.store.particles import without_particle
from obsidian_indexer.store.terms import bigrams, document_terms, split_runs


@dataclass(frozen=True, slots=True)
class Way:
    """A way of making terms: the blank-separated ones of a document, and those of a query."""

    of_document: Callable[[str], str]
    of_query: Callable[[str], Sequence[str]]


def pairs_of(text: str) -> list[str]:
    """Words, and pairs of characters."""
    return [term for run, unspaced in split_runs(text) for term in (bigrams(run) if unspaced else [run])]


def pairs_without_particles(text: str) -> list[str]:
    """The same of words without their particles."""
    runs = [(without_particle(run) if unspaced else run, unspaced) for run, unspaced in split_runs(text)]
    return [term for run, unspaced in runs for term in (bigrams(run) if unspaced else [run])]


def ways() -> dict[str, Way]:
    """Every way that can be measured here."""
    found = {
        "pairs": Way(lambda text: " ".join(pairs_of(text)), pairs_of),
        "particles": Way(document_terms, pairs_without_particles),
        "program": Way(document_terms, match_terms),
    }
    if analyser_version() is not None:
        found["morphemes"] = Way(lambda text: " ".join(marked_morphemes(text)), query_morphemes)
        found["both"] = Way(
            lambda text: " ".join((document_terms(text), *marked_morphemes(text))),
            lambda text: [*match_terms(text), *query_morphemes(text)],
        )
    return found


def measure(judged_set: JudgedSet, way: Way) -> tuple[float, float]:
    """Mean nDCG at 10 over all queries (one that finds nothing counts 0), and the seconds that all documents take."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE terms USING fts5(body, content='', tokenize='porter ascii')")
        identities = list(judged_set.documents)
        take_apart.cache_clear()
        started = time.perf_counter()
        texts = [way.of_document(f"{document.title} {document.text}") for document in judged_set.documents.values()]
        seconds = time.perf_counter() - started
        db.executemany("INSERT INTO terms(rowid, body) VALUES (?,?)", enumerate(texts))
        total = 0.0
        for query, text in judged_set.queries.items():
            phrases = match_phrases(list(dict.fromkeys(way.of_query(text))))
            if phrases:
                found = db.execute(
                    "SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY bm25(terms) LIMIT ?",
                    (" OR ".join(phrases), CUT),
                )
                total += ndcg([identities[row] for (row,) in found], judged_set.judged[query])
    return total / len(judged_set.queries), seconds


def main(folders: Sequence[Path]) -> None:
    """Print the figures by way and folder."""
    sets = [read_set(folder) for folder in folders]
    n_documents = sum(len(judged_set.documents) for judged_set in sets)
    figures = {}
    for name, way in ways().items():
        way.of_document("말")  # to load what it needs is no document's time
        measured = {judged_set.name: measure(judged_set, way) for judged_set in sets}
        seconds = sum(spent for _, spent in measured.values())
        figures[name] = {found: round(score, 4) for found, (score, _) in measured.items()} | {
            "ms a document": round(seconds * 1000 / n_documents, 2)
        }
    print(json.dumps({"benchmark": "korean_terms", "machine": machine(), "ways": figures}, indent=2))


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
