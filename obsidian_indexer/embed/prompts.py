"""The text that a model wants before a query or a passage.

A model's own configuration comes first. Many published models name their prompts only in their card; those are listed.
"""

from __future__ import annotations

from collections.abc import Mapping

# Part of the model's name (lower case) → (query prompt, passage prompt), as their model cards say. Longest match wins.
_KNOWN: Mapping[str, tuple[str, str]] = {
    "multilingual-e5": ("query: ", "passage: "),
    "/e5-": ("query: ", "passage: "),
    "nomic-embed-text": ("search_query: ", "search_document: "),
    "snowflake-arctic-embed": ("Represent this sentence for searching relevant passages: ", ""),
    "snowflake-arctic-embed-l-v2": ("query: ", ""),
    "snowflake-arctic-embed-m-v2": ("query: ", ""),
    "mxbai-embed-large": ("Represent this sentence for searching relevant passages: ", ""),
    "bge-small-en": ("Represent this sentence for searching relevant passages: ", ""),
    "bge-base-en": ("Represent this sentence for searching relevant passages: ", ""),
    "bge-large-en": ("Represent this sentence for searching relevant passages: ", ""),
}
_QUERY_NAMES = ("query", "search_query", "retrieval.query")
_DOCUMENT_NAMES = ("document", "passage", "search_document", "retrieval.passage", "corpus")


def prompts_of(name: str, config: Mapping[str, object]) -> tuple[str, str]:
    """The (query, passage) prompts of a model, from its `config_sentence_transformers.json` or the list."""
    declared = config.get("prompts")
    if isinstance(declared, Mapping):
        query = _first(declared, _QUERY_NAMES)
        document = _first(declared, _DOCUMENT_NAMES)
        if query or document:
            return query, document
    lower = name.lower()
    matches = [key for key in _KNOWN if key in f"/{lower}"]
    return _KNOWN[max(matches, key=len)] if matches else ("", "")


def _first(prompts: Mapping[object, object], names: tuple[str, ...]) -> str:
    return next((text for name in names if isinstance(text := prompts.get(name), str) and text), "")
