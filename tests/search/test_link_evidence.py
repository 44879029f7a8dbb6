"""The words that other notes link to a note with find that note, and nothing else by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.records import Evidence, Hit
from tests.kit import forget_names, open_engine, options_for, write_vault

NOTES = {
    "Roaster.md": "---\ntags: [kit]\n---\nA drum, a fan and a coil.\n\n" + "It hums for twelve minutes. " * 30 + "\n",
    "Kettle.md": "Descale it in spring.\n",
    "Deep/Kettle.md": "Another one.\n",
    "한글/주전자.md": "봄에 물때를 벗긴다.\n",
    "Diary.md": "Cleaned [[Roaster|the old machine]] again, then [the whistling pot](Kettle.md) and "
    "[[주전자|할머니 댁 보물]]. [[Roaster|the old machine]] was hot.\n",
    "Log.md": "[[Roaster|old machine]] broke; ![[Roaster|quokka]] [[Roaster]] [[#Log|wombat]] [[Log|numbat]]\n",
    "Deep/Near.md": "[[Kettle|copper thing]] and [[Nowhere|platypus]]\n",
    "Secret.md": "---\ntags: [private]\n---\n[[Roaster|echidna]]\n",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("links")
    options = options_for(write_vault(base / "vault", NOTES), base / "index")
    options = replace(options, vault=replace(options.vault, exclude_tags=("private",)))
    with Engine.open(options) as opened:
        opened.index()
        yield opened


def links_of(hit: Hit) -> Evidence | None:
    assert hit.explanation is not None
    return next((evidence for evidence in hit.explanation.legs if evidence.leg == "links"), None)


def found_by_link(engine: Engine, query: str, mode: str = "keyword") -> dict[str, Evidence]:
    hits = engine.search(query, mode=mode, k=20, explain=True).hits
    assert len({hit.path for hit in hits}) == len(hits)
    return {hit.path: evidence for hit in hits if (evidence := links_of(hit)) is not None}


@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_what_others_call_a_note_finds_it_and_says_where(engine: Engine, mode: str) -> None:
    found = found_by_link(engine, "old machine", mode)
    assert list(found) == ["Roaster.md"]
    assert found["Roaster.md"].detail in (
        '"old machine" in Log.md and in 1 more',
        '"the old machine" in Diary.md and in 1 more',
    )
    assert found["Roaster.md"].weight == pytest.approx(0.1)


def test_a_markdown_link_counts_as_a_wikilink_does(engine: Engine) -> None:
    assert list(found_by_link(engine, "whistling pot")) == ["Kettle.md"]


def test_links_in_korean_find_their_note(engine: Engine) -> None:
    assert list(found_by_link(engine, "할머니의 보물은")) == ["한글/주전자.md"]


def test_the_evidence_goes_where_the_link_leads(engine: Engine) -> None:
    assert list(found_by_link(engine, "copper thing")) == ["Deep/Kettle.md"]


@pytest.mark.parametrize("word", ["quokka", "wombat", "numbat", "platypus", "echidna"])
def test_embeds_own_and_lost_links_and_notes_that_are_kept_out_say_nothing(engine: Engine, word: str) -> None:
    assert found_by_link(engine, word) == {}


def test_the_text_of_a_link_that_is_all_that_matches_finds_the_first_passage(engine: Engine) -> None:
    hit = next(hit for hit in engine.search("old machine", mode="keyword").hits if hit.path == "Roaster.md")
    assert (hit.keyword_rank, hit.start_line) == (None, 4)


def test_a_passage_that_matches_is_shown_and_not_the_first(engine: Engine) -> None:
    with_words = engine.search("old machine hums twelve", mode="keyword").hits[0]
    assert with_words.path == "Roaster.md"
    assert "hums" in with_words.snippet


def test_a_condition_leaves_the_note_out(engine: Engine) -> None:
    assert list(found_by_link(engine, "tag:kit old machine")) == ["Roaster.md"]
    assert found_by_link(engine, "-tag:kit old machine") == {}


def test_links_are_no_part_of_a_search_by_meaning_alone(engine: Engine) -> None:
    assert found_by_link(engine, "old machine", "semantic") == {}


def test_half_the_words_are_half_the_evidence(engine: Engine) -> None:
    whole = found_by_link(engine, "whistling pot")["Kettle.md"].score
    half = found_by_link(engine, "whistling kangaroo")["Kettle.md"].score
    assert 0 < half < 0.75 * whole <= 0.75


def test_edits_moves_and_removals_take_the_evidence_along(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", NOTES)
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        (vault / "Kettle.md").rename(vault / "Pot.md")
        engine.index()
        assert list(found_by_link(engine, "whistling pot")) == ["Deep/Kettle.md"]
        (vault / "Diary.md").write_text("Cleaned [[Pot|singing pot]].\n", "utf-8")
        engine.index()
        assert found_by_link(engine, "whistling") == {}
        assert list(found_by_link(engine, "singing")) == ["Pot.md"]
        (vault / "Diary.md").unlink()
        engine.index()
        assert found_by_link(engine, "singing") == {}
        assert engine._catalog().connection.execute(
            "SELECT count(*) FROM anchors WHERE text LIKE '%pot%'"
        ).fetchone() == (0,)


def test_an_index_made_before_gets_names_and_links_without_embedding(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", NOTES)
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
    forget_names(tmp_path / "index")
    with open_engine(vault, tmp_path / "index") as engine:
        assert found_by_link(engine, "old machine") == {}
        report = engine.index()
        assert (report.embedded, report.unchanged) == (0, report.seen)
        assert list(found_by_link(engine, "old machine")) == ["Roaster.md"]
