"""What a query asks: words to search for, conditions that a note must meet, and an order.

    tag:#work -path:archive [status:Draft] "exact words" plain words sort:modified

Bare words are searched for by meaning and text, and a note may lack some of them. All else holds exactly. So do words
in an `OR` with a condition, after a minus and inside an operator: there they are parts of the text, as in Obsidian.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from obsidian_indexer.search.stopwords import is_stop_word
from obsidian_indexer.search.syntax.parser import Parser
from obsidian_indexer.search.syntax.tree import (
    All,
    Case,
    Dated,
    In,
    Node,
    Pattern,
    Phrase,
    Place,
    Property,
    Some,
    Word,
    walk,
)
from obsidian_indexer.store.particles import without_particle
from obsidian_indexer.store.rows import clean_text
from obsidian_indexer.store.terms import bigrams, is_hangul, split_runs

# A longer text was pasted, not composed; it is searched for as it is.
_MAX_COMPOSED = 2_000
# Quotes and dashes among so many plain words are punctuation, unless an operator stands among them.
_PROSE_WORDS = 30


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart.

    `words` is what is searched for, in the order written. `condition` must hold of a note; None is met by all. With
    `exhaustive`, nothing but the condition decides which notes answer. `sort` is None for the best first. `remark`
    is what its writer should know.
    """

    text: str
    words: str
    condition: Node | None = None
    exhaustive: bool = False
    sort: str | None = None
    remark: str | None = None


def parse_query(text: str, now: datetime | None = None) -> Query:
    """Take a query apart; relative dates count from `now`, local time.

    Raises QueryError pointing at the character at fault.
    """
    if len(text) > _MAX_COMPOSED:
        return plain_query(text)
    written = unicodedata.normalize("NFC", clean_text(text)).replace("\0", " ")
    parsed = Parser(written, now or datetime.now()).parse()  # noqa: DTZ005 - the clock on the wall is meant
    parts = parsed.tree.parts if isinstance(parsed.tree, All) else (parsed.tree,) if parsed.tree else ()
    conditions = tuple(part for part in parts if not _is_loose(part))
    if len(parts) - len(conditions) > _PROSE_WORDS and not any(map(_has_operator, conditions)):
        return plain_query(text)
    return Query(
        text,
        " ".join(word for part in parts for word in _sought(part)),
        All(conditions) if conditions or (parsed.sort and not parts) else None,
        exhaustive=len(conditions) == len(parts),
        sort=parsed.sort,
        remark=parsed.remark,
    )


def _is_loose(node: Node) -> bool:
    """Whether a term is nothing but bare words, which a note may lack."""
    match node:
        case Word():
            return True
        case All(parts) | Some(parts):
            return all(_is_loose(part) for part in parts)
        case _:
            return False


def _has_operator(node: Node) -> bool:
    return any(isinstance(inner, In | Case | Property | Dated | Pattern) for inner in walk(node))


def _sought(node: Node) -> Iterator[str]:
    """The words of a term that tell what a note should say."""
    match node:
        case Word(text, _) | Phrase(text, _):
            yield from text.split()
        case All(parts) | Some(parts):
            for part in parts:
                yield from _sought(part)
        case Case(_, part):
            yield from _sought(part)
        case In(place, part) if place not in (Place.FILE, Place.PATH, Place.EXT, Place.TAG):
            yield from _sought(part)
        case _:
            return


def plain_query(text: str) -> Query:
    """The text as words to search for, whatever in it looks like an operator."""
    return Query(text, " ".join(text.split()))


def match_terms(words: str) -> list[str]:
    """The distinct terms to look up, as `store.terms` splits documents; stop words only where there is nothing else.

    Particles are left off Korean words. A lone character ends in `*` where it may be a part of a word without blanks:
    it is looked up as the start of a pair.
    """
    runs = split_runs(words)
    telling = [(run, unspaced) for run, unspaced in runs if not is_stop_word(run, unspaced)] or runs
    terms: list[str] = []
    for run, unspaced in telling:
        if not unspaced:
            terms.append(run)
        elif len(run) == 1:
            terms.append(run if len(telling) > 1 and is_hangul(run) else f"{run}*")
        else:
            terms.extend(bigrams(without_particle(run)))
    return list(dict.fromkeys(terms))


def match_phrases(terms: Sequence[str]) -> list[str]:
    """The terms as FTS5 phrases. They hold letters, digits, a mark of morphemes and a closing `*` only, so nothing of a
    query reaches FTS5's own syntax.
    """
    return [f'"{term[:-1]}" *' if term.endswith("*") else f'"{term}"' for term in terms]
