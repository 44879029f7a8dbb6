"""Counting by remembered words says exactly what the tokenizer says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obsidian_indexer.embed import word_counts as counting
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import FastTokenizer, load_tokenizer
from obsidian_indexer.embed.word_counts import word_counts
from obsidian_indexer.options import EmbedOptions

BERT = {
    "normalizer": {"type": "BertNormalizer", "handle_chinese_chars": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "model": {"type": "WordPiece"},
    "added_tokens": [{"content": "[MASK]"}],
}
ODD = "ab Z_-'’.[]\n\t\r\x0b\x1c\x85\u00a0\u200b\u3000é́ß한국中文かな🙂👨‍👩‍👧≠ﬁ\x00\ufffd"
TEXTS = st.lists(
    st.one_of(
        st.text(st.sampled_from(ODD), max_size=40),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        st.sampled_from(["a [MASK] b", "[SEP]", "x" * 120 + " y", "don't stop-me_now 10.5%"]),
    ),
    max_size=8,
)


@pytest.fixture(scope="module", params=["default", "all-MiniLM-L6-v2"])
def tokenizer(request: pytest.FixtureRequest) -> FastTokenizer:
    found = load_tokenizer(resolve_model(EmbedOptions(model=request.param)))
    assert isinstance(found, FastTokenizer)
    assert found._by_word is not None
    return found


@given(texts=TEXTS)
@settings(max_examples=300, deadline=None)
def test_counts_are_those_of_the_tokenizer(tokenizer: FastTokenizer, texts: list[str]) -> None:
    assert tokenizer.count(texts) == tokenizer._count_whole(texts)


def test_a_word_is_counted_once_and_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def count(texts: Sequence[str]) -> list[int]:
        asked.extend(texts)
        return [len(text) for text in texts]

    counts = word_counts(BERT, count)
    assert counts is not None
    assert counts.count(["one two", "two, one"]) == [6, 7]
    assert counts.count(["one two two"]) == [9]
    assert sorted(asked) == [",", "one", "two"]
    long = "x" * 50
    assert counts.count([long, long]) == [50, 50]
    monkeypatch.setattr(counting, "_MAX_REMEMBERED", 2)
    assert [counts.count(["a b c d e"]), counts.count(["a b c d e"])] == [[5], [5]]


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": None},
        {"normalizer": {"type": "BertNormalizer", "handle_chinese_chars": False}},
        {"pre_tokenizer": {"type": "Metaspace"}},
        {"model": {"type": "Unigram"}},
    ],
)
def test_other_tokenizers_are_asked_about_whole_texts(change: dict[str, object]) -> None:
    assert word_counts({**BERT, **change}, lambda texts: [0] * len(texts)) is None
