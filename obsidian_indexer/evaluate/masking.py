"""A copy of a vault in which what gives an answer away is not there to be found.

For every note that answers a question, the copy hides

- its title: the file has a name without words, in a folder of its own within the same folders, save for those that are
  called like the note; links to it lead nowhere;
- its aliases, the `title` property, and properties that only repeat one of these texts;
- the question itself where it is a heading, and headings that repeat the title or an alias: the heading stays, its text
  is an ellipsis, so passages are cut where they were cut before;
- every passage (paragraph, list item, table row) that links to the note by the question's own text, in any note.

What else the note says stays, also where it repeats those words: that is the text that must bring the answer. Every
other note is as it is, so a wrong note may answer by its title.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from obsidian_indexer.errors import NoteError
from obsidian_indexer.evaluate.questions import Passage, Question, folded
from obsidian_indexer.options import Options, VaultOptions
from obsidian_indexer.records import BlockKind, FileStat, Note
from obsidian_indexer.vault.decode import decode
from obsidian_indexer.vault.parse.frontmatter import read_front_matter
from obsidian_indexer.vault.parse.source import split_lines
from obsidian_indexer.vault.read import parse_file
from obsidian_indexer.vault.scan import read_file, scan

_HIDDEN_KEYS = ("aliases", "alias", "title")
_KEY = re.compile(r"""["']?([^\s"':#-][^"':]*?)["']?\s*:""")
_ATX_MARKS = re.compile(r"\s{0,3}#{1,6}(?=\s|$)")
_ELLIPSIS = "…"
# A name without a word; the folder made for it keeps it apart from others.
_NAMELESS = "-.md"


@dataclass(frozen=True, slots=True)
class MaskedVault:
    """The copy, path → (path of the original, content), and the questions that can be asked of it."""

    notes: dict[str, tuple[str, bytes]]
    questions: list[Question]


@dataclass(slots=True)
class _Mask:
    """What is hidden in one note: passages, and its names where it answers questions."""

    passages: list[Passage] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def mask_vault(
    options: Options, questions: Sequence[Question], on_note: Callable[[], None] = lambda: None
) -> MaskedVault:
    """Read the vault and hide what gives the answers away.

    A question whose answer cannot be hidden is left out. `on_note` is called for each file read. Raises VaultError.
    """
    masks = _masks(questions)
    notes: dict[str, tuple[str, bytes]] = {}
    asked: set[Question] = set()
    for found in scan(options.vault_path, options.vault):
        if not isinstance(found, FileStat):
            continue
        on_note()
        try:
            path, content = found.path, read_file(options.vault_path, found.path, options.vault)
            if (mask := masks.get(found.path)) is not None:
                path, content, hidden = _masked(path, content, mask, options.vault)
                asked.update(hidden)
        except NoteError:
            continue
        notes[path] = (found.path, content)
    return MaskedVault(notes, [question for question in questions if question in asked])


def _masks(questions: Iterable[Question]) -> dict[str, _Mask]:
    masks: defaultdict[str, _Mask] = defaultdict(_Mask)
    for question in questions:
        masks[question.answer].questions.append(question)
        for passage in question.links:
            masks[passage.path].passages.append(passage)
    return dict(masks)


def _masked(path: str, data: bytes, mask: _Mask, options: VaultOptions) -> tuple[str, bytes, Sequence[Question]]:
    """Where the copy of a note lies, what it holds, and the questions whose answer it hides. Raises NoteError."""
    lines = split_lines(decode(data)[0])
    for passage in mask.passages:
        for line in range(passage.start_line - 1, passage.end_line):
            lines[line] = ""
    if mask.questions:
        note = parse_file(path, data, options)
        hidden = _given_away(note) | {folded(question.text) for question in mask.questions}
        nameless, content = _path_without(path, hidden), _encoded(_without_names(lines, note, hidden))
        if _is_hidden(parse_file(nameless, content, options), hidden):
            return nameless, content, mask.questions
    return path, _encoded(lines), ()


def _given_away(note: Note) -> set[str]:
    """The names that a note goes by, folded."""
    return {folded(name) for name in (note.title, *note.aliases)} - {""}


def _without_names(lines: Sequence[str], note: Note, hidden: set[str]) -> list[str]:
    kept = list(lines)
    for heading in note.headings:
        if folded(heading.text) in hidden:
            marks = _ATX_MARKS.match(kept[heading.line - 1])
            kept[heading.line - 1] = f"{marks[0]} {_ELLIPSIS}" if marks else _ELLIPSIS
    end = read_front_matter(kept).end
    if not end:
        return kept
    properties, dropping = [], False
    for line in kept[1 : end - 1]:
        if key := _KEY.match(line):
            dropping = key[1].lower() in _HIDDEN_KEYS or folded(line[key.end() :]) in hidden
        if not dropping:
            properties.append(line)
    return [kept[0], *properties, *kept[end - 1 :]]


def _path_without(path: str, hidden: set[str]) -> str:
    folders = [folder for folder in path.split("/")[:-1] if folded(folder) not in hidden]
    return "/".join([*folders, f"q{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}", _NAMELESS])


def _encoded(lines: Sequence[str]) -> bytes:
    return "\n".join(lines).encode("utf-8", "replace")


def _is_hidden(note: Note, hidden: set[str]) -> bool:
    """Whether a masked note has a text, and none of the hidden ones as a name, a heading or in its lead."""
    shown = {folded(heading.text) for heading in note.headings} | {folded(line) for line in note.lead.splitlines()}
    has_text = any(block.kind is not BlockKind.HEADING and folded(block.text) for block in note.blocks)
    return has_text and not hidden & (shown | _given_away(note))
