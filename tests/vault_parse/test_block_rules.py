"""Blocks: which there are, what they show, and the lines they stand on."""

from __future__ import annotations

import pytest

from obsidian_indexer.records import Block, BlockKind, Note
from obsidian_indexer.vault.parse import parse_text


def parse(text: str, path: str = "Note.md") -> Note:
    return parse_text(path, text, "")


def blocks(text: str) -> list[tuple[str, str, int, int]]:
    return [(block.kind.value, block.text, block.start_line, block.end_line) for block in parse(text).blocks]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_count_the_files_own_line_ends(newline: str) -> None:
    text = newline.join(
        ["---", "a: 1", "---", "one\u2028still\x0bone\x0cone\x85one", "", "# Two", "", "three", "four", ""]
    )
    assert [block[2:] for block in blocks(text)] == [(4, 4), (6, 6), (8, 9)]


def test_every_kind_of_block() -> None:
    text = (
        "# Head\n\ntext\n\n- item\n  - nested\n\n1) one\n\n| A | B |\n|--|--|\n| 1 | 2 |\n\n> quote\n\n"
        "> [!tip] Title\n> body\n\n```py\ncode()\n```\n\n$$\nx^2\n$$\n\n<div>html <b>bold</b></div>\n\n[^1]: note\n"
    )
    assert blocks(text) == [
        ("heading", "Head", 1, 1),
        ("paragraph", "text", 3, 3),
        ("list_item", "item", 5, 5),
        ("list_item", "nested", 6, 6),
        ("list_item", "one", 8, 8),
        ("table_row", "A | B", 10, 10),
        ("table_row", "1 | 2", 12, 12),
        ("quote", "quote", 14, 14),
        ("callout", "Title\nbody", 16, 17),
        ("code", "code()", 19, 21),
        ("math", "x^2", 23, 25),
        ("html", "html bold", 27, 27),
        ("footnote", "note", 29, 29),
    ]


def test_lists_and_tables_are_groups() -> None:
    note = parse("- a\n  - b\n- c\n\ntext\n\n| h |\n|--|\n| x |\n\n- d\n")
    groups = {block.text: block.group for block in note.blocks}
    assert groups["a"] == groups["b"] == groups["c"] != 0
    assert groups["h"] == groups["x"] != 0
    assert len({groups["a"], groups["h"], groups["d"], groups["text"]}) == 4
    assert groups["text"] == 0


def test_rows_are_read_with_their_header() -> None:
    note = parse("| Name | Age |\n| :-- | --: |\n| Ann | 30 |\n| Bob | |\n| | 7 |\n")
    assert [block.embedded_text for block in note.blocks] == [None, "Name: Ann; Age: 30", "Name: Bob", "Age: 7"]


def test_code_is_read_with_its_language() -> None:
    (block,) = parse("~~~python title=x\nprint(1)\n~~~").blocks
    assert (block.text, block.embedded_text) == ("print(1)", "python\nprint(1)")


@pytest.mark.parametrize(
    "language", ["dataview", "dataviewjs", "query", "tasks", "base", "button", "compressed-json", "x-json", "Dataview"]
)
def test_plugin_code_is_dropped(language: str) -> None:
    assert [block[1] for block in blocks(f"before\n\n```{language}\nLIST\n```\n\nafter")] == ["before", "after"]


def test_mermaid_gives_its_labels() -> None:
    (block,) = parse('```mermaid\ngraph TD\n A[Start here] -->|yes| B{Choice}\n B --> C("The end")\n```').blocks
    assert block.text.split("\n") == ["Start here", "yes", "Choice", "The end"]


def test_an_unclosed_fence_runs_to_the_end() -> None:
    assert blocks("```\na\n\n# b\n") == [("code", "a\n\n# b", 1, 4)]


