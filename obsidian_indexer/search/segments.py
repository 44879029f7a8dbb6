"""A note's text and its parts, and whether a condition holds of one of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import assert_never

from obsidian_indexer.errors import QueryError
from obsidian_indexer.search.syntax.tree import (
    All,
    Case,
    Compared,
    Dated,
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
from obsidian_indexer.store.rows import fold
from obsidian_indexer.store.source_rows import Lines, StoredTask, blocks_from_row, tasks_from_row
from obsidian_indexer.store.terms import UNSPACED

TODO = " "
"""The box of a task that is still to be done."""

_PATTERN_S = 0.5
_ALL_PATTERNS_S = 5.0
# A letter or digit that belongs to the word beside it: one of a script that is written with blanks.
_WORD_CHAR = rf"[^\W{UNSPACED}]"


@dataclass(slots=True)
class Clock:
    """The time that the patterns of one query have taken, and may take."""

    left_s: float = _ALL_PATTERNS_S

    def finds(self, pattern: Pattern, text: str, *, cased: bool) -> bool:
        """Whether a pattern is found in a text. Raises QueryError when it takes too long."""
        compiled = pattern.cased if cased else pattern.uncased
        started = time.monotonic()
        try:
            return compiled.search(text, timeout=max(0.001, min(_PATTERN_S, self.left_s))) is not None
        except TimeoutError:
            raise QueryError("This pattern takes too long. Make it simpler.", pattern.position) from None
        finally:
            self.left_s -= time.monotonic() - started


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with the text up to the next one; `level` is the heading's."""

    level: int
    lines: Lines


@dataclass(slots=True)
class NoteSource:
    """A note as exact filters see it. `outline` and `has_lines` are of the file: False where the text is made up.

    `met` says whether a condition that is not about text holds of the note.
    """

    note_id: int
    text: str
    blocks_row: str
    tasks_row: str
    headings_row: str
    has_lines: bool
    clock: Clock
    met: Callable[[Node], bool]
    _parts: dict[str, object] = field(default_factory=dict)


