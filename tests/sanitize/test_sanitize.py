from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsidian_indexer.sanitize import clean_block, clean_line

BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "ab"),
        ("a\x1b[38;5;1mred\x1b[0m", "ared"),
        ("a\x1b]52;c;cGF5bG9hZA==\x07b", "ab"),
        ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x9b2Jb", "ab"),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("a\x00b\x08c\x7fd", "abcd"),
        ("lone \udcff here", "lone \ufffd here"),
        ("한국어 日本語 👩‍👩‍👧 café", "한국어 日本語 👩‍👩‍👧 café"),
        ("[red]markup[/] stays {text}", "[red]markup[/] stays {text}"),
        ("open \x1b]0;title never closed", "open 0;title never closed"),
    ],
)
def test_controls_go_and_text_stays(text: str, shown: str) -> None:
    assert clean_line(text) == shown
    assert clean_block(text) == shown


def test_lines_and_tabs() -> None:
    text = "one\r\ntwo\rthree\x0cfour\u2028five\tsix"
    assert clean_block(text) == "one\ntwo\nthree\nfour\nfive\tsix"
    assert clean_line("  " + text + "\n") == "one two three four five six"


@given(st.text(alphabet=st.characters() | st.sampled_from("\x1b\x9b\x9d\x90\x07[]\\0;m\n\u202e\udcff")))
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
    block = clean_block(text)
    assert not [c for c in block if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cs")]
    assert not BIDI & set(block)
    assert clean_block(block) == block
    assert "\n" not in clean_line(text)
    block.encode("utf-8")


@pytest.mark.parametrize("unit", ["\x1b]", "\x9d", "\x1b[", "\x1b[0", "\x1b ", "\x1bP\x90", "\x1b"])
def test_a_million_introducers_are_read_in_one_pass(unit: str) -> None:
    # Quadratic reading of this text takes hours: the hang guard of the test run is what would fail.
    assert "\x1b" not in clean_block(unit * 1_000_000)
