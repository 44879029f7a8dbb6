"""What blocks between two markers share: where the closing one stands, and how the text behind it goes on."""

from __future__ import annotations

from bisect import bisect_right

from markdown_it.rules_block import StateBlock


def closing_line(state: StateBlock, pos: int, start_line: int, end_line: int) -> int:
    """The line that holds the character at `pos`, searched among `start_line`…`end_line - 1`."""
    return max(start_line, bisect_right(state.bMarks, pos, start_line, end_line) - 1)


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
