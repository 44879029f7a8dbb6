"""Explanations: each leg says what it found a hit by, and the parts add up to the score."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.search.fusion import Leg, WeightedLeg, fuse
from obsidian_indexer.search.query import match_phrases
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import match_chunks
from tests.kit import open_engine, write_vault

NOTES = {
    "Water.md": "# Water\n\nHard water hides acidity in the cup.\n",
    "Kettle.md": "---\naliases: [water boiler]\n---\n# Kettle\n\nDescale it when hard scale shows.\n",
    "옵시디언.md": "# 옵시디언\n\n옵시디언에서 노트를 연결한다.\n",
    **{f"Garden {i}.md": f"# Garden {i}\n\nTurn the heap.\n" for i in range(4)},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explain")


@pytest.fixture(scope="module")
def engine(place: Path) -> Iterator[Engine]:
    with open_engine(write_vault(place / "vault", NOTES), place / "index") as opened:
        opened.index()
        yield opened


@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
def test_the_legs_add_up_to_the_score(engine: Engine, mode: str) -> None:
    hits = engine.search("hard water", mode=mode, explain=True).hits
    assert hits
    for hit in hits:
        assert hit.explanation is not None
        total = sum(evidence.weight * evidence.score for evidence in hit.explanation.legs)
        assert total == pytest.approx(hit.score, abs=1e-3)
        ranks = {evidence.leg: evidence.rank for evidence in hit.explanation.legs}
        assert (ranks.get("keyword"), ranks.get("semantic")) == (hit.keyword_rank, hit.semantic_rank)


def test_the_semantic_leg_tells_its_cosine(engine: Engine) -> None:
    hit = engine.search("hard water", mode="semantic", explain=True).hits[0]
    assert hit.explanation is not None
    assert hit.similarity is not None
    details = {evidence.leg: evidence.detail for evidence in hit.explanation.legs}
    assert details["semantic"] == f"cosine {hit.similarity:.3f}, its note {hit.similarity:.3f}"


def test_the_terms_add_up_to_the_passages_bm25(engine: Engine, place: Path) -> None:
    hit = engine.search("hard water cup", mode="keyword", explain=True).hits[0]
    assert hit.explanation is not None
    with Catalog.open(place / "index") as catalog:
        best = match_chunks(catalog.connection, match_phrases(["hard", "water", "cup"]), 1)[0]
    assert sum(term.passage for term in hit.explanation.terms) == pytest.approx(best.score, abs=1e-3)
    assert {term.term for term in hit.explanation.terms} == {"cup", "water", "hard"}


def test_a_term_that_stands_elsewhere_in_the_note_is_the_notes(engine: Engine) -> None:
    hits = {hit.path: hit for hit in engine.search("water", mode="keyword", explain=True).hits}
    explanation = hits["Kettle.md"].explanation
    assert explanation is not None
    (term,) = explanation.terms
    assert (term.term, term.passage) == ("water", 0.0)
    assert term.note > 0


def test_terms_of_unspaced_scripts_are_shown_as_looked_up(engine: Engine) -> None:
    hit = engine.search("옵시디언", mode="keyword", explain=True).hits[0]
    assert hit.explanation is not None
    assert {term.term for term in hit.explanation.terms} == {"옵시", "시디", "디언"}


def test_nothing_is_explained_unasked(engine: Engine) -> None:
    assert engine.search("hard water").hits[0].explanation is None


def test_a_condition_alone_has_no_legs(engine: Engine) -> None:
    hit = engine.search("file:Water", explain=True).hits[0]
    assert hit.explanation is not None
    assert hit.explanation.legs == ()


def test_a_further_leg_counts_and_explains_itself() -> None:
    fused = fuse(
        [
            WeightedLeg("keyword", 0.5, Leg.ranked({1: 1.0, 2: 0.4}, {}, terms=["tea"])),
            WeightedLeg("links", 0.25, Leg.ranked({3: 1.0, 2: 0.8}, {}, detail={2: "linked from Tea.md"}.get)),
        ]
    )
    assert fused.ranking == (1, 2, 3)
    assert fused.scores == pytest.approx({1: 0.5, 2: 0.4, 3: 0.25})
    assert [(e.leg, e.rank, e.score, e.weight, e.detail) for e in fused.evidence(2)] == [
        ("keyword", 2, 0.4, 0.5, None),
        ("links", 2, 0.8, 0.25, "linked from Tea.md"),
    ]
    assert (fused.rank("keyword", 3), fused.rank("links", 3), fused.terms()) == (None, 1, ("tea",))
