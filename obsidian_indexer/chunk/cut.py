"""Where a text is cut when it must be: after a line, else a sentence, else a word, else anywhere between characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE_END = re.compile(r"[.!?…](?=\s)|[\u3002\uff01\uff1f]")
_BLANK = re.compile(r"\s")
# A cut is looked for in the last part of the room only, so that pieces stay well filled.
_FILLED = 0.5
# The share of the room aimed at: token density varies within a text, and a piece too large is cut again.
_AIM = 0.92
_JOINS_BEFORE = re.compile("[\u0300-\u036f\u1160-\u11ff\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")


def cut_spans(text: str, n_tokens: int, limit: int) -> Iterator[tuple[int, int]]:
    """Character ranges [start, end) that cover `text`, each of about `limit` tokens or a little less.

    `n_tokens` is the count of the whole text; tokens are taken to be spread evenly, so a range may exceed the limit.
    """
    step = max(1, int(len(text) * limit / max(1, n_tokens) * _AIM))
    start = 0
    while len(text) - start > step:
        end = _best_cut(text, start, start + step)
        yield start, end
        start = end
    yield start, len(text)


def clip(text: str, n_tokens: int, limit: int) -> str:
    """The beginning of a text, of about `limit` tokens, with an ellipsis that shows it was shortened."""
    step = max(1, int(len(text) * limit / max(1, n_tokens) * _AIM) - 1)
    blank = max((match.start() for match in _BLANK.finditer(text, step // 2, step + 1)), default=step)
    return text[:blank].rstrip() + "…"


def _best_cut(text: str, start: int, end: int) -> int:
    """The best place to cut within the last part of [start, end]; after `start`, before the text's end."""
    earliest = start + max(1, int((end - start) * _FILLED))
    line = text.rfind("\n", earliest, end)
    if line != -1:
        return line + 1
    for pattern in (_SENTENCE_END, _BLANK):
        found = max((match.end() for match in pattern.finditer(text, earliest, end)), default=-1)
        if found != -1:
            return found
    cut = end
    # A letter stays with its accents and an emoji with its parts; both are short.
    while cut > earliest and end - cut < 16 and (_JOINS_BEFORE.match(text, cut) or text[cut - 1] == "\u200d"):
        cut -= 1
    return cut
