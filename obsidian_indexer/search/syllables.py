"""Korean words misspelt by one letter of one syllable.

Korean words are found by their pairs of syllables, so most slips leave a pair that is found. Two kinds do not, or find
much less: a vowel written as it sounds (찌게 for 찌개), and a slip in the middle one of three syllables (고냥이).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_FIRST = 0xAC00
_LEADS, _VOWELS, _TAILS = 19, 21, 28
# ㅐ ㅔ, ㅒ ㅖ, ㅙ ㅚ ㅞ, by the order of vowels in Unicode: they are told apart by spelling, hardly by ear.
_SOUND_ALIKE = ((1, 5), (3, 7), (10, 11, 15))
# Ends of verbs' forms, which a letter makes another form (받나요, 받아요) or another verb (서툴러, 서둘러).
_VERBAL = frozenset("요는한된할될고지며면서게다니까해돼던려야러나")
_ALIKE = {vowel: [other for other in group if other != vowel] for group in _SOUND_ALIKE for vowel in group}


def respelt_syllable(word: str, count: Callable[[str], int], *, whole: bool) -> str | None:
    """The word of Hangul that this one was most likely meant for; None where there is none.

    `count` says how many notes hold a word; `whole` is whether it may be a word without an ending. Any syllable may
    differ in a vowel that sounds the same; of a whole word of three the middle one in any letter, where the notes do
    not hold either pair that it is part of.
    """
    if len(word) < 2:
        return None
    likely = [(count(other), other) for other in _as_it_sounds(word)]
    is_noun = whole and len(word) == 3 and word[-1] not in _VERBAL
    if is_noun and not any(notes for notes, _ in likely) and not count(word[:2]) + count(word[1:]):
        likely = [(count(other), other) for other in _with_other_middle(word)]
    notes, other = max(likely, default=(0, ""))
    return other if notes else None


def _as_it_sounds(word: str) -> Iterator[str]:
    for place, syllable in enumerate(word):
        lead, vowel, tail = letters_of(syllable)
        for other in _ALIKE.get(vowel, ()):
            yield word[:place] + syllable_of(lead, other, tail) + word[place + 1 :]


def _with_other_middle(word: str) -> Iterator[str]:
    lead, vowel, tail = letters_of(word[1])
    others = {
        *(syllable_of(other, vowel, tail) for other in range(_LEADS)),
        *(syllable_of(lead, other, tail) for other in range(_VOWELS)),
        *(syllable_of(lead, vowel, other) for other in range(_TAILS)),
    }
    return (word[0] + other + word[2] for other in sorted(others - {word[1]}))


def letters_of(syllable: str) -> tuple[int, int, int]:
    """Numbers of a syllable's first consonant, vowel and last consonant, 0 for none (The Unicode Standard, 3.12)."""
    number = ord(syllable) - _FIRST
    return number // (_VOWELS * _TAILS), number // _TAILS % _VOWELS, number % _TAILS


def syllable_of(lead: int, vowel: int, tail: int) -> str:
    """The syllable of which `letters_of` gives these."""
    return chr(_FIRST + (lead * _VOWELS + vowel) * _TAILS + tail)
