"""The state that the inline rules share: markdown-it-py's own, with what must be found once per text to stay linear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType


class Context(StrEnum):
    """Where a text stands; some syntax counts in some places only."""

    TEXT = "text"
    HEADING = "heading"
    CELL = "cell"
    COMMENT = "comment"


class BracketKind(StrEnum):
    """What an open bracket may become."""

    LINK = "link"
    IMAGE = "image"
    FOOTNOTE = "footnote"


@dataclass(slots=True)
class Field:
    """The first half of a Dataview field in brackets: its key, where its value starts, the token of its colons."""

    key: str
    value_start: int
    colons: Token


@dataclass(slots=True)
class Bracket:
    """An open bracket: its text token, and how long the state's lists were when it was opened."""

    kind: BracketKind
    token: Token
    index: int
    pos: int
    n_delimiters: int
    n_metas: int
    field: Field | None = None


class VaultState(StateInline):
    """An inline state that remembers open brackets and, once per text, where pairs end."""

    def __init__(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token], context: Context) -> None:
        super().__init__(src, md, env, tokens)
        self.context = context
        self.brackets: list[Bracket] = []
        # Link brackets below this depth enclose a link already, so they can be none themselves.
        self.inactive_below = 0
        self.wikilink_ends: dict[int, int] | None = None
        self.paren_ends: dict[int, int] | None = None
        # Tags right after a `[`, which count only if that bracket becomes a link.
        self.bracket_tags: list[tuple[Token, Token]] = []

    def literal(self, length: int) -> bool:
        """Take the next `length` characters as plain text."""
        self.append_pending(self.src[self.pos : self.pos + length])
        self.pos += length
        return True

    def run_length(self) -> int:
        """How often the character at the current position stands there in a row."""
        src, marker, end = self.src, self.src[self.pos], self.pos + 1
        while end < self.posMax and src[end] == marker:
            end += 1
        return end - self.pos


InlineRule = Callable[[VaultState], bool]
"""Reads at `state.pos`; returns True when it moved on, False to let the next rule try."""
