"""What a query asks: words to search for and filters to keep within.

    tag:#work path:archive file:.canvas -path:old "exact words" plain words

A filter's value ends at a blank unless it is quoted. Operators are matched in any case; an unknown `word:` is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from obsidian_indexer.store.terms import bigrams, split_runs


class FilterKind(StrEnum):
    """What a filter looks at."""

    TAG = "tag"
    PATH = "path"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition that a note must meet, or must not when `negated`. `value` is as written, quotes removed."""

    kind: FilterKind
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart. `words` is what is searched for, in the order written, filters removed."""

    text: str
    words: str
    filters: tuple[Filter, ...] = ()


_FILTER = re.compile(r'(?<!\S)(-?)(tag|path|file):(?:"((?:\\.|[^"\\])*)"|(\S*))', re.IGNORECASE)

# Words that nearly every English note holds: they rank nothing and cost a look at every row.
_STOP = frozenset(
    """
    a an and are as at be but by can could did do does for from had has have how i if in into is it its me my of on or
    our should so that the their them then there these they this to was we were what when where which who why will
    with would you your
    """.split()  # noqa: SIM905 - eighty quoted words are harder to read
)


def parse_query(text: str) -> Query:
    """Take a query apart; any text is a valid query."""
    filters = []
    for match in _FILTER.finditer(text):
        negated, kind, quoted, plain = match.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        if value:
            filters.append(Filter(FilterKind(kind.lower()), value, bool(negated)))
    words = " ".join(_FILTER.sub(" ", text).split())
    return Query(text, words, tuple(filters))


def match_terms(words: str) -> list[str]:
    """The distinct terms to look up, as `store.terms` splits documents; stop words only where there is nothing else.

    A lone character of an unspaced script ends in `*`: it is looked up as the start of a pair.
    """
    plain: list[str] = []
    paired: list[str] = []
    for run, unspaced in split_runs(words):
        if unspaced:
            paired.extend(bigrams(run) if len(run) > 1 else [f"{run}*"])
        else:
            plain.append(run)
    telling = [word for word in plain if word not in _STOP]
    return list(dict.fromkeys((telling or ([] if paired else plain)) + paired))


def match_expression(terms: list[str]) -> str:
    """An FTS5 expression for any of the terms. Terms hold letters, digits and a closing `*` only, so nothing of a
    query reaches FTS5's own syntax.
    """
    return " OR ".join(f'"{term[:-1]}" *' if term.endswith("*") else f'"{term}"' for term in terms)
