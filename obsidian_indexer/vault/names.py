"""What a note is called."""

from __future__ import annotations

from collections.abc import Iterator

from obsidian_indexer.records import Name, NameKind, Note

# No name, but text that was put in the place of one.
_LONGEST = 300


def names_of(note: Note) -> tuple[Name, ...]:
    """The names of a note, each once: its title, its file's name where that is another, its aliases."""
    found: dict[str, Name] = {}
    for name in _names(note):
        if name.text and len(name.text) <= _LONGEST:
            found.setdefault(name.text, name)
    return tuple(found.values())


def _names(note: Note) -> Iterator[Name]:
    yield Name(note.title, NameKind.TITLE)
    file = note.path.rpartition("/")[2]
    yield Name(file.rpartition(".")[0] or file, NameKind.FILE)
    for alias in note.aliases:
        yield Name(" ".join(alias.split()), NameKind.ALIAS)
