"""Token counts of texts from remembered counts of their words, where a tokenizer never looks past a word.

BERT's tokenizers cut at blanks, around punctuation and around Chinese characters before anything else, so the count of
a text is the sum over those pieces, and few of them are new. The tokenizer itself is asked about the new ones only.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

CountTokens = Callable[[Sequence[str]], list[int]]

# Cut only where the algorithm surely does: a rarer mark stays inside its piece, which the tokenizer then cuts itself.
_ALONE = r"!-/:-@\[-`{-~\u4e00-\u9fff"
_PIECES = re.compile(rf"[{_ALONE}]|[^ \t\n\r{_ALONE}]+")
# A remembered piece takes about 130 bytes; there are two generations of so many.
_MAX_REMEMBERED = 40_000
_MAX_PIECE_CHARS = 24


class WordCounts:
    """Counts the tokens of texts, for one thread at a time; the others wait.

    `count` is the tokenizer's own way; `whole` are the tokens that it looks for before it cuts.
    """

    def __init__(self, count: CountTokens, whole: Sequence[str]) -> None:
        self._count = count
        self._whole = re.compile("|".join(map(re.escape, whole))) if whole else None
        self._known: dict[str, int] = {}
        self._older: dict[str, int] = {}
        self._lock = threading.Lock()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones not counted."""
        if self._whole is not None and any(map(self._whole.search, texts)):
            return self._count(texts)
        with self._lock:
            return self._sums(texts)

    def _sums(self, texts: Sequence[str]) -> list[int]:
        known, older = self._known, self._older
        pieces = [_PIECES.findall(text) for text in texts]
        new = list(set().union(*pieces).difference(known))
        if new:
            asked = [piece for piece in new if piece not in older]
            known.update((piece, older[piece]) for piece in new if piece in older)
            known.update(zip(asked, self._count(asked), strict=True))
        counts = [sum(map(known.__getitem__, found)) for found in pieces]
        for piece in new:
            if len(piece) > _MAX_PIECE_CHARS:
                del known[piece]
        if len(known) > _MAX_REMEMBERED:
            self._older, self._known = known, {}
        return counts


def word_counts(described: Mapping[str, Any], count: CountTokens) -> WordCounts | None:
    """The faster count for a tokenizer, described as in its own JSON; None where it does not cut as BERT's do."""
    normalizer, cutter = described.get("normalizer") or {}, described.get("pre_tokenizer") or {}
    if normalizer.get("type") == "Sequence":
        normalizer, *others = normalizer["normalizers"] or [{}]
        # Letters put together again: never with what a text is cut at, once accents are gone.
        if any(other.get("type") != "NFC" for other in others):
            return None
    like_bert = (
        normalizer.get("type") == "BertNormalizer"
        and normalizer.get("handle_chinese_chars") is True
        and cutter.get("type") == "BertPreTokenizer"
        and described["model"].get("type") == "WordPiece"
    )
    if not like_bert:
        return None
    return WordCounts(count, [token["content"] for token in described.get("added_tokens") or () if token["content"]])
