"""A query with words that no note holds, and what was most likely meant: another spelling, another keyboard layout."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from obsidian_indexer.search.layout import as_hangul, as_latin, has_loose_letters
from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.search.spelling import Vocabulary
from obsidian_indexer.search.syllables import respelt_syllable
from obsidian_indexer.search.translation import beginnings, is_korean_word
from obsidian_indexer.store.fulltext import count_holding, holds_term
from obsidian_indexer.store.particles import without_particle
from obsidian_indexer.store.terms import UNSPACED, bigrams, is_hangul, split_runs

# A word of letters only, all of one kind of script; one that touches a digit is a name or a code.
_WORD = re.compile(rf"[\uac00-\ud7a3\u3131-\u318e]+|(?<![\d_])(?:(?![{UNSPACED}])[^\W\d_])+(?![\d_])")
# Who pastes a text does not mistype it, and each word costs a look at the index.
_MOST_WORDS = 32
# Below this, chance makes words of the other layout.
_LEAST_KEYS, _LEAST_SYLLABLES = 4, 2
# Of several spellings that so many notes hold, either will do.
_MOST_NOTES = 100


@dataclass(frozen=True, slots=True)
class Correction:
    """Words to search for in place of those typed, and a line that says so."""

    words: str
    notice: str


def correct(
    connection: sqlite3.Connection,
    words: str,
    vocabulary: Callable[[], Vocabulary],
    is_word: Callable[[str], bool],
) -> Correction | None:
    """What a query's words were meant to be; None where nothing better is known.

    Only words that no note holds are looked at, the last one as the beginning of a word; and of those only such as
    `is_word` does not know either: a word that the model has learnt is no slip of the fingers.
    """
    words = unicodedata.normalize("NFC", words)
    found = list(_WORD.finditer(words))
    if len(found) > _MOST_WORDS:
        return None
    meant, how = words, ""
    for match in reversed(found):
        word, is_last = match.group(), match is found[-1] and match.end() == len(words)
        held = _held(connection, word)
        if all(held):
            continue
        other = _korean_respelt(connection, word) if is_hangul(word[0]) else None
        if other is None and _is_partly_known(connection, word, held, is_last):
            continue
        other = other or _respelt(word, vocabulary)
        in_layout = _in_other_layout(connection, word, vocabulary) if other is None else None
        if (other := other or in_layout) is None or is_word(word):
            continue
        meant = meant[: match.start()] + other + meant[match.end() :]
        how = ", read in the other keyboard layout" if in_layout else how
    return None if meant == words else Correction(meant, f'Showing results for "{meant}"{how}.')


def _is_korean(word: str) -> bool:
    return is_hangul(word[0]) or has_loose_letters(word[0])


def _respelt(word: str, vocabulary: Callable[[], Vocabulary]) -> str | None:
    """The word as a note spells it. One with capitals inside is a name or stands for several words."""
    if _is_korean(word) or word[1:] != word[1:].lower():
        return None
    other = vocabulary().nearest(_folded(word))
    return other.capitalize() if other is not None and word[0].isupper() else other


def _korean_respelt(connection: sqlite3.Connection, word: str) -> str | None:
    """A Korean word without its particle as notes spell it, where they do not hold all of it as it is.

    One of the lexicon is no slip; behind the beginning of one stands an ending.
    """
    stem = without_particle(word)
    if has_loose_letters(word) or is_korean_word(stem):
        return None

    def count(other: str) -> int:
        # In the order of the word, so that they are one word.
        return count_holding(connection, f'"{" ".join(bigrams(other))}"', _MOST_NOTES)

    return respelt_syllable(stem, count, whole=not any(map(is_korean_word, beginnings(stem))))


def _folded(word: str) -> str:
    return "".join(run for run, _ in split_runs(word))


def _in_other_layout(connection: sqlite3.Connection, word: str, vocabulary: Callable[[], Vocabulary]) -> str | None:
    """The word in the other layout, if notes hold every part of it; a Latin one may be misspelt on top."""
    if _is_korean(word):
        latin = as_latin(word)
        if latin is None or len(latin) < _LEAST_KEYS:
            return None
        return latin if all(_held(connection, latin)) else vocabulary().nearest(_folded(latin))
    hangul = as_hangul(word) if len(word) >= _LEAST_KEYS else None
    if hangul is None or len(hangul) < _LEAST_SYLLABLES:
        return None
    return hangul if all(_held(connection, hangul)) else None


def _is_partly_known(connection: sqlite3.Connection, word: str, held: Sequence[bool], is_last: bool) -> bool:
    """Whether notes hold a pair of syllables of a Korean word or, of the last word, one that begins so."""
    if _is_korean(word):
        return any(held) and not has_loose_letters(word)
    return is_last and holds_term(connection, match_phrases([f"{_folded(word)}*"])[0])


def _held(connection: sqlite3.Connection, word: str) -> list[bool]:
    """For each term of a word, whether any note holds it."""
    return [holds_term(connection, phrase) for phrase in match_phrases(match_terms(word))]
