"""What holds for every text: it parses, its lines are true, its body is there, and its cost is in proportion."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obsidian_indexer.records import Note
from obsidian_indexer.vault.parse import parse_text

MARKS = (
    "[[ ]] ![[ [ ]( ) | # ## ^ ^[ ^id %% $ $$ == ~~ * ** _ ` ``` ~~~ > <!-- --> <div> </div> <b> <% %> --- *** === "
    "[^1] :: word 말 https://a.b/c \\ &amp; 😀 a 1"
)
BLANKS = (
    "# | > | - |1. |- [x] |    |\t|\n|\n\n|\r\n|\r|---\n|[^1]: |(k:: v)|[k:: v]|> [!note] |\u2028|\x0b|\x85|\u00a0|\0|"
    "\ufeff| |: |tags: [x]\n|```json\n|[a]: b\n"
)
TABLES = ["|--|--|\n", "| a | b |\n"]
PIECES = st.sampled_from([*MARKS.split(" "), *BLANKS.split("|"), *TABLES])
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join))
WORD = re.compile(r"\w+")


def lines_of(text: str) -> list[str]:
    return re.split("\r\n|\n|\r", text.removeprefix("\ufeff"))


def all_text(note: Note) -> str:
    return " ".join(block.text for block in note.blocks)


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.sampled_from(["a.md", "b.canvas", "c.base", "d.excalidraw.md"]))
def test_any_text_parses(text: str, path: str) -> None:
    note = parse_text(path, text, "")
    count = len(lines_of(text))
    for block in note.blocks:
        assert block.text.strip()
        assert 1 <= block.start_line <= block.end_line <= count
    named = [*(link.line for link in note.links), *(heading.line for heading in note.headings)]
    named += [*(task.line for task in note.tasks), *(callout.line for callout in note.callouts)]
    assert all(1 <= line <= count for line in named)
    assert all(1 <= start <= end <= count for start, end in note.block_ids.values())


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_a_blocks_lines_hold_its_words(text: str) -> None:
    lines = lines_of(text)
    # A character reference or a link's default text may spell a word in another way.
    if "&" in text or "[[" in text or "\0" in text:
        return
    for block in parse_text("a.md", text, "").blocks:
        there = "\n".join(lines[block.start_line - 1 : block.end_line])
        for word in WORD.findall(block.text):
            assert all(char in there for char in word), (word, there)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), st.lists(st.text(max_size=20), max_size=6))
def test_no_front_matter_loses_the_body(first: str, rest: list[str]) -> None:
    matter = "\n".join([first, *rest])
    text = f"---\n{matter}\n---\n\nlastword\n"
    if "%%" in text or "$$" in text or "<" in text or "```" in text or "~~~" in text:
        # These may close behind the last word where the fence above was none.
        return
    assert "lastword" in all_text(parse_text("a.md", text, ""))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["alpha beta", "- gamma", "> delta", "# eps", "|z|\n|--|\n|eta|", "```\ntheta\n```"])))
def test_every_piece_comes_once_and_in_order(parts: list[str]) -> None:
    numbered = [re.sub(r"([a-z]+)", rf"\g<1>{number}", part) for number, part in enumerate(parts)]
    words = re.findall(r"[a-z]+\d+", " ".join(numbered))
    assert WORD.findall(all_text(parse_text("a.md", "\n\n".join(numbered), ""))) == words


def steps(action: Callable[[], object]) -> int:
    """How many function calls and returns, in Python and in C, an action takes."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


HOSTILE = (
    "[[;[;![;![[;](;[a](;[](;[x][;[^a];[^a]: ;[k:: ;(k:: ;^[;<!--;<;<a ;<?;<%;<a b=';%%;%% ;a %%\n%%;$;$a ;$$ ;"
    "a $$\n$$ ;==;== ;==a;~~a;*;**a ;_a ;`;` `` ;#;#a;#x_ ;# \n;>;> ;> %%\n\n;> $$ a\n\n;> <% a\n\n;- ;+ ;* ;- a\n  ;"
    "1. ;|;|a;\\;&;a:: ;http://a));---\n;a\n;    a\n\n;```\n;<div>\n;[a]: b\n; ^a;\t;\u2028;];);(;{;"
    "#a [b](c) *d* ==e== "
)


@pytest.mark.parametrize("piece", HOSTILE.split(";"))
def test_cost_grows_with_length(piece: str) -> None:
    small, large = piece * (4_000 // len(piece)), piece * (8_000 // len(piece))
    parse_text("a.md", small, "")
    ratio = steps(lambda: parse_text("a.md", large, "")) / steps(lambda: parse_text("a.md", small, ""))
    assert ratio <= 2.2


@pytest.mark.parametrize(
    "text",
    [
        "[[" * 20_000 + "]]",
        "[" * 40_000 + "](x)" * 100,
        "<!--" * 20_000 + "-->",
        "%% a\n" * 10_000,
        "$a " * 20_000 + "$",
        "==a " * 10_000,
        "^[" * 20_000 + "]" * 20_000,
        "![a](b" * 10_000 + ")",
        "```mermaid\n" + "[" * 20_000 + "(" * 20_000 + "\n```",
        "[r]: x\n\n" + "[" * 10_000 + "r]" + "]" * 10_000,
        "(k:: " * 8_000 + ")" * 8_000,
        "[k:: " * 8_000 + "]" * 8_000,
        "_a #x_ " * 8_000,
        "> - " * 10_000 + "x",
        "[^a]: " * 8_000 + "x",
    ],
    ids=lambda text: text[:8].strip(),
)
@pytest.mark.timeout(30)
def test_a_large_hostile_text_ends(text: str) -> None:
    assert parse_text("a.md", text, "").path == "a.md"
