"""The head of a callout: `[!type|meta]`, a fold mark and a title, on the first line of a quote."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"\[!([^\[\]\n|]+)(?:\|[^\[\]\n]*)?\]([+-]?)[ \t]*([^\n]*)")


@dataclass(frozen=True, slots=True)
class CalloutHead:
    """A callout's type in lower case, the Markdown of its title, and how many characters the head takes."""

    type: str
    title: str
    length: int


def callout_head(text: str) -> CalloutHead | None:
    """The head that a quote's first paragraph begins with, or None."""
    match = _HEAD.match(text) if text.startswith("[!") else None
    if match is None or not match[1].strip():
        return None
    return CalloutHead(match[1].strip().lower(), match[3].strip(), match.end())
