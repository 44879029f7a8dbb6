"""Reranking: a second reader puts the best results in order, within its time, and never takes any away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed.rerank import LoadedReranker
from obsidian_indexer.engine import Engine
from obsidian_indexer.options import EmbedOptions, SearchOptions
from obsidian_indexer.search.fusion import Fused, Leg, WeightedLeg, fuse
from obsidian_indexer.search.rerank import rerank
from tests.embed.small_models import WORDS, write_cross_encoder
from tests.kit import options_for, write_vault


class Numbers:
    """Reads the number that a passage is; each takes a tenth of a second of its own clock."""

    name = "numbers"

    def __init__(self) -> None:
        self.time = 0.0
        self.batches: list[int] = []

    def coverage(self, text: str) -> float:
        return 1.0

    def scores(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(len(passages))
        self.time += 0.1 * len(passages)
        return np.array([float(passage) for passage in passages], np.float32)

    def clock(self) -> float:
        return self.time


def passages(*rows: tuple[int, str]) -> tuple[sqlite3.Connection, Fused]:
    """Chunks 1, 2 … of (note, text), found in this order."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE chunks (id INTEGER PRIMARY KEY, note_id INTEGER, embedded_text TEXT, text TEXT)")
    connection.executemany("INSERT INTO chunks VALUES (?,?,?,'')", [(place, *row) for place, row in enumerate(rows, 1)])
    scores = {place: 1 - place / 100 for place in range(1, len(rows) + 1)}
    return connection, fuse([WeightedLeg("keyword", 1.0, Leg.ranked(scores, {}))])


def order(rows: Sequence[tuple[int, str]], *, limit: int = 10, budget_ms: float = 1e6, by_note: bool = True) -> Fused:
    connection, fused = passages(*rows)
    reader = Numbers()
    return rerank(
        connection, fused, "q", reader, limit=limit, budget_ms=budget_ms, by_note=by_note, clock=reader.clock
    )[0]


def test_what_was_read_comes_in_the_readers_order_before_the_rest() -> None:
    found = order([(1, "0.2"), (2, "7"), (3, "-3"), (4, "99")], limit=3)
    assert found.ranking == (2, 1, 3, 4)
    scores = [found.scores[place] for place in found.ranking]
    assert scores == sorted(scores, reverse=True)


def test_equal_answers_stay_in_their_order() -> None:
    assert order([(note, "1") for note in range(1, 30)], limit=20).ranking == tuple(range(1, 30))


def test_a_note_is_not_brought_back_by_a_passage_that_was_not_read() -> None:
    rows = [(1, "0"), (1, "9"), (2, "5"), (3, "6")]
    assert order(rows).ranking == (4, 3, 1)
    assert order(rows, by_note=False).ranking == (2, 4, 3, 1)


def test_what_does_not_fit_in_the_time_keeps_its_place_and_the_reader_is_told() -> None:
    connection, fused = passages(*((note, str(note)) for note in range(1, 11)))
    reader = Numbers()
    found, notice = rerank(connection, fused, "q", reader, limit=10, budget_ms=550, by_note=True, clock=reader.clock)
    assert reader.time <= 0.55
    assert found.ranking == (5, 4, 3, 2, 1, 6, 7, 8, 9, 10)
    assert notice is not None
    assert "numbers read 5 of 10 results" in notice
    assert "search.rerank_ms" in notice


def test_the_reader_is_named_as_evidence() -> None:
    found = order([(1, "0.25"), (2, "7")])
    said = {evidence.leg: evidence for evidence in found.evidence(1)}
    assert list(said) == ["keyword", "rerank"]
    assert (said["keyword"].rank, said["rerank"].rank) == (1, 2)
    assert said["rerank"].detail == "0.25 by numbers, place 1 before"


NOTES = {f"{word}.md": f"# {word}\n\n{word} {WORDS[i - 3]} {WORDS[i - 7]} note\n" for i, word in enumerate(WORDS)}


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("models") / "ranker")


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("rerank")
    options = options_for(write_vault(base / "vault", NOTES), base / "index")
    with Engine.open(options) as engine:
        engine.index()
    return base


def opened(base: Path, **search: object) -> Engine:
    options = options_for(base / "vault", base / "index", device="cpu", fast_mode=False)
    return Engine.open(replace(options, search=replace(SearchOptions(), **search)))  # type: ignore[arg-type]


@pytest.fixture
def reranking(indexed: Path, ranker: Path) -> Iterator[Engine]:
    with opened(indexed, rerank_model=str(ranker), rerank_ms=100_000) as engine:
        yield engine


def paths(engine: Engine, query: str, **how: object) -> list[str]:
    return [hit.path for hit in engine.search(query, k=20, **how).hits]  # type: ignore[arg-type]


def test_a_cross_encoder_decides_the_order(reranking: Engine, ranker: Path) -> None:
    plain = paths(reranking, "note graph", rerank=False)
    ranked = paths(reranking, "note graph")
    assert ranked != plain
    assert sorted(ranked) == sorted(plain)
    reader = LoadedReranker(str(ranker), EmbedOptions(device="cpu", fast_mode=False)).get()
    texts = {path: f"{path[:-3]}\n{NOTES[path].splitlines()[2]}" for path in plain}
    alone = dict(zip(texts, reader.scores("note graph", list(texts.values())).tolist(), strict=True))
    assert ranked == sorted(plain, key=lambda path: -alone[path])


def test_a_search_by_keyword_is_reranked_only_when_asked(reranking: Engine) -> None:
    plain = paths(reranking, "note graph", mode="keyword", rerank=False)
    assert paths(reranking, "note graph", mode="keyword") == plain
    assert paths(reranking, "note graph", mode="keyword", rerank=True) != plain


def test_a_script_that_it_does_not_know_leaves_the_order(reranking: Engine) -> None:
    result = reranking.search("노트 연결")
    assert "does not know this script" in (result.notice or "")
    assert "search.rerank_model" in (result.notice or "")


def test_a_missing_reranker_leaves_the_order_and_names_the_setting(indexed: Path) -> None:
    with opened(indexed) as engine:
        plain = paths(engine, "note graph")
        assert "search.rerank_model" in (engine.search("note graph", rerank=True).notice or "")
    with opened(indexed, rerank_model="nobody/ranker") as engine:
        engine.warm()
        assert paths(engine, "note graph") == plain
        notice = engine.search("note graph").notice or ""
        assert "search.rerank_model" in notice
        assert "nobody/ranker" in notice
        assert engine.search("note graph", rerank=False).notice is None


def test_the_explanation_has_the_reranker(reranking: Engine) -> None:
    hits = reranking.search("note graph", explain=True).hits
    for rank, hit in enumerate(hits, 1):
        assert hit.explanation is not None
        (said,) = [evidence for evidence in hit.explanation.legs if evidence.leg == "rerank"]
        assert said.rank == rank
