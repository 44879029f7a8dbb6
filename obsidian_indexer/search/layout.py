"""Words typed while the other keyboard layout was on: Korean (dubeolsik) in Latin letters, and the reverse.

    dhqtleldjs → 옵시디언      ㅔㅛ소ㅐㅜ → python

The table is that of KS X 5002; a capital gives what Shift does where that differs.
"""

from __future__ import annotations

import re

from obsidian_indexer.search.syllables import letters_of, syllable_of
from obsidian_indexer.store.terms import is_hangul

_TYPED = "qwertyuiop asdfghjkl zxcvbnm QWERTOP"
_SHOWN = "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ ㅁㄴㅇㄹㅎㅗㅓㅏㅣ ㅋㅌㅊㅍㅠㅜㅡ ㅃㅉㄸㄲㅆㅒㅖ"
_KEYS = dict(zip(_TYPED.replace(" ", ""), _SHOWN.replace(" ", ""), strict=True))
_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
# Letters of two strokes.
_PAIRS = {
    "ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ", "ㅡㅣ": "ㅢ",
    "ㄱㅅ": "ㄳ", "ㄴㅈ": "ㄵ", "ㄴㅎ": "ㄶ", "ㄹㄱ": "ㄺ", "ㄹㅁ": "ㄻ", "ㄹㅂ": "ㄼ", "ㄹㅅ": "ㄽ", "ㄹㅌ": "ㄾ",
    "ㄹㅍ": "ㄿ", "ㄹㅎ": "ㅀ", "ㅂㅅ": "ㅄ",
}  # fmt: skip


def _one_of(letters: str) -> str:
    """A pattern for one of some letters, those of two strokes first."""
    pairs = [pair for pair, letter in _PAIRS.items() if letter in letters]
    return f"(?:{'|'.join((*pairs, f'[{letters}]'))})"


# A consonant that a vowel follows begins the next syllable.
_SYLLABLE = re.compile(f"([{_LEADS}])({_one_of(_VOWELS)})({_one_of(_TAILS)}(?![{_VOWELS}]))?")
_STROKES = {letter: key for key, letter in _KEYS.items()}
_STROKES |= {letter: _STROKES[pair[0]] + _STROKES[pair[1]] for pair, letter in _PAIRS.items()}


def as_hangul(word: str) -> str | None:
    """What a word of Latin letters is in the Korean layout; None where it does not make whole syllables."""
    letters = "".join(_KEYS.get(key) or _KEYS.get(key.lower(), key) for key in word)
    syllables: list[str] = []
    at = 0
    while at < len(letters):
        found = _SYLLABLE.match(letters, at)
        if found is None:
            return None
        lead, vowel, tail = found.groups()
        tail_number = 1 + _TAILS.index(_PAIRS.get(tail, tail)) if tail else 0
        syllables.append(syllable_of(_LEADS.index(lead), _VOWELS.index(_PAIRS.get(vowel, vowel)), tail_number))
        at = found.end()
    return "".join(syllables)


def as_latin(word: str) -> str | None:
    """What a word of Hangul (NFC) is in the Latin layout; None where it holds anything else."""
    keys: list[str] = []
    for character in word:
        if is_hangul(character):
            lead, vowel, tail = letters_of(character)
            keys += _STROKES[_LEADS[lead]], _STROKES[_VOWELS[vowel]], _STROKES[_TAILS[tail - 1]] if tail else ""
        elif character in _STROKES:
            keys.append(_STROKES[character])
        else:
            return None
    return "".join(keys)


def has_loose_letters(word: str) -> bool:
    """Whether a word of Hangul holds a letter outside of any syllable, as no written Korean word does."""
    return any(character in _STROKES for character in word)
