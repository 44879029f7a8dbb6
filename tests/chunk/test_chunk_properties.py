"""What holds for every note: nothing lost, nothing twice, nothing past the window, lines that hold the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obsidian_indexer.chunk import ChunkLimits, chunk_note
from obsidian_indexer.records import Block, BlockKind, Note

KINDS = [BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.CODE, BlockKind.TABLE_ROW, BlockKind.QUOTE]
LINE = st.one_of(
    st.text(st.sampled_from("ab .가é-🙂"), max_size=40),
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs", "Cc"]), max_size=60),
    st.integers(20, 160).map(lambda n: "word. " * n),
    st.integers(20, 160).map(lambda n: "가" * n),
)


@st.composite
def notes(draw: st.DrawFn) -> tuple[Note, list[str]]:
    """A note and the lines of its file, with blocks of all kinds under headings of any depth."""
    source: list[str] = []
    blocks: list[Block] = []
    path: list[tuple[int, str]] = []
    for _ in range(draw(st.integers(0, 12))):
        source.append("")
        headings = tuple(text for _, text in path)
        start = len(source) + 1
        if draw(st.integers(0, 3)) == 0:
            level, text = draw(st.integers(1, 4)), draw(LINE)
            source.append(text)
            path = [above for above in path if above[0] < level]
            blocks.append(Block(BlockKind.HEADING, text, start, start, tuple(above for _, above in path)))
            path.append((level, text))
            continue
        kind = draw(st.sampled_from(KINDS))
        lines = draw(st.lists(LINE, min_size=1, max_size=1 if kind is BlockKind.TABLE_ROW else 12))
        written = ["```", *lines, "```"] if kind is BlockKind.CODE else lines
        source += written
        text = "\n".join(lines)
        embedded = {BlockKind.CODE: f"python\n{text}"}.get(kind)
        blocks.append(Block(kind, text, start, len(source), headings, embedded))
    title = draw(LINE)
    lead = draw(st.one_of(st.just(title), LINE))
    return Note("n.md", "0" * 64, title, lead=lead, properties={"a": 1}, blocks=tuple(blocks)), source


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def count_bytes(texts: Sequence[str]) -> list[int]:
    """Not additive: the count of a joined text differs from the sum of its parts, as with real tokenizers."""
    return [(len(text.encode()) + 4) // 5 for text in texts]


COUNTERS = pytest.mark.parametrize("count", [count_words, count_bytes])
LIMITS = st.builds(
    lambda window, target, least, crumb: ChunkLimits(min(target, window), window, least, crumb),
    st.integers(24, 300),
    st.integers(16, 200),
    st.integers(0, 40),
    st.booleans(),
)
Counter = Callable[[Sequence[str]], list[int]]


def letters(text: str) -> str:
    return re.sub(r"\s+", "", text)


@COUNTERS
@given(case=notes(), limits=LIMITS)
@settings(max_examples=60, deadline=None)
def test_every_passage_fits_and_is_counted(count: Counter, case: tuple[Note, list[str]], limits: ChunkLimits) -> None:
    for seq, chunk in enumerate(chunk_note(case[0], limits, count)):
        assert chunk.seq == seq
        assert chunk.n_tokens == count([chunk.embedded_text])[0] + 2
        assert chunk.n_tokens <= limits.max_tokens


@COUNTERS
@given(case=notes(), limits=LIMITS)
@settings(max_examples=60, deadline=None)
def test_blocks_are_covered_exactly_once(count: Counter, case: tuple[Note, list[str]], limits: ChunkLimits) -> None:
    note, _ = case
    chunks = chunk_note(note, limits, count)
    assert letters("".join(chunk.text for chunk in chunks)) == letters("".join(block.text for block in note.blocks))


@COUNTERS
@given(case=notes(), limits=LIMITS)
@settings(max_examples=60, deadline=None)
def test_all_text_is_embedded(count: Counter, case: tuple[Note, list[str]], limits: ChunkLimits) -> None:
    note, _ = case
    for chunk in chunk_note(note, limits, count):
        embedded = chunk.embedded_text
        # A heading stands in the breadcrumb or among the blocks.
        assert all(letters(line) in letters(embedded) for line in chunk.text.splitlines())


@COUNTERS
@given(case=notes(), limits=LIMITS)
@settings(max_examples=60, deadline=None)
def test_line_ranges_hold_the_text(count: Counter, case: tuple[Note, list[str]], limits: ChunkLimits) -> None:
    note, source = case
    for chunk in chunk_note(note, limits, count):
        if chunk.text:
            held = source[chunk.start_line - 1 : chunk.end_line]
            assert letters(chunk.text) in letters("".join(line for line in held if line != "```"))


@given(case=notes(), limits=LIMITS)
@settings(max_examples=60, deadline=None)
def test_cutting_is_deterministic(case: tuple[Note, list[str]], limits: ChunkLimits) -> None:
    assert chunk_note(case[0], limits, count_words) == chunk_note(case[0], limits, count_words)


@given(case=notes())
@settings(max_examples=60, deadline=None)
def test_a_passage_with_text_never_ends_in_a_heading(case: tuple[Note, list[str]]) -> None:
    note, _ = case
    headings = {block.end_line for block in note.blocks if block.kind is BlockKind.HEADING}
    bodies = {block.start_line for block in note.blocks if block.kind is not BlockKind.HEADING and block.text.strip()}
    for chunk in chunk_note(note, ChunkLimits(100, 5000, 20), count_words):
        if chunk.end_line in headings:
            assert not any(chunk.start_line <= line <= chunk.end_line for line in bodies)
