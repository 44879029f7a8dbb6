"""What a note is called, and which of its names say something."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from obsidian_indexer.records import Name, NameKind, Note

# No name, but text that was put in the place of one.
_LONGEST = 300
# What Obsidian calls a new note, in the languages that it is mostly used in, and what other programs do.
_PLACEHOLDERS = (
    *("untitled", "new note", "no title", "무제", "무제 파일", "제목 없음", "제목없음", "새 노트"),
    *("無題", "無題のファイル", "未命名", "未标题", "未標題", "sans titre", "unbenannt", "sin título"),
)
_UNTITLED = re.compile(rf"(?:{'|'.join(_PLACEHOLDERS)})[\s_()-]*\d*[\s()]*", re.IGNORECASE)
# A number, or a code made of one: 71, p71, 20260105T0930. A model reads no meaning into it, and letters near others.
_NUMBERED = re.compile(r"\b[^\W\d_]{0,2}(?:\d+[^\W\d_]{0,2})+\b")
_DATE_IN_KOREAN = re.compile(r"(\d+\s*[년월일]\s*)+([월화수목금토일]요일)?")


def names_of(note: Note, count: Callable[[Sequence[str]], list[int]], special_tokens: int) -> tuple[Name, ...]:
    """The names of a note, each once: title, file's name where that is another, aliases, the heading that opens it.

    `count` gives the tokens of each text, without the `special_tokens` that the model adds around it.
    """
    found: dict[str, Name] = {}
    for name in _names(note):
        if name.text and len(name.text) <= _LONGEST:
            found.setdefault(name.text, name)
    telling = [name for name in found.values() if _tells(name, note)]
    counts = count([name.text for name in telling]) if telling else []
    for name, n_tokens in zip(telling, counts, strict=True):
        found[name.text] = replace(name, n_tokens=n_tokens + special_tokens)
    return tuple(found.values())


def telling_title(note: Note) -> str:
    """The title of a note; empty where it says nothing of what is in the note."""
    return note.title if _tells(Name(note.title, NameKind.TITLE), note) else ""


def _names(note: Note) -> Iterator[Name]:
    yield Name(note.title, NameKind.TITLE)
    file = note.path.rpartition("/")[2]
    yield Name(file.rpartition(".")[0] or file, NameKind.FILE)
    for alias in note.aliases:
        yield Name(" ".join(alias.split()), NameKind.ALIAS)
    if note.headings and note.headings[0].level == 1:
        yield Name(" ".join(note.headings[0].text.split()), NameKind.HEADING)


def _tells(name: Name, note: Note) -> bool:
    """Whether a name is more than a date, a number or a code, and not what a program calls a note without one."""
    if name.kind is NameKind.FILE or (name.kind is NameKind.TITLE and note.date):
        return False
    return (
        any(map(str.isalpha, _NUMBERED.sub("", name.text)))
        and _UNTITLED.fullmatch(name.text) is None
        and _DATE_IN_KOREAN.fullmatch(name.text) is None
    )
