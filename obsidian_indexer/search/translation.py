"""Words of a query in the other language of a mixed vault, from the lexicon that comes with the program.

`training/lexicon.py` counts it in translated sentences. It needs no model, so that a Korean question finds an English
note by its words too, and an English one a Korean note.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.search.stopwords import is_stop_word
from obsidian_indexer.store.fulltext import holds_term
from obsidian_indexer.store.particles import without_particle
from obsidian_indexer.store.terms import is_hangul, split_runs

_FOLDER = Path(__file__).resolve().parent / "lexicon"
SHORTEST = 2
"""Letters of the shortest word, or beginning of one, that is looked up."""


@dataclass(frozen=True, slots=True)
class Translation:
    """Words of the other language that those of a query may stand for.

    `unknown` is the share of the query's own words that no note holds: a vault that knows them needs no others.
    """

    words: tuple[str, ...] = ()
    unknown: float = 0.0


def translate(connection: sqlite3.Connection, text: str) -> Translation:
    """The words of a text that the lexicon knows, translated; nothing where it knows none."""
    words = [word for word, unspaced in split_runs(text) if len(word) >= SHORTEST and not is_stop_word(word, unspaced)]
    found = tuple(dict.fromkeys(other for word in words for other in _others(word)))
    if not found:
        return Translation()
    return Translation(found, sum(not _is_known(connection, word) for word in words) / len(words))


def _is_known(connection: sqlite3.Connection, word: str) -> bool:
    phrases = match_phrases(match_terms(word))
    return holds_term(connection, " AND ".join(phrases))


def _others(word: str) -> list[str]:
    """The translations of a word; of a Korean one, those of the longest beginning that has any."""
    korean = is_hangul(word[0])
    lexicon = _lexicon("ko-en" if korean else "en-ko")
    forms = (without_particle(word), *beginnings(word)) if korean else (word,)
    return next((lexicon[form].split(" ") for form in forms if form in lexicon), [])


def is_korean_word(word: str) -> bool:
    """Whether the lexicon has this form of a Korean word."""
    return word in _lexicon("ko-en")


def beginnings(word: str) -> Iterator[str]:
    """The beginnings of a Korean word, longest first, without the word itself."""
    return (word[:n] for n in range(len(word) - 1, SHORTEST - 1, -1))


@cache
def _lexicon(direction: str) -> dict[str, str]:
    """Words and their translations, which blanks separate."""
    lines = (_FOLDER / f"{direction}.tsv").read_text("utf-8").split("\n")[:-1]
    return dict(line.split("\t") for line in lines)
