"""A query that is what a note is called puts that note first, in every mode, unless a condition leaves it out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.records import Evidence, Hit
from tests.kit import open_engine, options_for, write_vault

LOUD = "water plan water plan 옥상 텃밭 계획 reading list c++ notes (old) notes old. " * 4
NOTES = {
    "Water plan.md": "---\naliases: [Spring flood]\ntags: [garden]\n---\nNothing here repeats what it is called.\n",
    "Archive/water-plan.md": "---\ntags: [archive]\n---\nAnother one, of last year.\n",
    "텃밭/옥상 텃밭 계획.md": "상추를 심는다.\n",
    "C++ notes (old).md": "Pointers.\n",
    "Board.excalidraw.md": "---\nexcalidraw-plugin: parsed\n---\n# Text Elements\nA sketch ^abc\n",
    "Empty.md": "",
    "Kept.md": "---\ntags: [private]\naliases: [Diary of a fox]\n---\nNot for searching.\n",
    **{f"Loud {i}.md": f"# {LOUD}\n\n{LOUD} spring flood board {i}\n" for i in range(4)},
}
MODES = pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("naming")
    with open_engine(write_vault(base / "vault", NOTES), base / "index") as opened:
        opened.index()
        yield opened


def name_of(hit: Hit) -> Evidence | None:
    assert hit.explanation is not None
    return next((evidence for evidence in hit.explanation.legs if evidence.leg == "name"), None)


@MODES
@pytest.mark.parametrize(
    ("query", "first", "said"),
    [
        ("spring  FLOOD", "Water plan.md", "the query is its alias: Spring flood"),
        ("옥상텃밭 계획", "텃밭/옥상 텃밭 계획.md", "the query is its title"),
        (unicodedata.normalize("NFD", "옥상 텃밭 계획"), "텃밭/옥상 텃밭 계획.md", "the query is its title"),
        ("c++ notes (old)", "C++ notes (old).md", "the query is its title"),
        ("board.excalidraw", "Board.excalidraw.md", "the query is its file name: Board.excalidraw"),
        ("tag:garden spring flood", "Water plan.md", "the query is its alias: Spring flood"),
    ],
)
def test_what_a_note_is_called_finds_it_first(engine: Engine, mode: str, query: str, first: str, said: str) -> None:
    hit = engine.search(query, mode=mode, explain=True).hits[0]
    evidence = name_of(hit)
    assert hit.path == first
    assert evidence is not None
    assert (evidence.rank, evidence.detail) == (1, said)


@MODES
def test_all_notes_of_one_title_come_first_in_the_order_they_have(engine: Engine, mode: str) -> None:
    hits = engine.search("water plan", mode=mode, explain=True).hits
    assert {hit.path for hit in hits[:2]} == {"Water plan.md", "Archive/water-plan.md"}
    assert len({hit.path for hit in hits}) == len(hits)
    assert [name_of(hit) is not None for hit in hits[:3]] == [True, True, False]
    assert [hit.score for hit in hits[:2]] == sorted((hit.score for hit in hits[:2]), reverse=True)


@MODES
def test_a_condition_leaves_it_out_all_the_same(engine: Engine, mode: str) -> None:
    hits = engine.search("water plan -tag:garden", mode=mode).hits
    assert hits[0].path == "Archive/water-plan.md"
    assert "Water plan.md" not in {hit.path for hit in hits}


def test_a_part_of_a_name_is_no_name(engine: Engine) -> None:
    hits = engine.search("water", mode="keyword", explain=True).hits
    assert all(name_of(hit) is None for hit in hits)


def test_dates_keep_their_order(engine: Engine) -> None:
    hits = engine.search("path:plan water plan sort:modified", explain=True).hits
    assert hits
    by_date = [hit.path for hit in engine.search("path:plan sort:modified").hits]
    assert [hit.path for hit in hits] == [path for path in by_date if path in {hit.path for hit in hits}]


def test_an_empty_note_is_not_found_by_its_name(engine: Engine) -> None:
    assert all(hit.path != "Empty.md" for hit in engine.search("empty").hits)


def test_a_new_name_counts_after_the_next_run_and_an_old_one_no_more(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", {"Old name.md": "Text.\n", "Loud.md": "old name old name new name\n"})
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        assert engine.search("old name", mode="keyword").hits[0].path == "Old name.md"
        (vault / "Old name.md").rename(vault / "New name.md")
        engine.index()
        assert engine.search("new name", mode="keyword").hits[0].path == "New name.md"
        assert name_of(engine.search("old name", mode="keyword", explain=True).hits[0]) is None


def test_what_is_kept_out_has_no_name(tmp_path: Path) -> None:
    options = options_for(write_vault(tmp_path / "vault", NOTES), tmp_path / "index")
    options = replace(options, vault=replace(options.vault, exclude_tags=("private",)))
    with Engine.open(options) as engine:
        engine.index()
        assert all(hit.path != "Kept.md" for hit in engine.search("diary of a fox", k=20).hits)
