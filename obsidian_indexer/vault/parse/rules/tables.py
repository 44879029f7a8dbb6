"""Tables: markdown-it-py's rule, with Obsidian's condition that the delimiter row has at least two dashes."""

from __future__ import annotations

import re

from markdown_it.rules_block import StateBlock
from markdown_it.rules_block import table as gfm_table

_DELIMITERS = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")


def table(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A table whose second line is a delimiter row."""
    if start_line + 2 > end_line:
        return False
    pos = state.bMarks[start_line + 1] + state.tShift[start_line + 1]
    end = state.eMarks[start_line + 1]
    if pos >= end or state.src[pos] not in "|-:" or state.src.count("-", pos, end) < 2:
        return False
    if not _DELIMITERS.fullmatch(state.src, pos, end):
        return False
    return gfm_table(state, start_line, end_line, silent)
