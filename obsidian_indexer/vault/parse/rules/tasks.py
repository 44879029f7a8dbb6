"""The checkbox of a task: one character in brackets and a blank, at the start of a list item."""

from __future__ import annotations

import re

_BOX = re.compile(r"\[([^\n])\](?:[ \t]+|\Z)")


def task_box(text: str, source_line: str) -> tuple[str, int] | None:
    """The status character of an item's text and the length of its box, or None for a plain item.

    `source_line` is the line of the file: a box without text counts only with a blank behind it, and the blanks at the
    end of `text` are gone.
    """
    match = _BOX.match(text) if text.startswith("[") else None
    if match is None or (match.end() == 3 and not source_line.endswith((" ", "\t"))):
        return None
    return match[1], match.end()
