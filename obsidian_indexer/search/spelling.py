"""Misspelt words: the word of the vault that an unknown one is most likely meant for."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import word_counts
from obsidian_indexer.store.terms import LONGEST_SPELT

# Words of so many letters may differ by one edit, longer ones by two; shorter ones are neighbours by chance.
_ONE_EDIT = range(4, 8)


class Vocabulary:
    """The words of a vault.

    `rows` are (word, number of notes that hold it).
    """

    def __init__(self, rows: Sequence[tuple[str, int]]) -> None:
        words = np.array([word for word, _ in rows], f"U{LONGEST_SPELT}")
        lengths = np.char.str_len(words)
        self._order = np.argsort(lengths, kind="stable")
        self._words = [rows[row][0] for row in self._order]
        self._notes = [rows[row][1] for row in self._order]
        self._starts = np.searchsorted(lengths[self._order], np.arange(LONGEST_SPELT + 4))
        self._letters = _letters(words[self._order])

    def nearest(self, word: str) -> str | None:
        """The word within reach that takes the fewest edits, of several the one that most notes hold; None without any.

        An edit is a letter more, less or other, or two neighbours swapped (optimal string alignment). The first letter
        is right, or swapped with the second: what differs there is mostly another word (typical, atypical).
        """
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract

        if len(word) < _ONE_EDIT.start or len(word) > LONGEST_SPELT or not word.isalpha():
            return None
        reach = 1 if len(word) in _ONE_EDIT else 2
        first, last = self._starts[len(word) - reach], self._starts[len(word) + reach + 1]
        # Each edit takes at most one letter out of the set and puts one in: most words are too far by that alone.
        differing = np.bitwise_count(self._letters[first:last] ^ _letters(np.array([word])))
        rows = (first + np.flatnonzero(differing <= 2 * reach)).tolist()
        near = extract(word, [self._words[row] for row in rows], scorer=OSA.distance, score_cutoff=reach, limit=None)
        likely = [(edits, -self._notes[rows[at]], other) for other, edits, at in near if _begin_alike(word, other)]
        return min(likely)[2] if likely else None


def _begin_alike(word: str, other: str) -> bool:
    return word[0] == other[0] or word[:2] == other[1::-1]


def _letters(words: NDArray[np.str_]) -> NDArray[np.uint32]:
    """The set of letters of each word, a bit for each; letters of other scripts share them."""
    codes = words.view(np.uint32).reshape(len(words), -1) if len(words) else np.zeros((0, 1), np.uint32)
    bits = np.where(codes == 0, 0, np.uint32(1) << (codes & 31)).astype(np.uint32)
    sets: NDArray[np.uint32] = np.bitwise_or.reduce(bits, axis=1)
    return sets


class ResidentVocabulary:
    """Keeps the words in memory while the catalogue does not change; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[str | None, Vocabulary] | None = None

    def now(self, catalog: Catalog) -> Vocabulary:
        """The words of every note as the catalogue has them."""
        with self._lock:
            version = catalog.meta("version")
            if self._held is None or self._held[0] != version:
                self._held = version, Vocabulary(word_counts(catalog.connection))
            return self._held[1]
