"""A note's text and its parts, and whether a condition holds of one of them."""

from __future__ import annotations

import json
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
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
# Enough to choose a passage by.
_MAX_PLACES = 50
# A letter or digit that belongs to the word beside it: one of a script that is written with blanks.
_WORD_CHAR = rf"[^\W{UNSPACED}]"


@dataclass(slots=True)
class Clock:
    """The time that the patterns of one query have taken, and may take."""

    left_s: float = _ALL_PATTERNS_S

    def finds(self, pattern: Pattern, text: str, *, cased: bool) -> bool:
        """Whether a pattern is found in a text. Raises QueryError when it takes too long."""
        return any(True for _ in self.places(pattern, text, cased=cased))

    def places(self, pattern: Pattern, text: str, *, cased: bool) -> Iterator[tuple[int, int]]:
        """Where a pattern is found in a text, as the characters' numbers. Raises QueryError when it takes too long."""
        compiled = pattern.cased if cased else pattern.uncased
        started = time.monotonic()
        try:
            for match in compiled.finditer(text, timeout=max(0.001, min(_PATTERN_S, self.left_s))):
                yield match.span()
        except TimeoutError:
            raise QueryError("This pattern takes too long. Make it simpler.", pattern.position) from None
        finally:
            self.left_s -= time.monotonic() - started


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with the text up to the next one; `level` is the heading's."""

    level: int
    lines: Lines


@dataclass(frozen=True, slots=True)
class Source:
    """A note's text and, as its rows have them, its blocks, tasks and headings.

    `of_file` says that the lines are those of the file, not of a text made of a canvas.
    """

    text: str
    blocks: str
    tasks: str
    headings: str
    of_file: bool


class Segments:
    """One note, cut on demand into lines, blocks, sections and tasks.

    `met` says whether a condition that is not about text holds of the note.
    """

    def __init__(self, source: Source, clock: Clock, met: Callable[[Node], bool]) -> None:
        self.source = source
        self.text = source.text
        self.lines = source.text.split("\n")
        self._clock = clock
        self._met = met

    @cached_property
    def folded_text(self) -> str:
        """The text without regard to case."""
        return fold(self.text)

    @cached_property
    def folded(self) -> list[str]:
        """Its lines."""
        return self.folded_text.split("\n")

    @cached_property
    def blocks(self) -> list[Lines]:
        """The lines of each block."""
        return blocks_from_row(self.source.blocks)

    @cached_property
    def tasks(self) -> list[StoredTask]:
        """The tasks, in order."""
        return tasks_from_row(self.source.tasks)

    @cached_property
    def sections(self) -> list[Section]:
        """Each heading with the text below it, in order."""
        if not self.source.of_file:
            return []
        headings = json.loads(self.source.headings)
        starts = [heading["line"] for heading in headings]
        ends = [start - 1 for start in starts[1:]] + [len(self.lines)] * bool(starts)
        return [
            Section(heading["level"], lines)
            for heading, lines in zip(headings, zip(starts, ends, strict=True), strict=True)
        ]

    def within(self, place: Place, outer: Lines | None) -> Iterator[Lines]:
        """The lines of each such part inside `outer`, None for the note; of sections, those below that one."""
        first, last = outer or (1, len(self.lines))
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

    def _sections_below(self, outer: Lines | None) -> Iterator[Lines]:
        if outer is None:
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

    def holds(self, node: Node, at: Lines | None, *, cased: bool) -> bool:
        """Whether a condition holds of the text at these lines, None for all.

        Raises QueryError when a pattern takes too long.
        """
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
                return self._met(node)
            case In(place, part):
                return any(True for _ in self._holding(place, part, at, cased=cased))
            case _:
                assert_never(node)

    def found(self, node: Node, *, cased: bool) -> list[Lines]:
        """The lines where something of a condition that holds of the note stands."""
        match node:
            case Case(matters, part):
                return self.found(part, cased=matters)
            case All(parts) | Some(parts):
                return [lines for part in parts for lines in self.found(part, cased=cased)]
            case In(Place.CONTENT, part):
                return self.found(part, cased=cased)
            case In(place, part) if place not in (Place.FILE, Place.PATH, Place.EXT, Place.TAG):
                return list(self._holding(place, part, None, cased=cased))
            case Phrase(text, _) if text.strip():
                looked_at = self.text if cased else self.folded_text
                return self._lines_of(
                    (m.span() for m in phrase_pattern(text, cased=cased).finditer(looked_at)), looked_at
                )
            case Pattern():
                return self._lines_of(self._clock.places(node, self.text, cased=cased), self.text)
            case _:
                return []

    def _holding(self, place: Place, part: Node, at: Lines | None, *, cased: bool) -> Iterator[Lines]:
        """The lines of each such part of the note that a condition holds of."""
        needed = max(needed_words(part), key=len, default="")
        told = self._lines_with(fold(needed)) if needed else None
        for lines in self.within(place, at):
            if (told is None or _any_between(told, lines)) and self.holds(part, lines, cased=cased):
                yield lines

    def _lines_with(self, folded: str) -> list[int]:
        """The lines that hold a folded word, in order."""
        found, at, line = list[int](), 0, 1
        text = self.folded_text
        while (at_next := text.find(folded, at)) >= 0:
            line += text.count("\n", at, at_next)
            found.append(line)
            at = text.find("\n", at_next)
            if at < 0:
                break
        return found

    def _lines_of(self, spans: Iterable[tuple[int, int]], text: str) -> list[Lines]:
        found = []
        for start, end in islice(spans, _MAX_PLACES):
            first = text.count("\n", 0, start) + 1
            found.append((first, first + text.count("\n", start, end)))
        return found

    def _says(self, node: Word | Phrase | Pattern, at: Lines | None, *, cased: bool) -> bool:
        if cased or isinstance(node, Pattern):
            text = self.text if at is None else "\n".join(self.lines[at[0] - 1 : at[1]])
            return says(node, text, self._clock, cased=cased)
        text = self.folded_text if at is None else "\n".join(self.folded[at[0] - 1 : at[1]])
        return _folded(node.text) in text if isinstance(node, Word) else _has_phrase(node, text, cased=False)


