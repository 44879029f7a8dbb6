"""The few words of a passage that show why it was found."""

from __future__ import annotations

import re

from obsidian_indexer.store.terms import bigrams, split_runs

_PIECE = re.compile(r"[^\n.!?。！？]+[.!?。！？]*|\n")


def snippet(text: str, words: str, n_chars: int) -> str:
    """At most `n_chars` of `text` on one line, from the sentence on that shares most with the query."""
    flat = " ".join(text.split())
    if len(flat) <= n_chars:
        return flat
    wanted = _terms(words)
    best, best_score = 0, 0
    for match in _PIECE.finditer(flat):
        score = len(wanted & _terms(match.group()))
        if score > best_score:
            best, best_score = match.start(), score
    best = min(best, len(flat) - n_chars)
    start = best if best == 0 else _word_start(flat, best)
    cut = flat[start : start + n_chars].strip()
    before = "…" if start > 0 else ""
    after = "…" if start + n_chars < len(flat) else ""
    return before + cut + after


def _terms(text: str) -> set[str]:
    return {term for run, unspaced in split_runs(text) for term in (bigrams(run) if unspaced else [run])}


def _word_start(text: str, index: int) -> int:
    """The next start of a word, unless that would skip much."""
    blank = text.find(" ", max(0, index - 1), index + 20)
    return blank + 1 if blank >= 0 else index
