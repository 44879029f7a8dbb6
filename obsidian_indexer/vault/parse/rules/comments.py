"""`%%comments%%`: never shown, but their tags and links count."""

from __future__ import annotations

from markdown_it.rules_block import StateBlock

from obsidian_indexer.vault.parse.rules.spans import closing_line, is_open_above, resume_after, text_follows
from obsidian_indexer.vault.parse.state import VaultState


def comment(state: VaultState) -> bool:
    """A comment that opens and closes in one paragraph; more than two `%` in a row are text."""
    length = state.run_length()
    if length != 2:
        return state.literal(length)
    start = state.pos + 2
    end = state.src.find("%%", start) if state.html_terminator_last("%%") >= start else -1
    if end < 0:
        return state.literal(2)
    token = state.push("comment", "", 0)
    token.content = state.src[start:end]
    token.meta = {"pos": start}
    state.pos = end + 2
    return True


def comment_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A comment that begins a line and runs, across anything, to the next `%%` or the end.

    What it holds is parsed between `comment_open` and `comment_close`, for its tags and links.
    """
    pos = state.bMarks[start_line] + state.tShift[start_line]
    if not state.src.startswith("%%", pos) or state.src.startswith("%", pos + 2):
        return False
    end = state.src.find("%%", pos + 2, state.eMarks[start_line])
    if end >= 0 and text_follows(state, start_line, end + 2):
        # Text follows on the same line, so it is a paragraph with a comment in it.
        return False
    if silent:
        return state.parentType != "paragraph" or not is_open_above(state, start_line, "%%")
    limit = state.eMarks[end_line - 1]
    if end < 0:
        end = state.src.find("%%", pos + 2, limit)
    last_line = closing_line(state, end, start_line, end_line) if end >= 0 else end_line - 1
    token = state.push("comment_open", "", 1)
    token.map = [start_line, last_line + 1]
    _parse_inside(state, start_line, last_line, pos + 2, end if end >= 0 else limit)
    state.push("comment_close", "", -1)
    if end < 0:
        state.line = end_line
    else:
        resume_after(state, last_line, end + 2)
    return True


def _parse_inside(state: StateBlock, first: int, last: int, start: int, end: int) -> None:
    """Parse the lines `first`…`last`, cut to the characters `start`…`end`, as blocks of their own."""
    saved = (state.bMarks[first], state.tShift[first], state.sCount[first], state.eMarks[last])
    outer = (state.lineMax, state.parentType, state.blkIndent, state.listIndent)
    state.eMarks[last] = end
    state.bMarks[first] = start
    state.tShift[first] = min(state.skipSpaces(start), state.eMarks[first]) - start
    state.sCount[first] = 0
    state.lineMax, state.parentType, state.blkIndent, state.listIndent = last + 1, "root", 0, -1
    state.md.block.tokenize(state, first, last + 1)
    state.lineMax, state.parentType, state.blkIndent, state.listIndent = outer
    state.eMarks[last] = saved[3]
    state.bMarks[first], state.tShift[first], state.sCount[first] = saved[:3]
