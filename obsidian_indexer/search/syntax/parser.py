"""The query box's text to a tree, by recursive descent.

    query   = either { blank either }            every one of them
    either  = all { "OR" all }                   binds looser than the blank
    term    = ["-"] ( group | phrase | pattern | property | operator ":" value | word )

What cannot be an operator is text: an unknown `word:`, a bracket inside a word, a quote that a letter follows, a
slash that no second one answers. What is not closed ends with the query, or is text, as suits one who still types;
the remark says so. What asks for what cannot be, such as a bad pattern or date, is an error that points at the
character.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from obsidian_indexer.errors import QueryError
from obsidian_indexer.search.syntax.dates import read_range, read_span
from obsidian_indexer.search.syntax.pattern import compile_pattern
from obsidian_indexer.search.syntax.tree import (
    All,
    Case,
    Compared,
    Dated,
    DateOf,
    In,
    Node,
    Not,
    Pattern,
    Phrase,
    Place,
    Property,
    Some,
    Word,
)

_OPERATOR = re.compile(r"([A-Za-z]+(?:-[A-Za-z]+)?):")
_SIGN = re.compile(r"(>=|<=|>|<)[ \t]*")
_BEGINS_PROPERTY = re.compile(r"\[[\w-]+:\S")
SORTS = ("modified", "created", "modified-asc", "created-asc")
"""Orders by date: the newest first, or with `-asc` the oldest."""
_MAX_DEPTH = 50
_OR = "OR"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query's conditions, None for none, and the order it asks for, one of `SORTS`.

    `remark` says what was not closed, and where.
    """

    tree: Node | None
    sort: str | None
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class _Scope:
    """What ends a word besides a blank, and whether it stands in a property's brackets."""

    stops: str = ""
    in_value: bool = False


@dataclass(slots=True)
class _Or:
    """The keyword between two alternatives."""

    position: int


