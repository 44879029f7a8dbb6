"""HTML: comments vanish with all they hold, tags vanish, and what a reader sees stays."""

from __future__ import annotations

import html
import re

from markdown_it.common.html_blocks import block_names

from obsidian_indexer.vault.parse.state import VaultState

_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9\-]*)")
_UNSEEN_END = {tag: re.compile("</" + tag, re.IGNORECASE | re.ASCII) for tag in ("script", "style")}
_BREAKS = frozenset({*block_names, "br", "td", "th"})


def html_comment(state: VaultState) -> bool:
    """An HTML comment inside a paragraph."""
    start = state.pos + 4
    if not state.src.startswith("<!--", state.pos) or state.html_terminator_last("-->") < start:
        return False
    state.push("html_comment", "", 0)
    state.pos = state.src.find("-->", start) + 3
    return True


def breaks_line(tag: str) -> bool:
    """Whether an HTML tag, as written, sets what follows apart from what stands before it."""
    name = _NAME.match(tag)
    return name is not None and name[1].lower() in _BREAKS


def visible_text(source: str) -> str:
    """What a reader sees of HTML: no tags, comments, scripts or styles; entities resolved."""
    parts: list[str] = []
    pos = 0
    while (start := source.find("<", pos)) >= 0:
        parts.append(source[pos:start])
        pos = _end_of_markup(source, start, parts)
    parts.append(source[pos:])
    text = html.unescape("".join(parts))
    return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)


def _end_of_markup(source: str, start: int, parts: list[str]) -> int:
    """Where the markup that starts at `start` ends; what it shows is added to `parts`."""
    if source.startswith("<!--", start):
        end = source.find("-->", start + 4)
        return end + 3 if end >= 0 else len(source)
    name = _NAME.match(source, start)
    if name is None and source[start + 1 : start + 2] not in ("!", "?"):
        parts.append("<")
        return start + 1
    tag = name[1].lower() if name else ""
    end = source.find(">", start)
    if end < 0:
        return len(source)
    if tag in _UNSEEN_END and source[start + 1] != "/":
        close = _UNSEEN_END[tag].search(source, end)
        return close.start() if close else len(source)
    parts.append("\n" if tag in _BREAKS else "")
    return end + 1
