"""A place in a query, shown: the query on one line and a caret below the character."""

from __future__ import annotations

import unicodedata

from obsidian_indexer.sanitize import clean_block

_BEFORE, _AFTER = 50, 20
_CUT = "…"


def pointed(query: str, position: int) -> str:
    """Two lines: the query, cut around the place where it is long, and `^` below it in cells of a terminal."""
    position = min(max(0, position), len(query))
    start, end = max(0, position - _BEFORE), position + _AFTER
    before = (_CUT if start else "") + _one_line(query[start:position])
    after = _one_line(query[position:end]) + (_CUT if end < len(query) else "")
    return f"{before}{after}\n{' ' * sum(_cells(char) for char in before)}^"


def _one_line(text: str) -> str:
    return "".join(" " if char.isspace() else char for char in clean_block(text))


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