def test_a_closing_fence_is_as_long_as_the_opening_one() -> None:
    assert blocks("````\n```\ninner\n```\n````\nafter") == [
        ("code", "```\ninner\n```", 1, 5),
        ("paragraph", "after", 6, 6),
    ]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# One\n## Two ##\n###### Six", [(1, "One", 1), (2, "Two", 2), (6, "Six", 3)]),
        ("Title\n=====\n\nSub\n---", [(1, "Title", 1), (2, "Sub", 4)]),
        ("two\nlines\n---", [(2, "two lines", 1)]),
        ("#\ntext", [(1, "", 1)]),
        ("#notag\n####### seven", []),
        ("> # quoted\n\n- # listed\n\n%%\n# hidden\n%%\n\n```\n# code\n```", []),
        ("> [!note]\n> # in callout", []),
        ("# A **b** [[C|d]] `e` ^id", [(1, "A b d e", 1)]),
        ("# Same\n# Same", [(1, "Same", 1), (1, "Same", 2)]),
        ("# A\n### C\n## B", [(1, "A", 1), (3, "C", 2), (2, "B", 3)]),
    ],
)
def test_outline(text: str, headings: list[tuple[int, str, int]]) -> None:
    assert [(heading.level, heading.text, heading.line) for heading in parse(text).headings] == headings


def test_a_heading_keeps_what_links_are_matched_with() -> None:
    (heading,) = parse("## See [[Note|it]] _now_ ^id").headings
    assert heading.raw == "See [[Note|it]] _now_"


def test_blocks_know_the_headings_above_them() -> None:
    note = parse("top\n# A\n## B\nx\n### C\n## D\ny\n# \nz")
    paths = {block.text: block.headings for block in note.blocks}
    assert paths["top"] == ()
    assert paths["B"] == ("A", "B")
    assert paths["x"] == ("A", "B")
    assert paths["y"] == ("A", "D")
    assert paths["z"] == ()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("text ^a", {"a": (1, 1)}),
        ("two\nlines ^a", {"a": (1, 2)}),
        ("para\n^a", {"a": (1, 2)}),
        ("- item ^a\n  - child\n- next", {"a": (1, 2)}),
        ("- item\n  - child ^a", {"a": (2, 2)}),
        ("- one\n- two\n\n^a\n\ntext", {"a": (1, 2)}),
        ("> quote\n> more\n\n^a", {"a": (1, 2)}),
        ("> [!tip] T\n> body\n\n^a", {"a": (1, 2)}),
        ("| h |\n|--|\n| x |\n\n^a", {"a": (1, 3)}),
        ("| h |\n|--|\n| x |\n^a", {"a": (1, 3)}),
        ("```\ncode\n```\n\n^a", {"a": (1, 3)}),
        ("$$\nx\n$$\n\n^a", {"a": (1, 3)}),
        ("# Head ^a", {"a": (1, 1)}),
        ("text ^A-1b", {"A-1b": (1, 1)}),
        ("text^a\n\nmid ^a line\n\n`code ^a`\n\n```\nx ^a\n```\n\ntext ^a_b", {}),
        ("%% hidden ^a %%\n\n%%\nhidden ^b\n%%", {}),
    ],
)
def test_block_ids(text: str, ids: dict[str, tuple[int, int]]) -> None:
    assert dict(parse(text).block_ids) == ids


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("- [ ] todo", " ", "todo"),
        ("* [x] done", "x", "done"),
        ("+ [X] done", "X", "done"),
        ("1. [-] cancelled", "-", "cancelled"),
        ("2) [/] half", "/", "half"),
        ("- [?] what [[A|b]] #t ^id", "?", "what b #t"),
        ("- [>] a [x] b", ">", "a [x] b"),
        ("- [ ] ", " ", ""),
    ],
)
def test_a_task(line: str, status: str, text: str) -> None:
    (task,) = parse(line).tasks
    assert (task.status, task.text, task.line) == (status, text, 1)


