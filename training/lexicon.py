"""Which words of one language stand where which of the other do: a small dictionary, counted in the pairs.

A word and one of the other language score n²/(n_a·n_b), n being the pairs that hold both, n_a and n_b those that hold
each: 1 where they always stand together.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from obsidian_indexer.search.stopwords import is_stop_word
from obsidian_indexer.search.translation import SHORTEST, beginnings
from obsidian_indexer.store.particles import without_particle
from training.table import Pair

_HANGUL = re.compile(r"[가-힣]+")
_LATIN = re.compile(r"[a-z]{3,}")
# A Korean verb or adjective is looked up by its beginning, which its endings leave alone.
_LONGEST = 5
# Pairs that hold a word, or both; fewer are chance.
_LEAST_KOREAN, _LEAST_ENGLISH, _LEAST_BOTH = 4, 3, 3
_LEAST_SCORE, _BEST = 0.05, 2


def make_lexicon(pairs: Iterable[Pair]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Korean beginnings of words → English words, and English words → Korean words, the best two of each first."""
    from snowballstemmer import stemmer

    stem = stemmer("porter").stemWord
    korean, english, nouns, forms = [], [], Counter[str](), Counter[tuple[str, str]]()
    for pair in pairs:
        runs = _HANGUL.findall(pair.ko)
        bases = {base for run in runs if len(base := without_particle(run)) >= SHORTEST}
        nouns.update(bases)
        korean.append(bases | {run[:n] for run in runs for n in range(SHORTEST, min(len(run), _LONGEST + 1))})
        words = {word for word in _LATIN.findall(pair.en.lower()) if not is_stop_word(word, False)}
        stems = {word: stem(word) for word in words}
        english.append(set(stems.values()))
        forms.update((of, word) for word, of in stems.items())
    written: defaultdict[str, list[str]] = defaultdict(list)
    for (of, word), _ in sorted(forms.items(), key=lambda item: (-item[1], item[0])):
        written[of].append(word)
    scores = _scores(korean, english)
    to_english = {word: [written[found][0] for found in best] for word, best in _best(scores, lambda _: True).items()}
    turned = _best(((b, a, score) for a, b, score in scores), lambda word: nouns[word] >= _LEAST_KOREAN)
    to_korean = {word: best for of, best in turned.items() for word in written[of]}
    return _without_repeats(to_english), to_korean


def write_lexicon(entries: Mapping[str, Sequence[str]], file: Path) -> None:
    """A line for each word: the word, a tab, its translations."""
    file.write_text("".join(f"{word}\t{' '.join(entries[word])}\n" for word in sorted(entries)), "utf-8")


def _scores(korean: Sequence[set[str]], english: Sequence[set[str]]) -> list[tuple[str, str, float]]:
    """Every pair of words that stand together often enough, with its score."""
    of_ko, known_ko = _presence(korean, _LEAST_KOREAN)
    of_en, known_en = _presence(english, _LEAST_ENGLISH)
    both = (of_ko.T.tocsr() @ of_en).tocoo()
    n_ko, n_en = (np.asarray(side.sum(axis=0)).ravel() for side in (of_ko, of_en))
    score = both.data * both.data / (n_ko[both.row] * n_en[both.col])
    kept = np.flatnonzero((both.data >= _LEAST_BOTH) & (score >= _LEAST_SCORE))
    return [(known_ko[both.row[i]], known_en[both.col[i]], float(score[i])) for i in kept]


def _presence(texts: Sequence[set[str]], least: int):  # type: ignore[no-untyped-def]
    """A sparse matrix of ones, texts × words, and the words: those that enough texts hold."""
    from scipy.sparse import csr_matrix

    counts = Counter(word for words in texts for word in words)
    known = sorted(word for word, n in counts.items() if n >= least)
    place = {word: i for i, word in enumerate(known)}
    columns = [sorted(place[word] for word in words if word in place) for words in texts]
    starts = np.cumsum([0, *map(len, columns)])
    flat = np.fromiter((i for row in columns for i in row), np.int32, starts[-1])
    return csr_matrix((np.ones(len(flat), np.float32), flat, starts), shape=(len(texts), len(known))), known


def _best(scores: Iterable[tuple[str, str, float]], wanted) -> dict[str, list[str]]:  # type: ignore[no-untyped-def]
    found: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for word, other, score in scores:
        if wanted(other):
            found[word].append((-score, other))
    return {word: [other for _, other in sorted(others)[:_BEST]] for word, others in found.items()}


def _without_repeats(entries: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Without the words that the longest of their beginnings has the same translations for."""

    def inherited(word: str) -> list[str] | None:
        return next((entries[start] for start in beginnings(word) if start in entries), None)

    return {word: best for word, best in entries.items() if inherited(word) != best}
