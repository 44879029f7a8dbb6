"""What stands for a note before any of its text: its lead, and whether there is anything to lead."""

from __future__ import annotations

from obsidian_indexer.records import Note, NoteKind


def is_empty(note: Note) -> bool:
    """Whether the file says nothing at all, so that not even its name is worth finding."""
    if note.kind is NoteKind.BASE:
        return False
    said = (note.properties, note.links, note.tags, note.aliases, note.tasks, note.warnings, note.lead != note.title)
    return not any(said)


def lead_without_title(note: Note) -> str:
    """The lead without a first line that only repeats the title: the breadcrumb begins with it."""
    first, _, rest = note.lead.strip().partition("\n")
    return rest.strip() if first.strip() == note.title.strip() else note.lead.strip()
