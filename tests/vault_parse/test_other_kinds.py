"""Documents that are not plain notes: canvases, drawings, boards, bases."""

from __future__ import annotations

import json

import pytest

from obsidian_indexer.records import BlockKind, Link, NoteKind
from obsidian_indexer.vault.parse import parse_text

CANVAS = {
    "nodes": [
        {"id": "1", "type": "text", "text": "# Card\n\nwith [[Note|a link]] and #tag\n\n- [ ] do it"},
        {"id": "2", "type": "file", "file": "folder/Note.md", "subpath": "#Head"},
        {"id": "3", "type": "file", "file": "pic.png"},
        {"id": "4", "type": "link", "url": "https://example.org"},
        {"id": "5", "type": "group", "label": "A group"},
        {"id": "6", "type": "text", "text": "---\nfront: matter\n---"},
        {"id": "7", "type": "file", "file": "Note.md", "subpath": "#^block"},
        "odd",
    ],
    "edges": [{"id": "e", "fromNode": "1", "toNode": "2", "label": "leads to"}, {"id": "f"}],
}


def test_a_canvas_gives_cards_groups_and_edge_labels() -> None:
    text = json.dumps(CANVAS, indent="\t")
    note = parse_text("Board.canvas", text, "")
    assert note.kind is NoteKind.CANVAS
    assert [block.text for block in note.blocks] == [
        "Card\nwith a link and #tag\ndo it",
        "A group",
        "front: matter",
        "leads to",
    ]
    assert {block.kind for block in note.blocks} == {BlockKind.CARD}
    assert note.tags == ("tag",)
    assert [(link.target, link.heading, link.block, link.embed) for link in note.links] == [
        ("Note", None, None, False),
        ("folder/Note", "Head", None, True),
        ("pic.png", None, None, True),
        ("Note", None, "block", True),
    ]
    lines = text.split("\n")
    assert "with [[Note" in "".join(lines[note.blocks[0].start_line - 1 : note.blocks[0].end_line])
    assert "A group" in "".join(lines[note.blocks[1].start_line - 1 : note.blocks[1].end_line])
    assert "leads to" in "".join(lines[note.blocks[3].start_line - 1 : note.blocks[3].end_line])


@pytest.mark.parametrize("text", ["", "  \n", "{}", '{"nodes": []}', '{"edges": null}', '{"nodes": {"a": 1}}'])
def test_an_empty_canvas_is_an_empty_note(text: str) -> None:
    note = parse_text("Board.canvas", text, "")
    assert (note.blocks, note.warnings) == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        "nonsense",
        '{"nodes": ' + "[" * 200_000,
        '{"a":' * 100_000,
        '{"nodes": [' + "[" * 100 + "]" * 101 + "}",
    ],
)
def test_a_broken_canvas_warns(text: str) -> None:
    note = parse_text("Board.canvas", text, "")
    assert note.blocks == ()
    assert [warning.code for warning in note.warnings] == ["canvas-invalid"]


def test_brackets_in_a_canvas_text_are_no_depth() -> None:
    text = json.dumps({"nodes": [{"type": "text", "text": "[" * 500 + '"\\' + "word"}]})
    note = parse_text("Board.canvas", text, "")
    assert note.warnings == ()
    assert "word" in note.blocks[0].text


def test_half_a_character_in_a_canvas_can_be_stored() -> None:
    note = parse_text("Board.canvas", '{"nodes": [{"type": "text", "text": "a \\ud83d b \\ud83d\\ude00"}]}', "")
    note.blocks[0].text.encode()
    assert note.blocks[0].text == "a \ufffd b \U0001f600"


NEW_DRAWING = """---
excalidraw-plugin: parsed
tags: [excalidraw]
---
==⚠  Switch to EXCALIDRAW VIEW in the MORE OPTIONS menu of this document. ⚠==

Text above with [[Link]]

%%
# Excalidraw Data

## Text Elements
First words ^abcd1234

Second text
# with a heading and #tag ^_-Xy1234

## Element Links
abcd1234: [[Hidden]]

## Embedded Files
ffff: [[pic.png]]

%%
## Drawing
```compressed-json
N4KAkARALgngDgUwgLgAQQQDwMYEMA2AlgCYBOuA7hADTgQBuCpAzoQPYB2KqATLZMzYBXUtiRoI
```
%%
"""

OLD_DRAWING = """---

excalidraw-plugin: raw

---
# Text Elements
Only text ^12345678

%%
# Drawing
```json
{"type":"excalidraw","elements":[]}
```
%%"""


def test_a_drawing_gives_its_texts_and_never_its_data() -> None:
    note = parse_text("Draw.excalidraw.md", NEW_DRAWING, "")
    assert note.kind is NoteKind.EXCALIDRAW
    assert note.title == "Draw"
    assert [(block.text, block.start_line, block.end_line) for block in note.blocks] == [
        ("Text above with Link", 7, 7),
        ("First words", 13, 13),
        ("Second text\nwith a heading and #tag", 15, 16),
    ]
    assert note.tags == ("excalidraw", "tag")
    assert note.links == (Link("Link", None, None, None, False, 7),)
    assert note.headings == ()


def test_an_old_drawing_without_the_data_heading() -> None:
    note = parse_text("Old.md", OLD_DRAWING, "")
    assert note.kind is NoteKind.EXCALIDRAW
    assert [block.text for block in note.blocks] == ["Only text"]


def test_a_drawing_whose_properties_are_broken_still_hides_its_data() -> None:
    note = parse_text("x.excalidraw.md", "---\na: b: c\n---\n\n# Drawing\n```json\n{}\n```\n", "")
    assert note.blocks == ()


def test_a_board_is_markdown_without_its_settings() -> None:
    text = (
        "---\n\nkanban-plugin: board\n\n---\n\n## To do\n\n- [ ] card [[One]]\n\n## Done\n\n**Complete**\n- [x] two\n\n"
        '***\n\n## Archive\n\n- [x] old\n\n%% kanban:settings\n```\n{"kanban-plugin":"board"}\n```\n%%'
    )
    note = parse_text("Board.md", text, "")
    assert note.kind is NoteKind.KANBAN
    assert [heading.text for heading in note.headings] == ["To do", "Done", "Archive"]
    assert [(task.status, task.text) for task in note.tasks] == [(" ", "card One"), ("x", "two"), ("x", "old")]
    assert all("settings" not in block.text for block in note.blocks)
    assert [block.headings for block in note.blocks if block.text == "two"] == [("Done",)]


def test_a_base_is_known_by_name_only() -> None:
    note = parse_text("Books.base", "views:\n  - type: table\n", "")
    assert (note.kind, note.title, note.blocks, note.lead) == (NoteKind.BASE, "Books", (), "Books")
