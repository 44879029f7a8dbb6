"""One file's text to a Note, whatever kind of document it is."""

from __future__ import annotations

from dataclasses import replace

from obsidian_indexer.records import Note, NoteKind, NoteWarning
from obsidian_indexer.vault.parse.blocks import Body, read_body
from obsidian_indexer.vault.parse.canvas import read_canvas
from obsidian_indexer.vault.parse.excalidraw import read_excalidraw
from obsidian_indexer.vault.parse.frontmatter import (
    FrontMatter,
    lead_text,
    property_aliases,
    property_links,
    property_tags,
    read_front_matter,
    unique_tags,
)
from obsidian_indexer.vault.parse.source import split_lines

_SUFFIXES = (".md", ".canvas", ".base", ".excalidraw")


def parse_text(
    path: str,
    text: str,
    sha256: str,
    *,
    lenient_tags: bool = False,
    warnings: tuple[NoteWarning, ...] = (),
) -> Note:
    """The note at `path` whose decoded text is `text`, line ends as in the file.

    `sha256` is the hash of the file's bytes; `warnings` come before those of the parser. `lenient_tags` reads tags and
    aliases the way Obsidian did before 1.9. Any text gives a note; nothing is raised.
    """
    lines = split_lines(text)
    suffix = path[path.rfind(".") :].lower()
    if suffix == ".base":
        return _note(path, sha256, NoteKind.BASE, FrontMatter(), Body(), warnings, lenient=False)
    if suffix == ".canvas":
        body, found = read_canvas("\n".join(lines))
        return _note(path, sha256, NoteKind.CANVAS, FrontMatter(), body, (*warnings, *found), lenient=False)
    matter = read_front_matter(lines)
    kind = _kind_of(path, matter)
    read = read_excalidraw if kind is NoteKind.EXCALIDRAW else read_body
    body = read(lines[matter.end :], matter.end + 1)
    note = _note(path, sha256, kind, matter, body, (*warnings, *matter.warnings), lenient=lenient_tags)
    return note if kind is NoteKind.EXCALIDRAW else replace(note, source="\n".join(lines))


def title_of(path: str) -> str:
    """The name that Obsidian shows for a file: its last part without the extension."""
    name = path[path.rfind("/") + 1 :]
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    # A name that is no text on this system's terms must not break what stores or shows it.
    return name.encode("utf-8", "replace").decode("utf-8") if not name.isascii() else name


def _kind_of(path: str, matter: FrontMatter) -> NoteKind:
    if "excalidraw-plugin" in matter.properties or path.lower().endswith(".excalidraw.md"):
        return NoteKind.EXCALIDRAW
    if "kanban-plugin" in matter.properties:
        return NoteKind.KANBAN
    return NoteKind.MARKDOWN


def _note(
    path: str,
    sha256: str,
    kind: NoteKind,
    matter: FrontMatter,
    body: Body,
    warnings: tuple[NoteWarning, ...],
    *,
    lenient: bool,
) -> Note:
    title = title_of(path)
    aliases = property_aliases(matter, lenient=lenient)
    fields: dict[str, list[str]] = {}
    for key, value in body.findings.fields:
        fields.setdefault(key, []).append(value)
    return Note(
        path=path,
        sha256=sha256,
        title=title,
        kind=kind,
        lead=lead_text(title, aliases, matter),
        aliases=tuple(aliases),
        tags=unique_tags([*property_tags(matter, lenient=lenient), *body.findings.tags]),
        properties=matter.properties,
        links=tuple(body.findings.links),
        property_links=tuple(property_links(matter)),
        headings=tuple(body.headings),
        block_ids=body.block_ids,
        tasks=tuple(body.tasks),
        callouts=tuple(body.callouts),
        inline_fields={key: tuple(values) for key, values in fields.items()},
        warnings=warnings,
        blocks=tuple(body.blocks),
    )
