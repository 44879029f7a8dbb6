"""The ablation: a way of weighing ranks by what it is named for, and all legs together rank as a search does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.ablation import Question, measure, rank, ways
from obsidian_indexer.engine import Engine
from obsidian_indexer.options import SearchOptions
from obsidian_indexer.search.weighing import Weights
from obsidian_indexer.store.catalog import Catalog
from tests.kit import open_engine, options_for, write_vault

NOTES = {
    "Kettle.md": "# Kettle\n\nDescale it in spring.\n",
    "Spring.md": "# Spring\n\nA season of rain.\n",
    "Diary.md": "# Diary\n\nThe [[Kettle|whistling pot]] sang in spring.\n",
}
FULL = Weights.of(SearchOptions())


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("ablation")
    with open_engine(write_vault(base / "vault", NOTES), base / "index") as opened:
        opened.index()
        yield opened


def ranking(engine: Engine, query: str, way: str) -> list[str]:
    asked = engine.searcher().gather(query, mode="hybrid", plain=True)
    with Catalog.open(engine.options.data_dir) as catalog:
        return rank(catalog, asked, ways(FULL)[way], FULL)


@pytest.mark.parametrize("query", ["whistling pot", "spring", "descale the kettle", "season of rain"])
def test_all_legs_rank_as_a_search_does(engine: Engine, query: str) -> None:
    hits = [hit.path for hit in engine.search(query, plain=True).hits if hit.score > 0]
    assert ranking(engine, query, "all") == hits


def test_a_leg_alone_ranks_what_it_found_and_nothing_else(engine: Engine) -> None:
    assert ranking(engine, "whistling pot", "links") == ["Kettle.md"]
    assert ranking(engine, "season", "links") == []
    assert ranking(engine, "season", "passages by words") == ["Spring.md"]
    assert ranking(engine, "kettle", "titles by meaning")[0] == "Kettle.md"


def test_a_leg_that_is_left_out_has_no_say(engine: Engine) -> None:
    assert "Kettle.md" not in ranking(engine, "whistling pot", "passages by words")
    assert ranking(engine, "spring", "all")[0] == "Spring.md"


def test_every_way_is_measured_over_all_questions(tmp_path: Path) -> None:
    options = options_for(write_vault(tmp_path / "vault", NOTES), tmp_path / "index")
    questions = [Question("whistling pot", {"Kettle.md": 1}), Question("season of rain", {"Spring.md": 1})]
    figures = measure(options, questions, FULL, 5)
    assert (figures["questions"], figures["nothing_found"], figures["hit_at_5"]) == (2, 0, 1.0)
    by_way = figures["ndcg"]
    assert isinstance(by_way, dict)
    assert set(by_way) == set(ways(FULL))
    assert by_way["links"] == 0.5
