"""A note as the catalogue stores it: plain values, made in whatever process parsed it.

The writer then only hands them to SQLite, which is what one process can do for a vault of any size.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from obsidian_indexer.records import Chunk, Name, Note, NoteKind
from obsidian_indexer.store.fulltext import NoteTerms, make_terms
from obsidian_indexer.store.names import NameRow, name_rows
from obsidian_indexer.store.rows import clean_text, closed_up, fold, path_to_row, to_json
from obsidian_indexer.store.source_rows import SourceRow, created_of, source_row

ChunkRow = tuple[int, str, int, int, str, str, int, bytes]
"""seq, headings as JSON, first and last line, text, embedded text, tokens, key."""
LinkRow = tuple[str, str, str | None, str | None, str | None, bool, int, str | None]
"""target, name key, heading, block, display, whether it embeds, line, property."""
AnchorRow = tuple[str, str]
"""target, what the link calls it."""


@dataclass(frozen=True, slots=True)
class NoteRows:
    """The values of one note's rows.

    `columns` are title, kind, aliases, tags, properties, headings, warnings, date, folded path and name and time of
    creation as the notes table has them; `tags` are folded, and none where they are no tags to Obsidian, in a canvas;
    `property_names` are folded; `blocks` and `left_out` are packed keys of the
    note's blocks and of those that were not embedded.
    """

    sha256: str
    n_warnings: int
    columns: tuple[str | None, ...]
    tags: tuple[str, ...]
    property_names: tuple[str, ...]
    source: SourceRow
    links: tuple[LinkRow, ...]
    chunks: tuple[ChunkRow, ...]
    terms: NoteTerms
    blocks: bytes
    left_out: bytes
    names: tuple[NameRow, ...] = ()
    anchors: tuple[AnchorRow, ...] = ()


def make_rows(
    note: Note,
    chunks: Sequence[Chunk],
    blocks: Collection[int] = (),
    left_out: Collection[int] = (),
    names: Iterable[Name] = (),
    *,
    morphemes: bool = False,
) -> NoteRows:
    """The rows of a note cut into chunks.

    `blocks` are its block keys, `left_out` those that were not embedded; `names` are what it is called. `morphemes`
    must be what the full-text tables hold.
    """
    title, aliases, tags = clean_text(note.title), to_json(note.aliases), to_json(note.tags)
    headings = to_json(
        [{"level": found.level, "text": found.text, "line": found.line, "raw": found.raw} for found in note.headings]
    )
    warnings = [{"code": found.code, "message": found.message, "line": found.line} for found in note.warnings]
    chunk_rows = tuple(_chunk_row(chunk) for chunk in chunks)
    anchors = _anchor_rows(note)
    folded_path = fold(note.path)
    return NoteRows(
        sha256=note.sha256,
        n_warnings=len(note.warnings),
        columns=(
            title,
            note.kind.value,
            aliases,
            tags,
            to_json(dict(note.properties)),
            headings,
            to_json(warnings),
            note.date,
            folded_path,
            folded_path.rpartition("/")[2],
            created_of(note.properties, note.date),
        ),
        tags=() if note.kind is NoteKind.CANVAS else tuple({fold(tag): None for tag in note.tags}),
        property_names=tuple({fold(name): None for name in note.properties}),
        source=source_row(note),
        links=_link_rows(note),
        chunks=chunk_rows,
        terms=make_terms(
            title,
            aliases,
            headings,
            tags,
            path_to_row(note.path),
            [(row[1], row[4]) for row in chunk_rows],
            [text for _, text in anchors],
            morphemes=morphemes,
        ),
        blocks=pack_keys(blocks),
        left_out=pack_keys(left_out),
        names=name_rows(names, embedded=bool(chunk_rows)),
        anchors=anchors,
    )


def name_key(name: str) -> str:
    """What links are looked up by: the last part of a path or target, without regard to case, form or kind of blank."""
    name = name[name.rfind("/") + 1 :]
    return clean_text(unicodedata.normalize("NFC", name).replace("\xa0", " ").strip().lower())


def pack_keys(keys: Collection[int]) -> bytes:
    """Block keys as bytes, equal for equal sets."""
    return struct.pack(f"<{len(keys)}q", *sorted(keys))


def unpack_keys(packed: bytes) -> tuple[int, ...]:
    """The inverse of `pack_keys`."""
    return struct.unpack(f"<{len(packed) // 8}q", packed)


def _chunk_row(chunk: Chunk) -> ChunkRow:
    return (
        chunk.seq,
        to_json(chunk.headings),
        chunk.start_line,
        chunk.end_line,
        clean_text(chunk.text),
        clean_text(chunk.embedded_text),
        chunk.n_tokens,
        bytes.fromhex(chunk.key),
    )


def _anchor_rows(note: Note) -> tuple[AnchorRow, ...]:
    """What the note's links call their targets, each once.

    A link that shows its target's own name says nothing that the target's title does not say, and the text of an
    embedded file is the width of a picture.
    """
    found: dict[AnchorRow, None] = {}
    for link in note.links:
        name = link.target.rpartition("/")[2]
        if link.display and link.target and not link.embed and closed_up(link.display) != closed_up(name):
            found[clean_text(link.target), clean_text(" ".join(link.display.split()))] = None
    return tuple(found)


def _link_rows(note: Note) -> tuple[LinkRow, ...]:
    body = ((link.target, link.heading, link.block, link.display, link.embed, link.line, None) for link in note.links)
    # Front matter begins on line 1; where in it a property stands is not remembered.
    front = ((link.target, link.heading, None, None, False, 1, link.key) for link in note.property_links)
    return tuple(
        (
            clean_text(target),
            name_key(target),
            heading and clean_text(heading),
            block and clean_text(block),
            display and clean_text(display),
            embed,
            line,
            key and clean_text(key),
        )
        for target, heading, block, display, embed, line, key in (*front, *body)
    )
