"""Excalidraw notes: the text above the drawing and the words written in it, never the drawing."""

from __future__ import annotations

import re

from obsidian_indexer.records import Block, BlockKind
from obsidian_indexer.vault.parse.blocks import Body, read_body

_DATA = re.compile(r"#{1,2}[ \t]+(?:Excalidraw Data|Text Elements)[ \t]*")
_DRAWING = re.compile(r"#{1,2}[ \t]+Drawing[ \t]*")
_DRAWING_FENCE = re.compile(r"(?:`{3,}|~{3,})[ \t]*(?:compressed-)?json\b")
_SECTION = re.compile(r"#{1,2}[ \t]+(Excalidraw Data|Text Elements|Element Links|Embedded Files|Drawing)[ \t]*")
_ELEMENT_END = re.compile(r"(?:(.*)[ \t])?\^[A-Za-z0-9_-]{8}[ \t]*")
_NOTICE = re.compile(r"==\s*⚠.*EXCALIDRAW VIEW")


def read_excalidraw(lines: list[str], first_line: int) -> Body:
    """The body of an Excalidraw note: its Markdown, then one block for each text of the drawing.

    The texts stand in a comment in newer notes, and count all the same; a heading or task in one is only text.
    """
    data = _data_start(lines)
    above = [line if not _NOTICE.match(line) else "" for line in lines[:data]]
    for number in range(len(above) - 1, -1, -1):
        if above[number].strip():
            # The mark that hides the data from readers.
            above[number] = "" if above[number].strip() == "%%" else above[number]
            break
    body = read_body(above, first_line)
    element: list[str] = []
    in_texts = True
    for number, line in enumerate(lines[data:], first_line + data):
        section = _SECTION.fullmatch(line)
        if section or line.strip() == "%%":
            _add_element(body, element, number)
            in_texts = section is None or section[1] in ("Excalidraw Data", "Text Elements")
        elif in_texts and (end := _ELEMENT_END.fullmatch(line)):
            element.append(end[1] or "")
            _add_element(body, element, number + 1)
        elif in_texts and (element or line.strip()):
            element.append(line)
    _add_element(body, element, first_line + len(lines))
    return body


def _data_start(lines: list[str]) -> int:
    """The index of the line where the drawing's data begins."""
    for number, line in enumerate(lines):
        if _DATA.fullmatch(line):
            return number
        if _DRAWING.fullmatch(line):
            after = next((later for later in lines[number + 1 : number + 4] if later.strip()), "")
            if _DRAWING_FENCE.match(after):
                return number
    return len(lines)


def _add_element(body: Body, element: list[str], next_line: int) -> None:
    """Add the text whose lines end before `next_line` as a block, and empty `element`."""
    start = next_line - len(element)
    text = read_body(element, start)
    shown = "\n".join(block.text for block in text.blocks)
    if shown:
        body.blocks.append(Block(BlockKind.PARAGRAPH, shown, start, text.blocks[-1].end_line))
    body.findings.links += text.findings.links
    body.findings.tags += text.findings.tags
    element.clear()
