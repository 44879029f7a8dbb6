"""Keyword search in Korean, Japanese and Chinese: the ending of a word, its form and its neighbours hide nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.search.query import match_terms
from obsidian_indexer.store.fulltext import match_notes
from obsidian_indexer.store.particles import without_particle
from tests.kit import open_engine, write_vault

NOTES = {
    "옵시디언.md": "# 옵시디언\n\n옵시디언에서 노트를 블록 단위로 연결한다.\n",
    "회의.md": "# 주간\n\n어제의 회의록을 팀에 나누어 주었다.\n",
    "집.md": "# 이사\n\n새 집에 가구를 들였다.\n",
    "집단.md": "# 모임\n\n집단 지성은 언제 통하는가. 집중과 선택.\n",
    "책.md": "# 서가\n\n책은 반납했다. 책상을 닦았다.\n",
    "고양이.md": "# 고양이\n\n고양이는 상자를 좋아한다.\n",
    "고양시.md": "# 고양시\n\n고양시 도서관 안내.\n",
    "Obsidian.md": "# Plugins\n\nObsidian에서 API를 부른다. GPU가 없어도 된다.\n",
    "물음.md": "# 물음\n\n무엇인가요 어떻게 하나요 라는 질문의 모음.\n",
    "東京.md": "# 東京\n\n東京タワーに行った。日本語のノートを書く。\n",
    "中文.md": "# 中文\n\n一本书的推荐:知识管理。\n",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("unspaced")
    with open_engine(write_vault(base / "vault", NOTES), base / "index") as opened:
        opened.index()
        yield opened


def found(engine: Engine, query: str) -> list[str]:
    return [hit.path for hit in engine.search(query, mode="keyword").hits]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("옵시디언", "옵시디언.md"),
        ("옵시디언을", "옵시디언.md"),
        ("옵시디언으로 노트 연결", "옵시디언.md"),
        ("회의록", "회의.md"),
        ("회의록에는 무엇이 있나요", "회의.md"),
        ("집에서", "집.md"),
        ("집을", "집.md"),
        ("책", "책.md"),
        ("책에는", "책.md"),
        ("고양이", "고양이.md"),
        ("고양이가", "고양이.md"),
        ("고양시는", "고양시.md"),
        ("obsidian에서 api는", "Obsidian.md"),
        ("GPU를", "Obsidian.md"),
        ("東京に", "東京.md"),
        ("日本語ノート", "東京.md"),
        ("知识", "中文.md"),
        ("书", "中文.md"),
        ("推荐 书", "中文.md"),
        ("노트 日本語", "東京.md"),
    ],
)
def test_the_note_is_found_whatever_its_word_ends_in(engine: Engine, query: str, first: str, form: str) -> None:
    assert found(engine, unicodedata.normalize(form, query))[0] == first  # type: ignore[arg-type]


def test_a_word_of_one_syllable_is_not_taken_for_the_start_of_others(engine: Engine) -> None:
    assert found(engine, "집에서") == ["집.md"]


def test_asking_words_count_only_where_nothing_else_is_asked(engine: Engine) -> None:
    assert found(engine, "고양이는 무엇인가요")[0] == "고양이.md"
    assert "물음.md" not in found(engine, "고양이는 무엇인가요")
    assert found(engine, "무엇인가요") == ["물음.md"]


@pytest.mark.parametrize(
    ("word", "left"),
    [
        ("옵시디언에서는", "옵시디언"),
        ("학교", "학교"),
        ("고양이", "고양이"),  # ends in what could be a particle
        ("도서관이", "도서관"),
        ("물을", "물"),
        ("을", "을"),
        ("에서", "에서"),
        ("", ""),
        ("日本", "日本"),
    ],
)
def test_what_is_left_of_a_word_without_its_particle(word: str, left: str) -> None:
    assert without_particle(word) == left


def test_particles_alone_are_looked_up_where_there_is_nothing_else() -> None:
    assert match_terms("API를") == ["api"]
    assert match_terms("를") == ["를*"]


def test_a_whole_note_scores_by_what_its_title_says(engine: Engine) -> None:
    hits = match_notes(engine._catalog().connection, ['"고양"', '"양이"'], 10)
    assert hits[0].score > hits[1].score > 0
