"""Searching: what a reader types finds the note that says it, within the filters, in any script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import NoteError
from obsidian_indexer.search.snippet import snippet
from tests.kit import open_engine, write_vault

NOTES = {
    "Coffee/First crack.md": "---\ntags: [coffee/roast]\naliases: [popping beans]\n---\n# First crack\n\n"
    "The beans begin to snap at 196 degrees.\n\n"
    + "Listen, and write down the minute and the second. " * 6
    + "\n\n## Afterwards\n\nCool them fast in a moving sieve. "
    + "Blow the chaff away outdoors before it settles. " * 6
    + "\n",
    "Coffee/Water.md": "# Water\n\nHard water hides acidity. #coffee\n",
    "Garden/Compost.md": "# Compost\n\nTurn the heap when it smells of ammonia.\n",
    "일기/옵시디언.md": "# 옵시디언\n\n옵시디언에서 노트를 블록 단위로 연결하는 방법을 정리했다. #메모\n",
    "일기/김장.md": "# 김장\n\n배추를 소금에 절이고 고춧가루를 버무린다. Obsidian 이야기는 없다.\n",
    "Archive/Old water.md": "# Old water\n\nHard water again, long ago.\n",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("search")
    with open_engine(write_vault(base / "vault", NOTES), base / "index") as opened:
        opened.index()
        yield opened


def paths(engine: Engine, query: str, **how: object) -> list[str]:
    return [hit.path for hit in engine.search(query, **how).hits]  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("first crack", "Coffee/First crack.md"),
        ("popping beans", "Coffee/First crack.md"),
        ("ammonia heap", "Garden/Compost.md"),
        ("옵시디언", "일기/옵시디언.md"),
        ("블록 연결", "일기/옵시디언.md"),
        ("배추 절이기", "일기/김장.md"),
    ],
)
def test_the_note_that_says_it_comes_first(engine: Engine, mode: str, query: str, first: str) -> None:
    assert paths(engine, query, mode=mode)[0] == first


def test_a_tag_is_found_by_its_word(engine: Engine) -> None:
    assert paths(engine, "roast", mode="keyword") == ["Coffee/First crack.md"]


def test_a_word_still_being_typed_finds_its_note(engine: Engine) -> None:
    assert paths(engine, "ammon", mode="keyword") == ["Garden/Compost.md"]


def test_one_hit_per_note_at_its_best_passage(engine: Engine) -> None:
    hits = engine.search("moving sieve", mode="keyword").hits
    assert len({hit.path for hit in hits}) == len(hits)
    best = hits[0]
    assert best.headings[-1] == "Afterwards"
    lines = NOTES[best.path].split("\n")
    assert "sieve" in "\n".join(lines[best.start_line - 1 : best.end_line])
    assert "sieve" in best.snippet
    assert best.uri.startswith("obsidian://open?vault=vault&file=Coffee%2FFirst%20crack.md")


def test_every_leg_says_where_it_ranked_a_hit(engine: Engine) -> None:
    hit = engine.search("hard water", explain=True).hits[0]
    assert hit.keyword_rank == 1
    assert hit.semantic_rank is not None
    assert hit.similarity is not None
    assert -1 <= hit.similarity <= 1
    assert hit.explanation is not None
    keyword_only = engine.search("hard water", mode="keyword").hits[0]
    assert (keyword_only.semantic_rank, keyword_only.similarity) == (None, None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tag:coffee water", {"Coffee/Water.md", "Coffee/First crack.md"}),
        ("tag:#coffee/roast", {"Coffee/First crack.md"}),
        ("TAG:Coffee", {"Coffee/Water.md", "Coffee/First crack.md"}),
        ("tag:cof", set()),
        ("tag:메모", {"일기/옵시디언.md"}),
        ("path:archive", {"Archive/Old water.md"}),
        ("hard water -path:archive", {"Coffee/Water.md"}),
        ('file:"First crack"', {"Coffee/First crack.md"}),
        ("file:.md path:일기", {"일기/옵시디언.md", "일기/김장.md"}),
    ],
)
def test_filters_keep_exactly_what_they_say(engine: Engine, query: str, expected: set[str]) -> None:
    found = paths(engine, query, k=50, mode="hybrid" if "water" not in query else "keyword")
    assert set(found) == expected if "tag:coffee water" not in query else set(found) <= expected


def test_a_filter_leaves_only_its_notes_to_the_semantic_leg(engine: Engine) -> None:
    assert set(paths(engine, "path:garden water", mode="semantic", k=50)) == {"Garden/Compost.md"}


@given(st.text())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_query_raises(engine: Engine, query: str) -> None:
    result = engine.search(query)
    assert result.query == query


@pytest.mark.parametrize("query", ["", "   ", "\0", '"', "AND OR NOT", "tag:", "-", "()", "*", "\ud800"])
def test_odd_queries_give_an_answer(engine: Engine, query: str) -> None:
    assert engine.search(query).notice is None


def test_similar_notes_leave_out_the_note_itself(engine: Engine) -> None:
    found = [hit.path for hit in engine.similar("Coffee/Water.md").hits]
    assert "Coffee/Water.md" not in found
    assert found[0] == "Archive/Old water.md"
    assert engine.similar("Coffee/Water.md").hits[0].semantic_rank == 1


def test_similar_to_an_unknown_note_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(NoteError, match="not in the index"):
        engine.similar("nowhere.md")


@pytest.mark.parametrize("mode", ["keyword", "hybrid", "semantic"])
def test_before_the_first_run_the_notice_says_what_to_do(tmp_path: Path, mode: str) -> None:
    with open_engine(write_vault(tmp_path / "vault", NOTES), tmp_path / "index") as engine:
        result = engine.search("coffee", mode=mode)
    assert result.hits == ()
    assert result.notice == "Nothing is indexed yet. Run 'index' first."


def test_without_the_model_keywords_answer_and_say_so(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", NOTES)
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        engine._catalog().connection.execute("UPDATE models SET name='gone/model', source='gone/model'")
    with open_engine(vault, tmp_path / "index") as engine:
        result = engine.search("ammonia heap")
        assert result.hits[0].path == "Garden/Compost.md"
        assert "by keyword" in (result.notice or "")


def test_the_english_model_says_when_it_does_not_know_the_script_and_names_one_that_does(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", NOTES)
    with open_engine(vault, tmp_path / "index", model="all-MiniLM-L6-v2", device="cpu") as engine:
        engine.index()
        korean = engine.search("블록을 연결하는 방법")
        assert korean.hits[0].path == "일기/옵시디언.md"
        assert "does not know this script" in (korean.notice or "")
        assert "index --model MiniLM-L6-ko-en" in (korean.notice or "")
        assert "multilingual-e5-small" in (engine.search("どうやって").notice or "")
        assert "does not know this script" in (engine.similar("일기/김장.md").notice or "")
        assert engine.similar("Coffee/Water.md").notice is None
        english = engine.search("what to do when the pile stinks")
        assert english.notice is None
        assert english.hits[0].path == "Garden/Compost.md"


def test_the_default_model_answers_in_korean_and_across_the_languages(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", NOTES)
    with open_engine(vault, tmp_path / "index", model="default", device="cpu") as engine:
        engine.index()
        for question, answer in (
            ("더미에서 냄새가 나면 어떻게 하나요", "Garden/Compost.md"),
            ("what to do when the pile stinks", "Garden/Compost.md"),
            ("connecting blocks with links", "일기/옵시디언.md"),
        ):
            result = engine.search(question, mode="semantic")
            assert result.notice is None
            assert result.hits[0].path == answer


def test_an_index_keeps_the_model_it_was_made_with_and_is_offered_the_default(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", NOTES)
    with open_engine(vault, tmp_path / "index", model="all-MiniLM-L6-v2", device="cpu") as engine:
        made = engine.index()
        assert engine.status().offered_model is None, "chosen by name"
    with open_engine(vault, tmp_path / "index", model="default", device="cpu") as engine:
        assert engine.index().embedded == 0
        status = engine.status()
        assert [(m.name, m.active) for m in status.models] == [("all-MiniLM-L6-v2", True)]
        assert status.offered_model == "MiniLM-L6-ko-en"
    with open_engine(vault, tmp_path / "index", model="MiniLM-L6-ko-en", device="cpu") as engine:
        assert engine.index().embedded == made.embedded
    with open_engine(vault, tmp_path / "index", model="default", device="cpu") as engine:
        assert engine.index().embedded == 0
        assert engine.status().offered_model is None


@given(st.text(), st.text(max_size=30), st.integers(40, 300))
def test_a_snippet_is_one_short_line_of_the_text(text: str, words: str, n_chars: int) -> None:
    found = snippet(text, words, n_chars)
    assert len(found) <= n_chars + 2
    assert "\n" not in found
    assert found.strip("…") in " ".join(text.split())