@dataclass(slots=True)
class Parser:
    """One query being read. `now` is the local time that relative dates count from."""

    text: str
    now: datetime
    at: int = 0
    sort: str | None = None
    _remark: str | None = None
    _depth: int = 0

    def parse(self) -> Parsed:
        """The whole query. Raises QueryError pointing at the character at fault."""
        tree = self._either(_Scope())
        return Parsed(None if _is_nothing(tree) else tree, self.sort, self._remark)

    # ---- structure

    def _either(self, scope: _Scope) -> Node:
        """Terms up to what closes them."""
        items: list[Node | _Or] = []
        while (item := self._next(scope)) is not None:
            if isinstance(item, _Or) or not _is_nothing(item):
                items.append(item)
        alternatives: list[list[Node]] = [[]]
        for number, item in enumerate(items):
            if not isinstance(item, _Or):
                alternatives[-1].append(item)
            elif alternatives[-1] and number + 1 < len(items) and not isinstance(items[number + 1], _Or):
                alternatives.append([])
            else:
                # One that does not stand between two terms is a word.
                alternatives[-1].append(Word(_OR, item.position))
        return _joined(Some, [_joined(All, parts) for parts in alternatives if parts])

    def _next(self, scope: _Scope) -> Node | _Or | None:
        """The next term, or None at the end or at what closes the scope, which is not consumed."""
        self._skip_blanks()
        if self.at >= len(self.text) or self.text[self.at] in scope.stops:
            return None
        if self.text.startswith(_OR, self.at) and self._ends_word(self.at + 2, scope):
            self.at += 2
            return _Or(self.at - 2)
        return self._term(scope)

    def _term(self, scope: _Scope) -> Node:
        start = self.at
        following = self.text[start + 1 : start + 2]
        if self.text[start] == "-" and following and following not in f"-{scope.stops}" and not following.isspace():
            self.at += 1
            with_sort = self.sort
            part = self._deeper(self._positive, scope)
            if self.sort != with_sort:
                raise QueryError("An order cannot be excluded. Write sort:modified-asc for the oldest first.", start)
            return part if _is_nothing(part) else Not(part)
        return self._positive(scope)

    def _positive(self, scope: _Scope) -> Node:
        """One term without its minus."""
        match self.text[self.at]:
            case "(":
                return self._group(scope)
            case '"' | "'" | "/":
                quoted = self._quoted(scope)
                if scope.in_value and isinstance(quoted, Phrase) and (sign := _SIGN.match(quoted.text)):
                    return Compared(sign[1], quoted.text[sign.end() :])
                return self._word(scope) if quoted is None else quoted
            case "[":
                found = None if scope.in_value else self._property(scope)
                return self._word(scope) if found is None else found
            case ">" | "<" if scope.in_value:
                return self._compared(scope)
        operator = None if scope.in_value else _OPERATOR.match(self.text, self.at)
        if operator is not None and not self._ends_word(operator.end(), scope):
            found = self._operator(operator[1].lower(), operator, scope)
            if found is not None:
                return found
        return self._word(scope)

    def _group(self, scope: _Scope) -> Node:
        start = self.at
        self.at += 1
        node = self._deeper(self._either, _Scope(")", scope.in_value))
        if self.at >= len(self.text):
            self._miss("A closing bracket", start)
        self.at += 1
        return node

    def _deeper(self, read: Callable[[_Scope], Node], scope: _Scope) -> Node:
        """Read what nests in another term."""
        if self._depth >= _MAX_DEPTH:
            raise QueryError("This query nests too deep.", self.at)
        self._depth += 1
        try:
            return read(scope)
        finally:
            self._depth -= 1

    # ---- leaves

    def _word(self, scope: _Scope) -> Word:
        """Up to a blank or what closes the scope; brackets opened inside the word belong to it."""
        start, open_brackets = self.at, 0
        while self.at < len(self.text) and not self.text[self.at].isspace():
            char = self.text[self.at]
            if char in scope.stops and not (char == ")" and open_brackets):
                break
            open_brackets += (char == "(") - (char == ")")
            open_brackets = max(0, open_brackets)
            self.at += 1
        return Word(self.text[start : self.at], start)

    def _quoted(self, scope: _Scope) -> Phrase | Pattern | None:
        """A phrase or pattern that begins here; None, with nothing consumed, when it is only a character of a word."""
        start, mark = self.at, self.text[self.at]
        end = self._closing(mark, scope)
        if end is None:
            if mark == "/" and self._closing(mark, scope, with_sets=False) is not None:
                raise QueryError("A set of this pattern is not closed.", self.text.index("[", start))
            if mark == '"' and self.text[start + 1 :].strip() and '"' not in self.text[start + 1 :]:
                self._miss("A closing quote", start)
            return None
        inner = self.text[start + 1 : end]
        if mark == "/":
            if not inner:
                return None
            cased, uncased = compile_pattern(inner, start + 1)
            self.at = end + 1
            return Pattern(inner, cased, uncased, start)
        self.at = end + 1
        return Phrase(re.sub(r"\\([\"'\\])", r"\1", inner), start)

    def _closing(self, mark: str, scope: _Scope, *, with_sets: bool = True) -> int | None:
        """Where what `mark` opened is closed: by the first one that is not escaped, and nothing may follow it at once.

        An apostrophe inside a word closes nothing; nor does, `with_sets`, a slash in a pattern's set.
        """
        at, in_set = self.at + 1, False
        while at < len(self.text):
            char = self.text[at]
            if char == "\\" and mark != "'":
                at += 1
            elif mark == "/" and char in "[]":
                in_set = with_sets and char == "["
            elif char == mark and not in_set:
                if self._ends_word(at + 1, scope):
                    return at
                if mark != "'":
                    return None
            at += 1
        return None

    def _compared(self, scope: _Scope) -> Node:
        sign = _SIGN.match(self.text, self.at)
        assert sign is not None
        start = self.at
        self.at = sign.end()
        if self.at >= len(self.text) or self.text[self.at] in scope.stops:
            raise QueryError("There is nothing to compare with.", start)
        quoted = self._quoted(scope) if self.text[self.at] in "\"'" else None
        return Compared(sign[1], quoted.text if isinstance(quoted, Phrase) else self._word(scope).text)

    # ---- operators

    def _operator(self, name: str, match: re.Match[str], scope: _Scope) -> Node | None:
        """An operator with its value; None, with nothing consumed, when there is no operator of that name."""
        if name in ("after", "before", "created", "modified", "sort"):
            self.at = match.end()
            return self._of_time(name, scope)
        if name in ("match-case", "ignore-case"):
            self.at = match.end()
            part = self._value(scope)
            return part if _is_nothing(part) else Case(name == "match-case", part)
        if name in set(Place):
            self.at = match.end()
            part = self._value(scope)
            return part if _is_nothing(part) else In(Place(name), part)
        return None

    def _value(self, scope: _Scope) -> Node:
        """A group, phrase or pattern, or a text that ends at a blank."""
        if self.text[self.at] == "(":
            return self._group(scope)
        start = self.at
        quoted = self._quoted(scope) if self.text[start] in "\"'/" else None
        if quoted is None and self.text[start] == '"' and '"' not in self.text[start + 1 :]:
            self.at = len(self.text)
            return Phrase(self.text[start + 1 :], start)
        return self._word(scope) if quoted is None else quoted

    def _of_time(self, name: str, scope: _Scope) -> Node:
        start = self.at
        value = self._quoted(scope) if self.text[start] in "\"'" else None
        text = value.text if isinstance(value, Phrase) else self._word(scope).text
        start += isinstance(value, Phrase)
        match name:
            case "sort":
                if text.casefold() not in SORTS:
                    raise QueryError(f"The order is one of {', '.join(SORTS)}.", start)
                self.sort = text.casefold()
                return _NOTHING
            case "after":
                return Dated(DateOf.CREATED, read_span(text, start, self.now)[0], None)
            case "before":
                return Dated(DateOf.CREATED, None, read_span(text, start, self.now)[0])
            case _:
                return Dated(DateOf(name), *read_range(text, start, self.now))

    def _property(self, scope: _Scope) -> Node | None:
        """`[name]` or `[name:value]`; None, with nothing consumed, when the brackets hold no property."""
        start = self.at
        if self.text.startswith("[[", start):
            return None
        if "]" not in self.text[start:]:
            if _BEGINS_PROPERTY.match(self.text, start):
                self._miss("A closing bracket", start)
            return None
        self.at += 1
        name = self._deeper(self._either, _Scope(":]", in_value=True))
        value: Node | None = None
        if self.text.startswith(":", self.at):
            self.at += 1
            value = self._deeper(self._either, _Scope("]", in_value=True))
        if _is_nothing(name) or self.at >= len(self.text) or not self._ends_word(self.at + 1, scope):
            self.at = start
            return None
        self.at += 1
        return Property(_one_name(name), None if value is None or _is_nothing(value) else value)

    def _miss(self, what: str, position: int) -> None:
        self._remark = self._remark or f"{what} is missing for the one at character {position + 1}."

    # ---- characters

    def _skip_blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _ends_word(self, at: int, scope: _Scope) -> bool:
        """Whether a word cannot go on here."""
        return at >= len(self.text) or self.text[at].isspace() or self.text[at] in scope.stops


# A term that asks for nothing, like empty brackets.
_NOTHING = All(())


def _is_nothing(node: Node) -> bool:
    return node in (All(()), Some(()))


def _one_name(node: Node) -> Node:
    """Bare words beside each other are one name with blanks."""
    match node:
        case All(parts) if all(isinstance(part, Word) for part in parts):
            words = [part for part in parts if isinstance(part, Word)]
            return Word(" ".join(word.text for word in words), words[0].position)
        case Some(parts):
            return Some(tuple(_one_name(part) for part in parts))
        case _:
            return node


def _joined(kind: type[All] | type[Some], parts: list[Node]) -> Node:
    return kind(tuple(parts)) if len(parts) != 1 else parts[0]
