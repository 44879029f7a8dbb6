"""Questions whose answers a vault itself gives: what links call a note, its aliases, its headings.

A text that stands for more than one note (as a title, alias, heading or link text) asks nothing and is left out.
"""

from __future__ import annotations

import random
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, zip_longest

from obsidian_indexer.embed.card import script
from obsidian_indexer.errors import NoteError
from obsidian_indexer.options import Options
from obsidian_indexer.records import Block, BlockKind, FileStat, Note, NoteKind
from obsidian_indexer.store.terms import split_runs
from obsidian_indexer.vault.ignore import excluded_by_content
from obsidian_indexer.vault.links import LinkIndex
from obsidian_indexer.vault.read import parse_file
from obsidian_indexer.vault.scan import list_attachments, read_file, scan
from obsidian_indexer.vault.settings import read_settings

_SEED = 1
# A text of fewer letters could mean anything.
_FEWEST_LETTERS = 2


class QuestionKind(StrEnum):
    """Where the text of a question comes from."""

    LINK = "link"
    ALIAS = "alias"
    HEADING = "heading"


class Script(StrEnum):
    """What a text is written in; `MIXED` is more than one of the others."""

    LATIN = "latin"
    HANGUL = "hangul"
    HAN_KANA = "han-kana"
    OTHER = "other"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines of a note, from 1, both ends included."""

    path: str
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Question:
    """A text that stands for the note `answer`; `links` are the passages that lead there by that very text."""

    text: str
    kind: QuestionKind
    answer: str
    links: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class _Link:
    """A link from one note to another: the texts it goes by, and the block that it stands in."""

    target: str
    display: str | None
    heading: str | None
    passage: Passage


@dataclass(frozen=True, slots=True)
class _Read:
    """What of a note can ask or claim a text; `filled` are its headings with text below them."""

    path: str
    title: str
    aliases: tuple[str, ...]
    headings: tuple[str, ...]
    filled: frozenset[str]
    has_text: bool
    links: tuple[_Link, ...]


def folded(text: str) -> str:
    """The words of a text as searches compare them."""
    return " ".join(word for word, _ in split_runs(text))


def script_of(text: str) -> Script:
    """The script of a text's letters; one without letters is `OTHER`."""
    letters = {_script_of_letter(char) for char in unicodedata.normalize("NFKC", text) if char.isalpha()}
    if len(letters) > 1:
        return Script.MIXED
    return letters.pop() if letters else Script.OTHER


def _script_of_letter(char: str) -> Script:
    match script(char):
        case "LATIN":
            return Script.LATIN
        case "HANGUL":
            return Script.HANGUL
        case "CJK" | "HIRAGANA" | "KATAKANA" | "KATAKANA-HIRAGANA" | "IDEOGRAPHIC":
            return Script.HAN_KANA
        case _:
            return Script.OTHER


def read_questions(options: Options, limit: int, on_note: Callable[[], None] = lambda: None) -> list[Question]:
    """At most `limit` questions, the same ones each time, of each kind as many as there are or its equal share.

    `on_note` is called for each note read; what it raises ends the reading. Raises VaultError.
    """
    notes = list(_read_notes(options, on_note))
    meant = _claims(notes)
    found: dict[QuestionKind, dict[str, Question]] = {kind: {} for kind in QuestionKind}
    asked: set[str] = set()
    for question in _candidates(notes):
        key = folded(question.text)
        if key in asked or meant[key] != {question.answer}:
            continue
        if sum(char.isalpha() for char in key) >= _FEWEST_LETTERS:
            asked.add(key)
            found[question.kind][key] = question
    return _with_links(_sample([list(kind.values()) for kind in found.values()], limit), notes)


def _read_notes(options: Options, on_note: Callable[[], None]) -> Iterator[_Read]:
    settings = read_settings(options.vault_path)
    files = LinkIndex(list_attachments(options.vault_path, follow_symlinks=options.vault.follow_symlinks))
    for found in scan(options.vault_path, options.vault):
        if not isinstance(found, FileStat) or not found.path.lower().endswith(".md"):
            continue
        on_note()
        try:
            data = read_file(options.vault_path, found.path, options.vault)
            note = parse_file(found.path, data, options.vault, settings)
        except NoteError:
            continue
        if note.kind is NoteKind.MARKDOWN and not excluded_by_content(note, options.vault):
            yield _read(note, files)


def _read(note: Note, files: LinkIndex) -> _Read:
    texts = [block for block in note.blocks if block.kind is not BlockKind.HEADING and folded(block.text)]
    links = []
    for link in note.links:
        target = files.resolve(link.target, note.path)
        if target is not None and (link.display or link.heading):
            # Only the last part of a path of headings is what the link goes by.
            heading = link.heading.rpartition("#")[2] if link.heading else None
            links.append(_Link(target, link.display, heading, _passage(note, link.line)))
    return _Read(
        path=note.path,
        title=note.title,
        aliases=note.aliases,
        headings=tuple(heading.text for heading in note.headings),
        filled=frozenset(heading for block in texts for heading in block.headings),
        has_text=bool(texts),
        links=tuple(links),
    )


def _passage(note: Note, line: int) -> Passage:
    """The block that holds a line: a paragraph, a list item, a row."""
    holding: list[Block] = [block for block in note.blocks if block.start_line <= line <= block.end_line]
    smallest = min(holding, key=lambda block: block.end_line - block.start_line, default=None)
    if smallest is None:
        return Passage(note.path, line, line)
    return Passage(note.path, smallest.start_line, smallest.end_line)


def _claims(notes: Sequence[_Read]) -> defaultdict[str, set[str]]:
    """Text → the notes that it stands for, in whatever way."""
    meant: defaultdict[str, set[str]] = defaultdict(set)
    for note in notes:
        for text in (note.title, *note.aliases, *note.headings):
            meant[folded(text)].add(note.path)
        for link in note.links:
            if link.display:
                meant[folded(link.display)].add(link.target)
    return meant


def _candidates(notes: Sequence[_Read]) -> Iterator[Question]:
    """Everything that could be asked of notes with a text. A link that only spells the title is no question."""
    by_path = {note.path: note for note in notes if note.has_text}
    for note in notes:
        for link in note.links:
            target = by_path.get(link.target)
            if target is None or target is note or not link.display:
                continue
            if folded(link.display) != folded(target.title):
                yield Question(link.display, QuestionKind.LINK, target.path)
    for note in by_path.values():
        yield from (Question(alias, QuestionKind.ALIAS, note.path) for alias in note.aliases)
        yield from (Question(text, QuestionKind.HEADING, note.path) for text in note.headings if text in note.filled)


def _sample(kinds: Sequence[list[Question]], limit: int) -> list[Question]:
    """Questions drawn by turns from each kind in an order that chance decides, the same one each time."""
    shuffled = [random.Random(_SEED).sample(questions, len(questions)) for questions in kinds]
    turns = chain.from_iterable(zip_longest(*shuffled))
    return [question for question in turns if question is not None][:limit]


def _with_links(questions: Sequence[Question], notes: Iterable[_Read]) -> list[Question]:
    """The questions with every passage that links to the answer by the question's own text."""
    passages: defaultdict[tuple[str, str], list[Passage]] = defaultdict(list)
    for note in notes:
        for link in note.links:
            for text in (link.display, link.heading):
                if text:
                    passages[link.target, folded(text)].append(link.passage)
    return [
        replace(question, links=tuple(dict.fromkeys(passages[question.answer, folded(question.text)])))
        for question in questions
    ]
