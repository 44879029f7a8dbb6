"""What each step of making Korean terms is worth: nDCG@10 of whole documents by BM25 alone on BEIR-style folders.

    python benchmarks/korean_terms.py FOLDER...

FOLDER holds corpus.jsonl, queries.jsonl and qrels.tsv. 'pairs' are bare pairs of characters, 'particles' leaves
particles out of queries, 'program' also words that only ask, as the program does. With kiwipiepy installed,
'morphemes' are its content words in their place. Prints JSON.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from obsidian_indexer.evaluate.metrics import CUT, ndcg
from obsidian_indexer.evaluate.sets import JudgedSet, read_set
from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.search.stopwords import is_stop_word
from obsidian_indexer.store.particles import without_particle
from obsidian_indexer.store.terms import bigrams, document_terms, split_runs

# Tags of words that carry meaning: nouns, numerals, verbs, adjectives, roots, foreign letters, digits, adverbs.
_CONTENT = ("NN", "NR", "VV", "VA", "XR", "SL", "SN", "SH", "MAG")


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
    if find_spec("kiwipiepy") is not None:
        found["morphemes"] = morphemes()
    return found


def morphemes() -> Way:
    """Content words by kiwipiepy; of a query, those that the program would not leave out."""
    from kiwipiepy import Kiwi  # type: ignore[import-not-found,unused-ignore]

    kiwi = Kiwi()

    @cache
    def content(text: str) -> list[str]:
        forms = [token.form for token in kiwi.tokenize(text) if token.tag.startswith(_CONTENT)]
        return [run for form in forms for run, _ in split_runs(form)]

    def of_query(text: str) -> list[str]:
        return [term for term in content(text) if not is_stop_word(term, not term.isascii())]

    return Way(lambda text: " ".join(content(text)), of_query)


def measure(judged_set: JudgedSet, way: Way) -> float:
    """Mean nDCG at 10 over all queries; one that finds nothing counts 0."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE terms USING fts5(body, content='', tokenize='porter ascii')")
        identities = list(judged_set.documents)
        for row, document in enumerate(judged_set.documents.values()):
            terms = way.of_document(f"{document.title} {document.text}")
            db.execute("INSERT INTO terms(rowid, body) VALUES (?,?)", (row, terms))
        total = 0.0
        for query, text in judged_set.queries.items():
            phrases = match_phrases(list(dict.fromkeys(way.of_query(text))))
            if phrases:
                found = db.execute(
                    "SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY bm25(terms) LIMIT ?",
                    (" OR ".join(phrases), CUT),
                )
                total += ndcg([identities[row] for (row,) in found], judged_set.judged[query])
        return total / len(judged_set.queries)


def main(folders: Sequence[Path]) -> None:
    """Print nDCG@10 by folder and way."""
    figures = {}
    for folder in folders:
        judged_set = read_set(folder)
        figures[judged_set.name] = {name: round(measure(judged_set, way), 4) for name, way in ways().items()}
    print(json.dumps({"machine": machine(), "ndcg_at_10": figures}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
