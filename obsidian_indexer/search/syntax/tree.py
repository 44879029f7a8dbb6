"""What a query says, as a tree. Every `position` is the 0-based index of the character it begins at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import regex


class Place(StrEnum):
    """What an operator looks at."""

    FILE = "file"
    PATH = "path"
    EXT = "ext"
    CONTENT = "content"
    TAG = "tag"
    LINE = "line"
    BLOCK = "block"
    SECTION = "section"
    TASK = "task"
    TASK_TODO = "task-todo"
    TASK_DONE = "task-done"


class DateOf(StrEnum):
    """Which date a condition or an order goes by."""

    CREATED = "created"
    MODIFIED = "modified"


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word: found as a part of other words too."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Phrase:
    """A quoted text: found as whole words, in this order; empty text is found everywhere."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A `/regex/`, compiled with regard to case and without."""

    source: str
    cased: regex.Pattern[str]
    uncased: regex.Pattern[str]
    position: int


@dataclass(frozen=True, slots=True)
class All:
    """Every one of several conditions."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of several conditions."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    part: Node


@dataclass(frozen=True, slots=True)
class In:
    """A condition on one place of a note."""

    place: Place
    part: Node


@dataclass(frozen=True, slots=True)
class Case:
    """A condition that looks at case, or does not."""

    matters: bool
    part: Node


@dataclass(frozen=True, slots=True)
class Property:
    """A note's property: `value` is None for one that only has to be there."""

    name: Node
    value: Node | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A property's value above (`>`, `>=`) or below (`<`, `<=`) `text`."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Dated:
    """A date from `start` on and before `end`, local time."""

    of: DateOf
    start: datetime | None
    end: datetime | None


Node: TypeAlias = Word | Phrase | Pattern | All | Some | Not | In | Case | Property | Compared | Dated


def inside(node: Node) -> tuple[Node, ...]:
    """The conditions that one is made of."""
    match node:
        case All(parts) | Some(parts):
            return parts
        case Not(part) | In(_, part) | Case(_, part):
            return (part,)
        case Property(name, value):
            return (name,) if value is None else (name, value)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """A condition and all that it is made of, in the order written."""
    yield node
    for part in inside(node):
        yield from walk(part)