class Segments:
    """The lines of one note, cut on demand into blocks, sections and tasks."""

    def __init__(self, source: NoteSource) -> None:
        self.source = source
        self.text = source.text
        self.lines = source.text.split("\n")

    @cached_property
    def folded(self) -> list[str]:
        """The lines without regard to case."""
        return fold(self.text).split("\n")

    @cached_property
    def blocks(self) -> list[Lines]:
        """The lines of each block."""
        return blocks_from_row(self.source.blocks_row)

    @cached_property
    def tasks(self) -> list[StoredTask]:
        """The tasks, in order."""
        return tasks_from_row(self.source.tasks_row)

    @cached_property
    def sections(self) -> list[Section]:
        """Each heading with the text below it, in order."""
        if not self.source.has_lines:
            return []
        headings = json.loads(self.source.headings_row)
        ends = [heading["line"] - 1 for heading in headings[1:]] + [len(self.lines)]
        return [
            Section(heading["level"], (heading["line"], end)) for heading, end in zip(headings, ends, strict=True)
        ]

    def within(self, place: Place, outer: Lines) -> Iterator[Lines]:
        """The lines of each such part inside `outer`; of sections, those that stand below the one at `outer`."""
        first, last = outer
        match place:
            case Place.LINE:
                yield from ((line, line) for line in range(first, last + 1))
            case Place.BLOCK:
                yield from (lines for lines in self.blocks if first <= lines[0] and lines[1] <= last)
            case Place.SECTION:
                yield from self._sections_below(outer)
            case Place.TASK | Place.TASK_TODO | Place.TASK_DONE:
                for task in self.tasks:
                    wanted = place is Place.TASK or (task.status == TODO) == (place is Place.TASK_TODO)
                    if wanted and first <= task.lines[0] and task.lines[1] <= last:
                        yield task.lines

    def _sections_below(self, outer: Lines) -> Iterator[Lines]:
        if outer == (1, len(self.lines)):
            yield from (section.lines for section in self.sections)
            return
        level: int | None = None
        for section in self.sections:
            if section.lines == outer:
                level = section.level
            elif level is not None:
                if section.level <= level:
                    return
                yield section.lines

    def holds(self, node: Node, at: Lines, *, cased: bool) -> bool:
        """Whether a condition holds of the text at these lines. Raises QueryError when a pattern takes too long."""
        match node:
            case Word() | Phrase() | Pattern():
                return self._says(node, at, cased=cased)
            case All(parts):
                return all(self.holds(part, at, cased=cased) for part in parts)
            case Some(parts):
                return any(self.holds(part, at, cased=cased) for part in parts)
            case Not(part):
                return not self.holds(part, at, cased=cased)
            case Case(matters, part):
                return self.holds(part, at, cased=matters)
            case In(Place.CONTENT, part):
                return self.holds(part, at, cased=cased)
            case In(Place.FILE | Place.PATH | Place.EXT | Place.TAG, _) | Property() | Dated() | Compared():
                return self.source.met(node)
            case In(place, part):
                return any(self.holds(part, lines, cased=cased) for lines in self.within(place, at))
            case _:
                assert_never(node)

    def found(self, node: Node, *, cased: bool) -> list[Lines]:
        """The lines where something of a condition that holds of the note stands."""
        whole = (1, len(self.lines))
        match node:
            case Case(matters, part):
                return self.found(part, cased=matters)
            case All(parts) | Some(parts):
                return [lines for part in parts for lines in self.found(part, cased=cased)]
            case In(Place.CONTENT, part):
                return self.found(part, cased=cased)
            case In(place, part) if place not in (Place.FILE, Place.PATH, Place.EXT, Place.TAG):
                return [lines for lines in self.within(place, whole) if self.holds(part, lines, cased=cased)]
            case Phrase(text, _) if text.strip():
                return self._lines_of(phrase_pattern(text, cased=cased).finditer(self.text))
            case _:
                return []

    def _lines_of(self, matches: Iterator[re.Match[str]]) -> list[Lines]:
        found = []
        for match in matches:
            first = self.text.count("\n", 0, match.start()) + 1
            found.append((first, first + match[0].count("\n")))
        return found

    def _says(self, node: Word | Phrase | Pattern, at: Lines, *, cased: bool) -> bool:
        first, last = at
        whole = first == 1 and last == len(self.lines)
        match node:
            case Word(text, _):
                if cased:
                    return text in (self.text if whole else "\n".join(self.lines[first - 1 : last]))
                wanted = fold(text)
                return any(wanted in line for line in self.folded[first - 1 : last])
            case _:
                text = self.text if whole else "\n".join(self.lines[first - 1 : last])
                return says(node, text, self.source.clock, cased=cased)


def says(node: Word | Phrase | Pattern, text: str, clock: Clock, *, cased: bool) -> bool:
    """Whether a text holds a word, phrase or pattern. Raises QueryError when a pattern takes too long."""
    match node:
        case Word(word, _):
            return word in text if cased else fold(word) in fold(text)
        case Phrase(phrase, _):
            return phrase_pattern(phrase, cased=cased).search(text) is not None
        case Pattern():
            return clock.finds(node, text, cased=cased)
        case _:
            assert_never(node)


@lru_cache(maxsize=64)
def phrase_pattern(text: str, *, cased: bool) -> re.Pattern[str]:
    """What finds a phrase as whole words, whatever the blanks between them.

    Where it begins or ends in a script without blanks, or with a sign, any character may stand beside it; and a
    particle of such a script does not make another word of the one that it follows.
    """
    words = text.split()
    if not words:
        return re.compile("")
    body = r"\s+".join(re.escape(word) for word in words)
    before = rf"(?<!{_WORD_CHAR})" if re.match(_WORD_CHAR, words[0]) else ""
    after = rf"(?!{_WORD_CHAR})" if re.match(_WORD_CHAR, words[-1][-1]) else ""
    return re.compile(before + body + after, 0 if cased else re.IGNORECASE)
