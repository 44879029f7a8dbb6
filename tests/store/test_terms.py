"""Text as search terms: what is stored as terms is found by any part a reader would type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.terms import document_terms


def finds(catalog: Catalog, document: str, query: str) -> bool:
    db = catalog.connection
    db.execute("INSERT INTO chunk_terms(chunk_terms) VALUES ('delete-all')")
    db.execute("INSERT INTO chunk_terms(rowid, headings, body) VALUES (1, '', ?)", (document_terms(document),))
    terms = match_terms(query)
    if not terms:
        return False
    rows = db.execute("SELECT rowid FROM chunk_terms WHERE chunk_terms MATCH ?", (" OR ".join(match_phrases(terms)),))
    return rows.fetchone() is not None


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return Catalog.open(tmp_path_factory.mktemp("terms"))


@pytest.mark.parametrize(
    ("document", "query"),
    [
        ("옵시디언에서 노트를 연결한다", "옵시디언"),
        ("회의록을 정리했다", "회의록"),
        ("물을 끓인다", "물"),
        ("생물 공부", "물"),
        ("日本語のノート", "日本"),
        ("日本語のノート", "語"),
        ("这是中文笔记", "中文"),
        ("บันทึกภาษาไทย", "ภาษา"),
        ("Obsidian에서 쓰는 법", "obsidian"),
        ("linking notes together", "link"),
        ("Café crème", "cafe"),
        ("the C++ standard", "C++"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("हिन्दी में लिखा", "हिन्दी"),
        ("🍜 잔치국수", "🍜"),
    ],
)
def test_a_word_is_found_in_its_script(catalog: Catalog, document: str, query: str) -> None:
    assert finds(catalog, document, query)


def test_decomposed_hangul_is_found_by_composed(catalog: Catalog) -> None:
    import unicodedata

    assert finds(catalog, unicodedata.normalize("NFD", "한글 메모"), "한글")


def test_other_words_are_not_found(catalog: Catalog) -> None:
    assert not finds(catalog, "옵시디언 노트", "김치")


@given(st.text())
def test_any_text_is_a_valid_query(text: str) -> None:
    terms = match_terms(text)
    expression = " OR ".join(match_phrases(terms))
    assert expression.count('"') == 2 * len(terms)


@pytest.mark.parametrize(
    "noise", ["foo-bar", "C++", "don't", '"', "AND", "", "\0", "NEAR(", "a* OR", "(", "col:x", "^"]
)
def test_a_known_term_is_found_inside_noise(catalog: Catalog, noise: str) -> None:
    assert finds(catalog, "the heron stands still", f"{noise} heron {noise}")


@given(st.text())
def test_terms_hold_no_syntax_of_the_full_text_engine(text: str) -> None:
    assert not set(document_terms(text)) & set('"*()^:-+')
