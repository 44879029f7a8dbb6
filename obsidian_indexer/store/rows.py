"""How values cross into SQLite and back: paths that are not UTF-8, text with lone surrogates, JSON, keys."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BETWEEN_WORDS = re.compile(r"[\s_-]+")

PAGE = 900
"""Values bound in one statement: below the 999 that the oldest SQLite still in use accepts."""


def path_to_row(path: str) -> str | bytes:
    """A path as SQLite can hold it: text, or its bytes where the name on disk is not UTF-8."""
    return path.encode("utf-8", "surrogateescape") if _SURROGATE.search(path) else path


def path_from_row(value: str | bytes) -> str:
    """The inverse of `path_to_row`."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def clean_text(text: str) -> str:
    """Text without lone surrogates, which UTF-8 cannot hold (JSON and YAML escapes can make them)."""
    return _SURROGATE.sub("\ufffd", text) if _SURROGATE.search(text) else text


def fold(text: str) -> str:
    """Text as filters compare it: composed (NFC), without regard to case, without lone surrogates."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", clean_text(text)).casefold()


def closed_up(text: str) -> str:
    """What the spellings of one name share: folded, without blanks, hyphens and underscores; empty for nothing else."""
    return _BETWEEN_WORDS.sub("", fold(text))


def to_json(value: object) -> str:
    """Compact JSON; lone surrogates stay escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return json.dumps(value, separators=(",", ":"), default=str) if _SURROGATE.search(text) else text


def strings_from_json(text: str) -> tuple[str, ...]:
    """A JSON list of strings."""
    return tuple(json.loads(text))


def pages(values: Sequence[T], size: int = PAGE) -> Iterator[Sequence[T]]:
    """Consecutive slices of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def marks(values: Iterable[Any]) -> str:
    """`?,?,?` for an IN list."""
    return ",".join("?" for _ in values)