@pytest.mark.parametrize(
    "line", ["- [x]y", "- [xx] y", "- [] y", "[ ] y", "- text [ ] y", "- [x](url)", "- [ ]", "`- [ ] y`"]
)
def test_no_task(line: str) -> None:
    assert parse(line).tasks == ()


def test_tasks_in_a_callout_count_and_in_a_comment_do_not() -> None:
    note = parse("> [!todo]\n> - [ ] real\n\n%%\n- [ ] hidden\n%%")
    assert [(task.text, task.line) for task in note.tasks] == [("real", 2)]


@pytest.mark.parametrize(
    ("text", "type_", "title", "shown"),
    [
        ("> [!note] Title", "note", "Title", "Title"),
        ("> [!NOTE]", "note", "note", ""),
        (">[!my-type]+ **Bold** title\n> body", "my-type", "Bold title", "Bold title\nbody"),
        ("   > [!tip]- Folded\n   > - a\n   > - b", "tip", "Folded", "Folded\na\nb"),
        ("> [!info|wide] T\n>\n> one\n>\n> two", "info", "T", "T\none\ntwo"),
        ("- > [!tip] In a list", "tip", "In a list", "In a list"),
        ("> [!무엇] 제목", "무엇", "제목", "제목"),
    ],
)
def test_callouts(text: str, type_: str, title: str, shown: str) -> None:
    note = parse(text)
    assert [(callout.type, callout.title, callout.line) for callout in note.callouts] == [(type_, title, 1)]
    assert "\n".join(block.text for block in note.blocks) == shown


def test_nested_callouts() -> None:
    note = parse("> [!question] Q\n> > [!todo] A\n> > > [!example] E\n> > > deep")
    assert [(callout.type, callout.line) for callout in note.callouts] == [("question", 1), ("todo", 2), ("example", 3)]
    assert [block.text for block in note.blocks] == ["Q\nA\nE\ndeep"]


@pytest.mark.parametrize(
    "text", ["> text [!note]", "> text\n> [!note] late", "[!note] no quote", "> [!] empty", "> \\[!note]"]
)
def test_no_callout(text: str) -> None:
    assert parse(text).callouts == ()


def test_a_long_callout_is_several_blocks_of_one_group() -> None:
    text = "> [!note] Title\n" + "".join(f">\n> {'word ' * 60}{number}\n" for number in range(5))
    note = parse(text)
    assert len(note.blocks) == 5
    assert note.blocks[0].text.startswith("Title\nword")
    assert len({block.group for block in note.blocks}) == 1
    assert note.blocks[0].group != 0
    assert all(block.kind is BlockKind.CALLOUT for block in note.blocks)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("%%\nhidden\n\n```\nfence\n%%\nafter", ["after"]),
        ("before\n%%\nhidden\n%%\nafter", ["before", "after"]),
        ("%%\nto the end\n\n# of file", []),
        ("%% one line %%\nafter", ["after"]),
        ("%% inline %% text", ["text"]),
        ("%%\nhidden\n%% after", ["after"]),
        ("%%%%\nshown", ["%%%%\nshown"]),
        ("`%%` shown `%%`", ["%% shown %%"]),
        ("```\n%%\n```\nafter", ["%%", "after"]),
        ("- item\n  %%\n  hidden\n  %%\n- next", ["item", "next"]),
        ("> %%\n> hidden\n> %%\n> shown", ["shown"]),
        ("a %% open\n%% b\n\nshown", ["a b", "shown"]),
        ("a $$\nx\n$$ b\n\n$$\ny\n$$", ["a x b", "y"]),
    ],
)
def test_comments_hide(text: str, shown: list[str]) -> None:
    assert [block.text for block in parse(text).blocks] == shown


def test_tags_and_links_in_a_comment_count() -> None:
    note = parse("%%\n#tag [[Link]] `#no`\n\n```\n#code [[code]]\n```\n- #item\n%%")
    assert note.tags == ("tag", "item")
    assert [(link.target, link.line) for link in note.links] == [("Link", 2)]