def needed_words(node: Node) -> list[str]:
    """Words without which a condition on text cannot hold, whatever their case."""
    match node:
        case Word(text, _):
            return [text] if text else []
        case Phrase(text, _):
            return text.split()
        case All(parts):
            return [text for part in parts for text in needed_words(part)]
        case Case(_, part):
            return needed_words(part)
        case In(place, part) if place not in (Place.FILE, Place.PATH, Place.EXT, Place.TAG):
            return needed_words(part)
        case _:
            return []


def _any_between(numbers: list[int], lines: Lines) -> bool:
    """Whether one of the ascending numbers is in a range."""
    at = bisect_left(numbers, lines[0])
    return at < len(numbers) and numbers[at] <= lines[1]


def says(node: Word | Phrase | Pattern, text: str, clock: Clock, *, cased: bool) -> bool:
    """Whether a text holds a word, phrase or pattern. Raises QueryError when a pattern takes too long."""
    match node:
        case Word(word, _):
            return word in text if cased else fold(word) in fold(text)
        case Phrase():
            return _has_phrase(node, text if cased else fold(text), cased=cased)
        case Pattern():
            return clock.finds(node, text, cased=cased)
        case _:
            assert_never(node)


_folded = lru_cache(maxsize=64)(fold)


def _has_phrase(node: Phrase, text: str, *, cased: bool) -> bool:
    """Whether a text, folded unless `cased`, holds a phrase."""
    return phrase_pattern(node.text, cased=cased).search(text) is not None


@lru_cache(maxsize=64)
def phrase_pattern(text: str, *, cased: bool) -> re.Pattern[str]:
    """What finds a phrase as whole words, whatever the blanks between them; unless `cased`, in folded text.

    Where it begins or ends in a script without blanks, or with a sign, any character may stand beside it; and a
    particle of such a script does not make another word of the one that it follows.
    """
    words = (text if cased else fold(text)).split()
    if not words:
        return re.compile("")
    first, *others = (re.escape(word) for word in words)
    # What may not stand before the first word is looked at after it, so that the search can skip to that word.
    before = rf"(?<!{_WORD_CHAR}{first})" if re.match(_WORD_CHAR, words[0]) else ""
    after = rf"(?!{_WORD_CHAR})" if re.match(_WORD_CHAR, words[-1][-1]) else ""
    return re.compile(r"\s+".join([first + before, *others]) + after)
