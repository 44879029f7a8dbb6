"""What each leg of a search is worth: nDCG of each leg alone, of all but one, and of all, with the program's weights.

    python benchmarks/ablation.py SET… [--manual FOLDER] [--keep FOLDER] [--limit N] [--model NAME] [--weights NAME=X…]

SET is a folder with corpus.jsonl, queries.jsonl and qrels.tsv; `--manual` is Obsidian's own manual, with `en` and `ko`,
which the questions in tests/quality ask (the Korean ones ask both). The legs are asked once for each question and
weighed in every way, so that other weights cost next to nothing: `rank` is what a search for better ones would call.
`--keep` keeps vaults and indexes there and embeds nothing again. Prints one JSON object, which `run_all.py` keeps and
`report.py` makes a table of.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import main as program

os.environ.update({name: os.environ.get(name, value) for name, value in program.ENVIRONMENT.items()})

from benchmarks.machine import ROOT, machine
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.workload import spread
from obsidian_indexer.engine import Engine
from obsidian_indexer.evaluate.metrics import CUT, first_rank, ndcg
from obsidian_indexer.evaluate.sets import as_notes, read_set
from obsidian_indexer.evaluate.vaults import INDEX, place_for, write_vault
from obsidian_indexer.options import EmbedOptions, Options, SearchOptions
from obsidian_indexer.search.naming import named_first
from obsidian_indexer.search.searcher import Asked
from obsidian_indexer.search.weighing import Found, Weights, weigh
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.rows import path_from_row

QUESTIONS = ROOT / "tests" / "quality"
# Of the manual's questions the first five notes are looked at, as somebody who asks does.
_MANUAL_CUT = 5
_MODE = "hybrid"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the gain of each note (by path) that answers it."""

    text: str
    gains: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Way:
    """One way of weighing. `named` says whether a query that is a note's name puts that note first."""

    weights: Weights
    named: bool = True
    alone: bool = False


def ways(full: Weights) -> dict[str, Way]:
    """All legs, each one left out, and each one alone."""
    none = Weights(semantic=0.0, titles=0.0, links=0.0, whole_notes=0.0, note_meaning=0.0, translations=0.0)
    return {
        "all": Way(full),
        "without passages by words": Way(replace(full, whole_notes=1.0)),
        "without notes by words": Way(replace(full, whole_notes=0.0)),
        "without meaning": Way(replace(full, semantic=0.0)),
        "without passages by meaning": Way(replace(full, note_meaning=1.0)),
        "without notes by meaning": Way(replace(full, note_meaning=0.0)),
        "without titles by meaning": Way(replace(full, titles=0.0)),
        "without links": Way(replace(full, links=0.0)),
        "without translations": Way(replace(full, translations=0.0)),
        "without names first": Way(full, named=False),
        "passages by words": Way(none, alone=True),
        "notes by words": Way(replace(none, whole_notes=1.0), alone=True),
        "passages by meaning": Way(replace(none, semantic=1.0), alone=True),
        "notes by meaning": Way(replace(none, semantic=1.0, note_meaning=1.0), alone=True),
        "titles by meaning": Way(replace(none, titles=1.0), alone=True),
        "translations": Way(replace(none, translations=1.0), alone=True),
        "links": Way(replace(none, links=1.0), alone=True),
    }


def rank(catalog: Catalog, asked: Asked, way: Way, full: Weights) -> list[str]:
    """Paths of the notes, best first, as this way of weighing ranks them."""
    # What the query itself made of the program's weights holds for others too, save for a leg alone.
    weights = way.weights
    if not way.alone:
        weights = weights.for_words(asked.query.words)
        weights = weights.unsure() if asked.weights != full.for_words(asked.query.words) else weights
    # Alone, translations count whole whatever the vault knows, and nothing stands in where there are none.
    found = Found(translated=asked.found.translated, unknown=1.0) if weights.translations == 1.0 else asked.found
    fused = weigh(found, asked.places, weights)
    if way.named and not way.alone:
        fused = named_first(catalog, asked.query, fused, asked.selection.scope)
    places = [place for place in fused.ranking if fused.scores[place] > 0]
    notes = list(dict.fromkeys(asked.places.note_of[place] for place in places if place in asked.places.note_of))[:CUT]
    paths = dict(
        catalog.connection.execute(f"SELECT id, path FROM notes WHERE id IN ({','.join(map(str, notes))})").fetchall()
    )
    return [path_from_row(paths[note_id]) for note_id in notes]