def test_an_html_comment_hides_everything() -> None:
    note = parse("<!-- #tag [[Link]]\n\n- [ ] task\n-->\nafter\n\nx <!-- #no [[No]] --> y")
    assert (note.tags, note.links, note.tasks) == ((), (), ())
    assert [block.text for block in note.blocks] == ["after", "x y"] or note.blocks[-1].text == "x y"


def test_html_shows_its_text_only() -> None:
    unseen = "<script>var x = '<p>no</p>'</script><style>p {}</style>"
    text = f"<div class='x'>\n**raw** <b>bold</b> &lt;3\n{unseen}\n</div>\n\n**md**"
    assert [block[1] for block in blocks(text)] == ["**raw** bold <3", "md"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("| a |\n|--|", "table_row"),
        ("a | b\n-|-", "table_row"),
        ("| a |\n|-|", "paragraph"),
        ("# H\n| a |\n|--|", "table_row"),
        ("| a |\n| b |", "paragraph"),
    ],
)
def test_a_table_needs_a_delimiter_row_of_two_dashes(text: str, kind: str) -> None:
    assert parse(text).blocks[-1].kind == kind


def test_an_escaped_bar_stays_in_its_cell() -> None:
    note = parse("| a | b |\n|--|--|\n| x \\| y | [[n\\|m]] |")
    assert note.blocks[-1].embedded_text == "a: x | y; b: m"


def test_footnotes_stay_where_they_are() -> None:
    text = "a[^1]\n\n[^1]: first\n    continued\n[^Big]: second\n\nb[^big]"
    assert blocks(text) == [
        ("paragraph", "a", 1, 1),
        ("footnote", "first\ncontinued", 3, 4),
        ("footnote", "second", 5, 5),
        ("paragraph", "b", 7, 7),
    ]


def test_math_blocks() -> None:
    text = "text\n$$\n- a\n\n- b\n$$\nafter\n\n$$c$$\n\n$$ never closed"
    assert blocks(text) == [
        ("paragraph", "text", 1, 1),
        ("math", "- a\n\n- b", 2, 6),
        ("paragraph", "after", 7, 7),
        ("math", "c", 9, 9),
        ("paragraph", "$$ never closed", 11, 11),
    ]


def test_template_commands_are_dropped() -> None:
    assert [block[1] for block in blocks("<%*\nlet x = 1\n\n%>\n# {{title}}\n<% x %> y")] == ["{{title}}", "y"]


def test_text_nested_deeper_than_the_limit_is_kept() -> None:
    lists = "".join("  " * depth + f"- level{depth}\n" for depth in range(150))
    shown = "\n".join(block.text for block in parse(lists).blocks)
    assert all(f"level{depth}" in shown for depth in range(150))
    quotes = ">" * 400 + " deep word\n\nafter"
    shown = "\n".join(block.text for block in parse(quotes).blocks)
    assert "deep word" in shown
    assert "after" in shown


def test_indented_code_and_lists() -> None:
    assert blocks("    code\n\ttab\n\ntext\n\n- a\n\n  b\n\n      code\n- c") == [
        ("code", "code\ntab", 1, 2),
        ("paragraph", "text", 4, 4),
        ("list_item", "a\nb", 6, 8),
        ("code", "code", 10, 10),
        ("list_item", "c", 11, 11),
    ]


def test_reading_order_has_every_piece_once() -> None:
    text = "- a\n\n  > q1\n  > q2\n\n  b\n  - c\n\n  d\n"
    assert [(block.text, block.start_line) for block in parse(text).blocks] == [
        ("a", 1),
        ("q1\nq2", 3),
        ("b", 6),
        ("c", 7),
        ("d", 9),
    ]


def test_blocks_are_plain() -> None:
    note = parse("text [[a|b]] ![[c.png]] %%no%% ^id")
    assert note.blocks == (Block(BlockKind.PARAGRAPH, "text b", 1, 1),)
