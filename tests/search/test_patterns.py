"""JavaScript's patterns mean here what they mean there."""

from __future__ import annotations

import pytest

from obsidian_indexer.errors import QueryError
from obsidian_indexer.search.syntax.pattern import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        (r"^b$", "a\nb\nc", "b"),
        (r"[^]b", "a\nb", "\nb"),
        (r"a[]|b", "ab", "b"),
        (r"a{,3}", "aaa a{,3}", "a{,3}"),
        (r"x{e<=1}", "x y x{e<=1}", "x{e<=1}"),
        (r"a{2,3}?b", "aaab", "aaab"),
        (r"(?<y>\d)\k<y>", "12 33", "33"),
        (r"(\w)\1", "abb", "bb"),
        (r"\bcat\b", "concat cat", "cat"),
        (r"\w+", "한글 word", "word"),
        (r"[\w-]+", "한글 two-words", "two-words"),
        (r"[^\W\d]+", "12 ab", "ab"),
        (r"\d+", "٣ 3", "3"),
        (r"\u{1F600}|\u0041", "A", "A"),
        (r"\x41\cI", "A\t", "A\t"),
        (r"\m\Z\Q", "mZQ", "mZQ"),
        (r"[[]x]", "[x]", "[x]"),
        (r"a/b\/c", "a/b/c", "a/b/c"),
        (r"(?i:A)b", "ab", "ab"),
        (r"(?<=a)b(?!c)", "bc abc ab", "b"),
        (r"\p{Script=Hangul}+", "ab 한글", "한글"),
    ],
)
def test_a_pattern_matches_as_in_javascript(pattern: str, text: str, matched: str) -> None:
    cased, _ = compile_pattern(pattern, 0)
    found = cased.search(text)
    assert found is not None
    assert found[0] == matched


@pytest.mark.parametrize(
    ("pattern", "at"),
    [
        ("a(b", 1),
        ("a)b", 1),
        ("a[b", 1),
        ("a**", 2),
        ("*a", 0),
        ("a(?>b)", 1),
        ("a(?P<x>b)", 1),
        ("a{3,2}", 1),
        ("ab\\", 2),
        ("(a{200}){200}", 8),
    ],
)
def test_what_javascript_refuses_is_pointed_at(pattern: str, at: int) -> None:
    with pytest.raises(QueryError) as raised:
        compile_pattern(pattern, 10)
    assert raised.value.position == 10 + at


def test_case_counts_only_where_it_is_asked_for() -> None:
    cased, uncased = compile_pattern("ünï", 0)
    assert uncased.search("ÜNÏ")
    assert not cased.search("ÜNÏ")
