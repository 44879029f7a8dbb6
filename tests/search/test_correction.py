"""A query that no note answers as it is typed: misspelt words, and words typed in the other keyboard layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsidian_indexer.embed.tokens import FakeTokenizer
from obsidian_indexer.engine import Engine
from obsidian_indexer.search.layout import as_hangul, as_latin
from obsidian_indexer.search.spelling import Vocabulary
from tests.kit import open_engine, write_vault

NOTES = {
    "Retrieval.md": "# Retrieval\n\nMeasuring the retrieval of passages from settings of a database.\n",
    "Meeting.md": "---\naliases: [Standup]\n---\n# Meeting\n\nWe receive guests and talk about kubernetes in 2024.\n",
    "Python.md": "# Python\n\nA note on generators.\n",
    "옵시디언.md": "# 옵시디언\n\n옵시디언에서 회의록을 정리한다. 집에서 쓴다.\n",
    "재가.md": "# 재가\n\n재가 급여의 조건.\n",
    "부엌.md": "# 부엌\n\n된장찌개를 끓이면 고양이가 온다. 배와 무. 서둘러 먹은 유일한 저녁.\n",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("correction")
    with open_engine(write_vault(base / "vault", NOTES), base / "index") as opened:
        opened.index()
        yield opened


@pytest.mark.parametrize("mode", ["keyword", "hybrid", "semantic"])
@pytest.mark.parametrize(
    ("query", "corrected", "first"),
    [
        ("retreival", "retrieval", "Retrieval.md"),
        ("database settigns", "database settings", "Retrieval.md"),
        ("Recieve guests", "Receive guests", "Meeting.md"),
        ("meetnig", "meeting", "Meeting.md"),
        ("stadnup", "standup", "Meeting.md"),
        ("dhqtleldjs", "옵시디언", "옵시디언.md"),
        ("ghldmlfhrdmf wjdfl", "회의록을 정리", "옵시디언.md"),
        ("ㅔㅛ소ㅐㅜ", "python", "Python.md"),
        ("ㅖㅛ소ㅐㅜ", "Python", "Python.md"),
        ("ㅔㅕ소ㅐㅜ generators", "python generators", "Python.md"),
        ("된장찌게", "된장찌개", "부엌.md"),
        ("찌게를 끓이는 법", "찌개 끓이는 법", "부엌.md"),
        ("고냥이는", "고양이", "부엌.md"),
        ("회이록 정리", "회의록 정리", "옵시디언.md"),
    ],
)
def test_what_was_meant_is_searched_for_and_said(
    engine: Engine, mode: str, query: str, corrected: str, first: str
) -> None:
    result = engine.search(query, mode=mode)
    assert result.corrected == corrected
    assert f'Showing results for "{corrected}"' in (result.notice or "")
    assert result.query == query
    # What the fake model takes for near is no measure.
    assert mode == "semantic" or result.hits[0].path == first


@pytest.mark.parametrize(
    "query",
    [
        "retrieval",
        "retriev",  # still being typed
        "gnats",  # nothing like it in the vault
        "pyt",  # short words are neighbours of too many others
        "2023",  # a number is what it is
        "k8rnetes",
        "RECIEVE",  # may stand for seven words
        "옵시디엔",  # shares syllables with a note
        "베",  # one syllable is next to every other
        "된장찌가",  # no vowel that sounds the same
        "고양어",  # not the middle one
        "서툴러",  # a form of a verb is next to those of others
        "유익한",  # a word of its own
        "ㅋㅋㅋ",
        "xyzzyxyzzy",
    ],
)
def test_other_words_are_left_as_they_are(engine: Engine, query: str) -> None:
    result = engine.search(query, mode="keyword")
    assert (result.corrected, result.notice) == (None, None)


@pytest.mark.parametrize("query", ['"retreival"', "file:retreival", "-retreival"])
def test_what_must_stand_as_written_is_not_changed(engine: Engine, query: str) -> None:
    assert engine.search(query, mode="keyword").corrected is None


def test_a_condition_is_kept_beside_a_corrected_word(engine: Engine) -> None:
    result = engine.search("path:meeting recieve", mode="keyword")
    assert result.corrected == "receive"
    assert [hit.path for hit in result.hits] == ["Meeting.md"]


def test_a_word_that_the_model_knows_is_left_to_its_meaning(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.search("work").corrected == "재가"
    monkeypatch.setattr(FakeTokenizer, "knows", lambda self, word: word == "work")
    assert engine.search("work").corrected is None


def test_the_model_reads_the_corrected_words(engine: Engine) -> None:
    corrected, written = engine.search("retreival"), engine.search("retrieval")
    assert corrected.hits[0].similarity == written.hits[0].similarity


def test_new_words_are_known_at_once_and_gone_ones_forgotten(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", {"a.md": "Marmalade.\n"})
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        assert engine.search("marmelade", mode="keyword").corrected == "marmalade"
        (vault / "a.md").write_text("Chutney.\n", "utf-8")
        engine.index()
        assert engine.search("marmelade", mode="keyword").corrected is None
        assert engine.search("chutny", mode="keyword").corrected == "chutney"


def test_the_word_of_fewest_edits_then_of_most_notes_is_taken() -> None:
    words = Vocabulary([("connection", 1), ("collection", 9), ("correction", 5)])
    assert words.nearest("conection") == "connection"
    assert words.nearest("cornection") == "correction"
    assert Vocabulary([("planet", 1), ("planer", 4), ("planes", 2)]).nearest("planeq") == "planer"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("abc", None),
        ("wrold", "world"),  # two neighbours swapped are one edit
        ("wrodl", None),  # twice is one too many for five letters
        ("kubrenetse", "kubernetes"),
        ("werld", "world"),
        ("worl", "world"),
        ("worlld", "world"),
        ("owrld", "world"),
        ("aworld", None),  # the first letter is seldom the wrong one
        ("примре", "пример"),
    ],
)
def test_how_far_a_word_may_be_from_what_was_meant(word: str, meant: str | None) -> None:
    assert Vocabulary([("world", 1), ("kubernetes", 1), ("пример", 1)]).nearest(word) == meant


def test_an_empty_vault_corrects_nothing() -> None:
    assert Vocabulary([]).nearest("anything") is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gksrmf", "한글"),
        ("Rkcl", "까치"),
        ("ekfrqkf", "닭발"),
        ("rkqtdl", "값이"),
        ("rkqtl", "갑시"),
        ("dhkTek", "왔다"),
        ("Dho", "왜"),
        ("emacs", None),
        ("rk1", None),
    ],
)
def test_latin_letters_as_the_korean_layout_has_them(typed: str, meant: str | None) -> None:
    assert as_hangul(typed) == meant


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=8))
def test_syllables_survive_the_way_through_the_keys(word: str) -> None:
    keys = as_latin(word)
    assert keys is not None
    assert keys.isascii()
    assert as_hangul(keys) == word
