"""What exact filters look at: a note's text as written, where its blocks and tasks stand, and when it was made."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from obsidian_indexer.records import Block, BlockKind, Note
from obsidian_indexer.store.rows import clean_text, to_json

Lines = tuple[int, int]
"""The first and last line of something, counted from 1."""

# The parts of one of these are one block to a reader; the items of a list are blocks of their own.
_JOINED = frozenset({BlockKind.TABLE_ROW, BlockKind.QUOTE, BlockKind.CALLOUT, BlockKind.FOOTNOTE})
_CREATED = ("created", "date created", "created at", "created_at", "creation date", "date")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task's lines and the character in its box."""

    lines: Lines
    status: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The values of a note's row in `sources`: text (NFC), and JSON of block lines and tasks."""

    text: str
    blocks: str
    tasks: str


def source_row(note: Note) -> SourceRow:
    """The text of a note that filters look at: as written, or, of a canvas or drawing, what its blocks show."""
    if note.source:
        spans = _spans(note.blocks)
        ends = dict(spans)
        tasks = [(task.line, ends.get(task.line, task.line), task.status) for task in note.tasks]
        text = note.source
        spans = _with_rest(spans, text)
    else:
        text = "\n".join(block.text for block in note.blocks)
        spans = _stacked(note.blocks)
        tasks = _found_tasks(note, text)
    flat = [line for span in spans for line in span]
    return SourceRow(unicodedata.normalize("NFC", clean_text(text)), to_json(flat), to_json(tasks))


def blocks_from_row(row: str) -> list[Lines]:
    """The lines of each block."""
    flat = json.loads(row)
    return list(zip(flat[::2], flat[1::2], strict=True))


def tasks_from_row(row: str) -> list[StoredTask]:
    """The tasks, in order."""
    return [StoredTask((start, end), status) for start, end, status in json.loads(row)]


def created_of(properties: Mapping[str, object], day: str | None) -> str | None:
    """When a note says it was made, ISO 8601: a property for that, else the day whose daily note it is (`day`)."""
    known = {key.casefold(): value for key, value in properties.items()}
    for name in _CREATED:
        value = known.get(name)
        if isinstance(value, str) and (found := _iso(value.strip())):
            return found
    return day


def _iso(value: str) -> str | None:
    """A date or time as written, when it is one; a zone is dropped, for it is the clock on the wall that was meant."""
    if not _DAY.match(value):
        return None
    try:
        if len(value) == 10:
            return date.fromisoformat(value).isoformat()
        return datetime.fromisoformat(value).replace(tzinfo=None).isoformat(timespec="seconds")
    except ValueError:
        return None


def _spans(blocks: Sequence[Block]) -> list[Lines]:
    """The lines of each block, those of a table or quote together."""
    spans: list[Lines] = []
    before: Block | None = None
    for block in blocks:
        joined = (
            before is not None
            and block.kind in _JOINED
            and (before.kind, before.group) == (block.kind, block.group)
            and block.group != 0
        )
        if joined:
            spans[-1] = (spans[-1][0], max(spans[-1][1], block.end_line))
        else:
            spans.append((block.start_line, block.end_line))
        before = block
    return spans


def _with_rest(spans: list[Lines], text: str) -> list[Lines]:
    """The blocks and, as blocks too, the runs of written lines that belong to none: properties, comments, queries."""
    covered = {number for start, end in spans for number in range(start, end + 1)}
    rest: list[Lines] = []
    start = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if number in covered or not line.strip():
            if start:
                rest.append((start, number - 1))
            start = 0
        elif not start:
            start = number
    return sorted([*spans, *rest])


def _stacked(blocks: Sequence[Block]) -> list[Lines]:
    """The lines of each block where their texts stand one below the other."""
    spans, line = [], 1
    for block in blocks:
        height = block.text.count("\n") + 1
        spans.append((line, line + height - 1))
        line += height
    return spans


def _found_tasks(note: Note, text: str) -> list[tuple[int, int, str]]:
    """The tasks of a canvas, where their words stand in `text`."""
    lines = text.split("\n")
    tasks, at = [], 0
    for task in note.tasks:
        line = next((number for number in range(at, len(lines)) if lines[number] == task.text), None)
        if line is not None:
            tasks.append((line + 1, line + 1, task.status))
            at = line + 1
    return tasks