def measure(options: Options, questions: Sequence[Question], full: Weights, cut: int) -> dict[str, object]:
    """NDCG at `cut` of every way, and of all legs together hit@1, hit@5 and the questions that bring nothing."""
    gains: dict[str, list[float]] = {name: [] for name in ways(full)}
    firsts: list[int | None] = []
    nothing = 0
    with Engine.open(options) as engine, Catalog.open(options.data_dir) as catalog:
        report = engine.index()
        engine.warm()
        searcher = engine.searcher()
        for question in questions:
            asked = searcher.gather(question.text, mode=_MODE, plain=True)
            for name, way in ways(full).items():
                ranking = rank(catalog, asked, way, full)
                gains[name].append(ndcg(ranking, question.gains, cut))
                if name == "all":
                    firsts.append(first_rank(ranking, question.gains))
                    nothing += not ranking
    return {
        "questions": len(questions),
        "passages": report.chunks,
        "cut": cut,
        "ndcg": {name: round(statistics.mean(values), 4) for name, values in gains.items()},
        "hit_at_1": round(statistics.mean(first == 1 for first in firsts), 4),
        "hit_at_5": round(statistics.mean(first is not None and first <= 5 for first in firsts), 4),
        "nothing_found": nothing,
    }


def beir(folder: Path, base: Options, keep: Path, limit: int | None) -> tuple[Options, list[Question]]:
    """The vault of a judged collection, and its queries: at most `limit`, evenly spread."""
    judged = read_set(folder)
    notes = as_notes(judged.documents)
    path_of = {identity: path for path, (identity, _) in notes.items()}
    with place_for(folder, keep) as place:
        options = replace(base, vault_path=write_vault(notes, place), data_dir=place / INDEX)
    asked = list(judged.queries) if limit is None else spread(list(judged.queries), limit)
    return options, [
        Question(
            judged.queries[query],
            {path_of[found]: gain for found, gain in judged.judged[query].items() if found in path_of},
        )
        for query in asked
    ]


def manual(
    folder: Path, language: str, file: str, field: str, base: Options, keep: Path
) -> tuple[Options, list[Question]]:
    """The manual in a language, and the questions of a file whose answers in it are in a field."""
    vault = (folder / language).resolve()
    rows = [json.loads(line) for line in (QUESTIONS / file).read_text("utf-8").splitlines()]
    options = replace(base, vault_path=vault, data_dir=keep.resolve() / f"manual-{language}")
    return options, [Question(row["query"], dict.fromkeys(row[field], 1)) for row in rows]


def run() -> None:
    """Measure every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="*", metavar="SET")
    parser.add_argument("--manual", type=Path, help="folder with the manual in `en` and `ko`")
    parser.add_argument("--keep", type=Path, help="folder for vaults and indexes")
    parser.add_argument("--limit", type=int, help="at most so many queries of a SET")
    parser.add_argument("--model", default="default")
    parser.add_argument(
        "--weights", nargs="*", default=[], metavar="NAME=X", help="search settings in place of the program's"
    )
    arguments = parser.parse_args()
    chosen = {name: float(value) for name, _, value in (pair.partition("=") for pair in arguments.weights)}
    search = replace(SearchOptions(), **chosen)
    full = Weights.of(search)
    embedding = EmbedOptions(model=resolve_model(EmbedOptions(model=arguments.model)).source)
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as scratch:
        keep = arguments.keep or Path(scratch)
        base = Options(keep, keep, embedding=embedding, search=search)
        for folder in arguments.sets:
            results[folder.name] = measure(*beir(folder, base, keep, arguments.limit), full, CUT)
        if arguments.manual is not None:
            for name, language, file, field in (
                ("manual-en", "en", "questions-en.jsonl", "answers"),
                ("manual-ko", "ko", "questions-ko.jsonl", "answers"),
                ("manual-ko-en", "en", "questions-ko.jsonl", "answers_en"),
            ):
                asked = manual(arguments.manual, language, file, field, base, keep)
                results[name] = measure(*asked, full, _MANUAL_CUT)
    print(
        json.dumps(
            {
                "benchmark": "ablation",
                "machine": machine(),
                "model": resolve_model(embedding).name,
                "weights": asdict(full),
                "sets": results,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    run()
