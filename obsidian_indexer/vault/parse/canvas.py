"""Canvases: cards, groups and edge labels of a JSON document, as blocks of text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from obsidian_indexer.records import Block, BlockKind, Link, NoteWarning
from obsidian_indexer.vault.parse.blocks import Body, read_body
from obsidian_indexer.vault.parse.source import split_lines
from obsidian_indexer.vault.parse.targets import split_subpath

_BRACKET_OR_QUOTE = re.compile(r'[\[\]{}"]')
_QUOTE_OR_ESCAPE = re.compile(r'\\.|"', re.DOTALL)
_Place = tuple[int, int]
# Deeper than any canvas; Python's reader would recurse as deep as the text.
_MAX_DEPTH = 64


def read_canvas(text: str) -> tuple[Body, list[NoteWarning]]:
    """What a canvas file says; a broken one gives an empty body and a warning. Lines are those of a node's object."""
    body = Body()
    if not text.strip():
        return body, []
    try:
        places = _places(text)
        canvas = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        return body, [NoteWarning("canvas-invalid", "the canvas is not JSON that can be read", line)]
    if not isinstance(canvas, dict):
        return body, [NoteWarning("canvas-invalid", "the canvas holds no nodes", 1)]
    for node, place in _objects(canvas, places, "nodes"):
        _read_node(node, place, body)
    for edge, place in _objects(canvas, places, "edges"):
        _add_text(edge.get("label"), place, body)
    return body, []


def _objects(
    canvas: dict[str, Any], places: dict[str, list[_Place]], key: str
) -> Iterator[tuple[dict[str, Any], _Place]]:
    """The objects in one of the canvas' lists, each with its lines."""
    items = canvas.get(key)
    objects = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    known = places.get(key, [])
    for number, item in enumerate(objects):
        yield item, known[number] if number < len(known) else (1, 1)


def _read_node(node: dict[str, Any], place: _Place, body: Body) -> None:
    match node.get("type"):
        case "text":
            _add_card(node.get("text"), place, body)
        case "group":
            _add_text(node.get("label"), place, body)
        case "file":
            _add_file(node.get("file"), node.get("subpath"), place, body)


def _add_card(text: object, place: _Place, body: Body) -> None:
    """A text card is Markdown of its own, one block; its outline is no outline of the canvas."""
    if not isinstance(text, str):
        return
    card = read_body(split_lines(_clean(text)))
    shown = "\n".join(block.text for block in card.blocks)
    embedded = "\n".join(block.embedded_text or block.text for block in card.blocks)
    if shown.strip():
        body.blocks.append(Block(BlockKind.CARD, shown, *place, (), None if embedded == shown else embedded))
    body.tasks += [replace(task, line=place[0]) for task in card.tasks]
    body.findings.tags += card.findings.tags
    body.findings.fields += card.findings.fields
    body.findings.links += [replace(link, line=place[0]) for link in card.findings.links]


def _add_text(text: object, place: _Place, body: Body) -> None:
    if isinstance(text, str) and text.strip():
        body.blocks.append(Block(BlockKind.CARD, _clean(text).strip(), *place))


def _add_file(file: object, subpath: object, place: _Place, body: Body) -> None:
    if isinstance(file, str) and file.strip():
        sub = _clean(subpath).strip() if isinstance(subpath, str) else ""
        target = split_subpath(_clean(file).strip() + (sub if sub.startswith("#") else ""))
        body.findings.links.append(Link(target.path, target.heading, target.block, None, True, place[0]))


def _clean(text: str) -> str:
    """The text without halves of characters, which JSON can spell and no store can hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _places(text: str) -> dict[str, list[_Place]]:
    """The lines of the objects in each list of the outermost object, by the list's key.

    Raises ValueError when brackets nest deeper than any canvas.
    """
    places: dict[str, list[_Place]] = {}
    key, current, depth, pos, counted, line, start = "", places.setdefault("", []), 0, 0, 0, 1, 1
    while (found := _BRACKET_OR_QUOTE.search(text, pos)) is not None:
        begin, pos = found.start(), found.end()
        char = found[0]
        if char == '"':
            pos = _string_end(text, pos)
            if depth == 1:
                key = text[begin + 1 : pos - 1]
            continue
        line += text.count("\n", counted, begin)
        counted = begin
        if char in "[{":
            depth += 1
            if depth > _MAX_DEPTH:
                raise ValueError("nested too deep")
            if depth == 2:
                current = places[key] = []
            start = line if depth == 3 else start
        else:
            if depth == 3 and char == "}":
                current.append((start, line))
            depth -= 1
    return places


def _string_end(text: str, pos: int) -> int:
    """The position after the string whose inside starts at `pos`."""
    while (found := _QUOTE_OR_ESCAPE.search(text, pos)) is not None:
        pos = found.end()
        if found[0] == '"':
            return pos
    return len(text)
