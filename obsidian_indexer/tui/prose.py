"""The inline marks of one line of Markdown, shown by style instead of by their characters."""

from __future__ import annotations

import re

from textual.content import Content

from obsidian_indexer.tui.rows import FAINT

DEPTH = 3
# Bounded pieces between marks keep the scan linear on a line of nothing but marks.
SPAN = re.compile(
    r"(?P<code>(?P<tick>`{1,3})(?P<codetext>[^`]{1,400})(?P=tick))"
    r"|(?P<wiki>!?\[\[(?P<target>[^\[\]|]{0,300})(?:\|(?P<display>[^\[\]]{0,300}))?\]\])"
    r"|(?P<link>!?\[(?P<label>[^\[\]]{0,300})\]\((?P<url>[^()\s]{0,600})(?:\s+\"[^\"]{0,200}\")?\))"
    r"|(?P<strong>\*\*(?P<strongtext>[^*\n]{1,600})\*\*)"
    r"|(?P<strong2>(?<!\w)__(?P<strongtext2>[^_\n]{1,600})__(?!\w))"
    r"|(?P<em>\*(?P<emtext>[^*\s][^*\n]{0,600})\*)"
    r"|(?P<em2>(?<!\w)_(?P<emtext2>[^_\s][^_\n]{0,600})_(?!\w))"
    r"|(?P<strike>~~(?P<striketext>[^~\n]{1,600})~~)"
    r"|(?P<mark>==(?P<marktext>[^=\n]{1,600})==)"
    r"|(?P<math>\$(?P<mathtext>[^$\s](?:[^$\n]{0,300}[^$\s])?)\$)"
    r"|(?P<comment>%%[^%]{0,600}%%)"
    r"|(?P<tag>(?<![\w&/#])#(?=[\w/-]{0,40}[^\W\d])[\w/-]{1,80})"
    r"|(?P<block>(?<=\s)\^[A-Za-z0-9-]{1,40}\s*$)"
    r"|(?P<bare>https?://[^\s<>]{1,600})"
)
STYLES = {
    "code": "$text-success",
    "wiki": "$text-accent underline",
    "link": "$text-accent underline",
    "strong": "bold",
    "strong2": "bold",
    "em": "italic",
    "em2": "italic",
    "strike": "strike",
    "mark": "$text-warning on $warning 20%",
    "math": "$text-success italic",
    "comment": f"{FAINT} italic",
    "tag": "$text-secondary",
    "block": FAINT,
    "bare": "$text-accent underline",
}
INNER = {
    "strong": "strongtext",
    "strong2": "strongtext2",
    "em": "emtext",
    "em2": "emtext2",
    "strike": "striketext",
    "mark": "marktext",
}


def inline(text: str, style: str = "", depth: int = DEPTH) -> Content:
    """The line's text with emphasis, links, code and tags as styles over `style`; the text must be clean."""
    parts: list[Content] = []
    at = 0
    for found in SPAN.finditer(text):
        if found.start() > at:
            parts.append(Content(text[at : found.start()]))
        parts.append(_span(found, depth))
        at = found.end()
    if at < len(text):
        parts.append(Content(text[at:]))
    line = Content("").join(parts) if parts else Content("")
    return line.stylize_before(style) if style and line else line


def _span(found: re.Match[str], depth: int) -> Content:
    kind = found.lastgroup or ""
    # `lastgroup` names the last group that closed, which is the alternative itself: each wraps its inner groups.
    style = STYLES[kind]
    if kind in INNER:
        inner = found.group(INNER[kind])
        return inline(inner, style, depth - 1) if depth > 0 else Content.styled(inner, style)
    match kind:
        case "code":
            return Content.styled(found.group("codetext"), style)
        case "wiki":
            target = found.group("target")
            shown = found.group("display") or target.lstrip("#").replace("#^", " › ^").replace("#", " › ")
            return Content.styled(shown or target, style)
        case "link":
            return Content.styled(found.group("label") or found.group("url"), style)
        case "math":
            return Content.styled(found.group("mathtext"), style)
        case _:
            return Content.styled(found.group(0), style)
