"""What blocks between two markers share: where the closing one stands, and how the text behind it goes on."""

from __future__ import annotations

from bisect import bisect_right

from markdown_it.rules_block import StateBlock


def closing_line(state: StateBlock, pos: int, start_line: int, end_line: int) -> int:
    """The line that holds the character at `pos`, searched among `start_line`…`end_line - 1`."""
    return max(start_line, bisect_right(state.bMarks, pos, start_line, end_line) - 1)


def text_follows(state: StateBlock, line: int, pos: int) -> bool:
    """Whether anything but spaces and tabs stands in `line` from `pos` on."""
    return state.skipSpaces(pos) < state.eMarks[line]


def is_open_above(state: StateBlock, line: int, marker: str) -> bool:
    """Whether the paragraph being read, up to `line`, opens something that a `marker` in this line closes.

    What was counted is remembered, since each line of a paragraph may ask.
    """
    key = "open above " + marker
    start, counted, number = state.env.get(key, (-1, -1, 0))
    if start != state.line or counted > line:
        start, counted, number = state.line, state.line, 0
    number += state.src.count(marker, state.bMarks[counted], state.bMarks[line])
    state.env[key] = (start, line, number)
    return bool(number % 2)


def resume_after(state: StateBlock, line: int, pos: int) -> None:
    """Go on behind a block that ended at `pos` in `line`: with the rest of that line, or the next when it is blank."""
    end = state.eMarks[line]
    rest = min(state.skipSpaces(pos), end)
    if rest >= end:
        state.line = line + 1
        return
    state.bMarks[line] = pos
    state.tShift[line] = rest - pos
    state.sCount[line] = state.blkIndent
    state.line = line
