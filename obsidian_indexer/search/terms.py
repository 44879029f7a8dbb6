"""The terms that a query's own words are looked up by in a catalogue, and what is missing for some of them."""

from __future__ import annotations

from obsidian_indexer.search.query import match_phrases, match_terms
from obsidian_indexer.search.stopwords import is_stop_word
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import holds_morphemes
from obsidian_indexer.store.morphemes import MARK, analyser_version, marked_morphemes
from obsidian_indexer.store.terms import is_hangul


def query_terms(catalog: Catalog, words: str) -> list[str]:
    """The terms of a query; the last one as a prefix when no note holds it as it is: it may still be being typed.

    After them come the morphemes of Korean words, where the catalogue holds such and they can be made.
    """
    terms = match_terms(words)
    if terms and len(terms[-1]) >= 2 and not terms[-1].endswith("*"):
        exact = catalog.connection.execute(
            "SELECT 1 FROM chunk_terms WHERE chunk_terms MATCH ? LIMIT 1", match_phrases(terms[-1:])
        ).fetchone()
        if exact is None:
            terms[-1] += "*"
    if holds_morphemes(catalog.connection) and analyser_version() is not None:
        terms += query_morphemes(words)
    return terms


def query_morphemes(words: str) -> list[str]:
    """The distinct morphemes of a query, marked as the full text has them, without those that only ask."""
    marked = dict.fromkeys(marked_morphemes(words))
    return [term for term in marked if not is_stop_word(form := term.removeprefix(MARK), not form.isascii())]


def missing_morphemes(catalog: Catalog, words: str) -> str | None:
    """What to say when the catalogue holds morphemes of Korean words, and those of the query cannot be made."""
    if any(map(is_hangul, words)) and holds_morphemes(catalog.connection) and analyser_version() is None:
        return "Korean words are looked up without their morphemes: kiwipiepy, the extra 'korean', is not installed."
    return None
