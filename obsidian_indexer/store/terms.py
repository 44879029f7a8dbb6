"""Text as search terms: words, and character bigrams for scripts written without spaces or with particles.

Documents and queries go through the same split, so that what is stored as `옵시 시디 디언` is found by `옵시디언`.
SQLite's own tokenizer is left with cutting at blanks (`ascii`, which knows no other letters and so splits none) and
with stemming English (`porter`).
"""

from __future__ import annotations

import re
import unicodedata

from obsidian_indexer.store.particles import without_particle

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Hangul, kana, Han, and the South-East Asian scripts that write no spaces between words, as ranges of a set."""
# The Brahmic blocks are listed because their vowel signs are marks, which `\w` leaves out.
# An emoji is a word: people put them into titles and tags.
_RUN = re.compile(
    rf"([{UNSPACED}]+)|((?:[^\W{UNSPACED}_]|[\u0300-\u036f\u0900-\u0dff])+|[\u2600-\u27bf\U0001f000-\U0001faff])"
)

_ASCII_WORD = re.compile("[a-z0-9]+")
_ACCENT = re.compile("[\u0300-\u036f]+")

TERMS_VERSION = "3"
"""Changes whenever the same text would give other terms; the full-text tables are rebuilt then."""


SHORTEST_SPELT, LONGEST_SPELT = 4, 24
"""Letters of a word that a misspelt one may be meant for."""


def split_runs(text: str) -> list[tuple[str, bool]]:
    """The words of a text in order, each with whether it is of an unspaced script.

    Folded: compatibility forms to plain ones (NFKC), lower case, accents off.
    """
    if text.isascii():
        return [(word, False) for word in _ASCII_WORD.findall(text.lower())]
    text = unicodedata.normalize("NFKC", text).lower()
    runs = []
    for unspaced, word in _RUN.findall(text):
        if unspaced:
            runs.append((unspaced, True))
        elif plain := word if word.isascii() else _ACCENT.sub("", unicodedata.normalize("NFD", word)):
            runs.append((plain, False))
    return runs


def is_hangul(character: str) -> bool:
    """Whether a character is a syllable of Korean, whose words are written apart."""
    return "\uac00" <= character <= "\ud7a3"


def bigrams(run: str) -> list[str]:
    """Overlapping pairs of characters; a run of one is itself."""
    return [run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]


def document_terms(text: str) -> str:
    """A text as the blank-separated terms that the full-text tables hold.

    The last character of an unspaced run is added on its own, so that a one-character query finds it as a prefix of
    some term wherever in the run it stands; and so is a word of one syllable that a particle follows (집 of 집에서).
    """
    if text.isascii():
        return " ".join(_ASCII_WORD.findall(text.lower()))
    terms: list[str] = []
    for run, unspaced in split_runs(text):
        if not unspaced:
            terms.append(run)
        else:
            terms.extend(bigrams(run))
            if len(run) > 1:
                terms.append(run[-1])
                if len(word := without_particle(run)) == 1:
                    terms.append(word)
    return " ".join(terms)


def spelt_words(*terms: str) -> str:
    """Those of `document_terms` that are words a reader spells with letters, each once, in order of the alphabet.

    Pairs of characters are too short for it.
    """
    words = {word for held in terms for word in held.split() if SHORTEST_SPELT <= len(word) <= LONGEST_SPELT}
    return " ".join(sorted(word for word in words if word.isalpha()))
