"""A question in one language finds notes in the other by its words, more so where the vault has none of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.records import Evidence, Hit
from obsidian_indexer.search.translation import translate
from obsidian_indexer.store.catalog import Catalog
from tests.kit import open_engine, write_vault

NOTES = {
    "Company.md": "# Company\n\nThe company pays its money every month.\n",
    "Password.md": "# Password\n\nHow to change a password.\n",
    "Quokka.md": "# Quokka\n\nIt smiles.\n",
    "Garden.md": "# Garden\n\nRoses and tulips.\n",
    "회의.md": "# 회의\n\n분기 예산을 이야기했다.\n",
    "정원.md": "# 정원\n\n장미와 튤립.\n",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("translation")
    with open_engine(write_vault(base / "vault", NOTES), base / "index") as opened:
        opened.index()
        yield opened


def translations_of(hit: Hit) -> Evidence | None:
    assert hit.explanation is not None
    return next((evidence for evidence in hit.explanation.legs if evidence.leg == "translations"), None)


@pytest.mark.parametrize(
    ("query", "path"),
    [("회사에서 받은 돈", "Company.md"), ("비밀번호를 바꾸려면", "Password.md"), ("budget meeting", "회의.md")],
)
def test_the_words_of_one_language_find_a_note_in_the_other(engine: Engine, query: str, path: str) -> None:
    hits = engine.search(query, explain=True).hits
    found = next(hit for hit in hits if hit.path == path)
    evidence = translations_of(found)
    assert evidence is not None
    assert evidence.rank == 1
    assert found.explanation is not None
    total = sum(leg.weight * leg.score for leg in found.explanation.legs)
    assert total == pytest.approx(found.score, abs=1e-3)


def test_the_terms_that_were_looked_up_are_explained(engine: Engine) -> None:
    found = next(hit for hit in engine.search("회사", explain=True).hits if hit.path == "Company.md")
    assert found.explanation is not None
    assert [term.term for term in found.explanation.terms] == ["company"]


def test_a_note_in_the_language_of_the_query_comes_first(engine: Engine) -> None:
    assert engine.search("정원").hits[0].path == "정원.md"


def test_translations_count_less_where_the_vault_knows_the_words(engine: Engine) -> None:
    weights = {}
    for query in ("정원", "회사"):
        evidence = filter(None, map(translations_of, engine.search(query, explain=True).hits))
        weights[query] = next(evidence).weight
    assert weights == {"정원": 0.05, "회사": 0.15}


def test_a_query_without_translations_gives_them_no_weight(engine: Engine) -> None:
    hit = engine.search("quokka", explain=True).hits[0]
    assert hit.explanation is not None
    assert {leg.leg: leg.weight for leg in hit.explanation.legs}["keyword"] == 0.4


@pytest.mark.parametrize("mode", ["semantic", "keyword"])
def test_one_leg_alone_is_left_alone(engine: Engine, mode: str) -> None:
    hits = engine.search("정원", mode=mode, explain=True, plain=True).hits
    assert hits
    assert all(translations_of(hit) is None for hit in hits)


def test_words_that_the_lexicon_does_not_hold_are_left_alone(tmp_path: Path) -> None:
    with Catalog.open(tmp_path) as catalog:
        assert translate(catalog.connection, "zxqv 뷁쉙 ;; a").words == ()
        assert translate(catalog.connection, "").words == ()
