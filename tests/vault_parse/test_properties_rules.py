"""Front matter: where it is, what its values are, and what is made of them."""

from __future__ import annotations

import pytest

from obsidian_indexer.records import Note, PropertyLink
from obsidian_indexer.vault.parse import parse_text


def parse(text: str, *, lenient_tags: bool = False) -> Note:
    return parse_text("folder/Name.md", text, "", lenient_tags=lenient_tags)


def with_matter(matter: str) -> Note:
    note = parse(f"---\n{matter}\n---\nBODY")
    assert note.blocks[-1].text == "BODY"
    return note


@pytest.mark.parametrize(
    ("text", "properties", "shown"),
    [
        ("---\na: b\n---\nx", {"a": "b"}, "x"),
        ("\ufeff---\na: b\n---\nx", {"a": "b"}, "x"),
        ("---\r\na: b\r\n---\r\nx", {"a": "b"}, "x"),
        ("---\ra: b\r---\rx", {"a": "b"}, "x"),
        ("---\na: b\n---  \nx", {"a": "b"}, "x"),
        ("---\n---\nx", {}, "x"),
        ("---\na: |\n  text\n  ---\n  more\n---\nx", {"a": "text\n---\nmore"}, "x"),
        ("\n---\na: b\n---\nx", {}, "a: b|x"),
        ("--- \na: b\n---\nx", {}, "a: b|x"),
        ("----\na: b\n----\nx", {}, "a: b|x"),
        ("---\na: b\n...\nx", {}, "a: b\n...\nx"),
        ("---\na: b\nx", {}, "a: b\nx"),
        ("---\na: b\n---\nx\n\n---\n\ny: z", {"a": "b"}, "x|y: z"),
        ("---\na: b\n---\nx\n---", {"a": "b"}, "x"),
    ],
)
def test_where_front_matter_is(text: str, properties: dict[str, object], shown: str) -> None:
    note = parse(text)
    assert note.properties == properties
    assert "|".join(block.text for block in note.blocks) == shown


@pytest.mark.parametrize(
    ("matter", "properties"),
    [
        ("d: 2024-07-21", {"d": "2024-07-21"}),
        ("d: 2024-07-21T10:30:00", {"d": "2024-07-21T10:30:00"}),
        ("d: 2024-02-30", {"d": "2024-02-30"}),
        ("t: 12:30", {"t": "12:30"}),
        ("a: yes\nb: no\nc: on\nd: off", {"a": "yes", "b": "no", "c": "on", "d": "off"}),
        ("a: true\nb: False", {"a": True, "b": False}),
        ("a:\nb: ~\nc: null", {"a": None, "b": None, "c": None}),
        (
            "a: 1\nb: -2.5\nc: 1e3\nd: 0x1F\ne: 0o17\nf: 1_000",
            {"a": 1, "b": -2.5, "c": 1000, "d": 31, "e": 15, "f": "1_000"},
        ),
        ("a: .inf\nb: .nan\nc: 1e999", {"a": ".inf", "b": ".nan", "c": "1e999"}),
        ("a: '1'\nb: \"true\"\nc: !!str 5", {"a": "1", "b": "true", "c": "5"}),
        ("a: [1, b, null]\nb:\n  - x\n  -\n  - y", {"a": [1, "b", None], "b": ["x", None, "y"]}),
        ("a: {b: {c: d}}", {"a": {"b": {"c": "d"}}}),
        ('{"a": 1, "b": [true, null], "c": {"d": "e"}}', {"a": 1, "b": [True, None], "c": {"d": "e"}}),
        ('{\n\t"a": "\\ud83d\\ude00"\n}', {"a": "\U0001f600"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("<<: x\ny: =", {"<<": "x", "y": "="}),
        ("a: {{title}}", {"a": {'{"title": null}': None}}),
        ("a: [[Note]]", {"a": [["Note"]]}),
        ("1: a\nnull: b", {"1": "a", "": "b"}),
        ("a: text # note\nb: C#", {"a": "text", "b": "C#"}),
        ("a: |\n  two\n  lines\nb: >\n  folded\n  text", {"a": "two\nlines\n", "b": "folded text"}),
        ("a: one\u2028two", {"a": "one\u2028two"}),
        ("a: !python/object:os.system x", {"a": "x"}),
    ],
)
def test_values_are_as_written(matter: str, properties: dict[str, object]) -> None:
    note = with_matter(matter)
    assert note.properties == properties
    assert note.warnings == ()


@pytest.mark.parametrize(
    ("matter", "code", "line"),
    [
        ("a: b: c", "frontmatter-invalid", 2),
        ("ok: 1\na: @x", "frontmatter-invalid", 3),
        ("\ta: b", "frontmatter-invalid", 2),
        ("a: 1\nb: 2\na: 3", "frontmatter-invalid", 4),
        ("a: *nowhere", "frontmatter-invalid", 2),
        ("a: 'open", "frontmatter-invalid", 2),
        ("a: b\n...\nc: d", "frontmatter-invalid", 4),
        ("just words", "frontmatter-not-a-map", 2),
        ("- a\n- b", "frontmatter-not-a-map", 2),
        ("a: " + "[" * 100_00, "frontmatter-too-deep", 2),
        ("- " * 10_000, "frontmatter-too-deep", 2),
        ("a: " + "x" * 70_000, "frontmatter-too-large", 2),
        (
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "\n".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
            "frontmatter-too-deep",
            5,
        ),
    ],
)
def test_bad_yaml_warns_and_keeps_the_body(matter: str, code: str, line: int) -> None:
    note = with_matter(matter)
    assert note.properties == {}
    assert [(warning.code, warning.line) for warning in note.warnings] == [(code, line)]
    assert [block.text for block in note.blocks] == ["BODY"]


@pytest.mark.parametrize(
    ("matter", "tags"),
    [
        ("tags: one", ("one",)),
        ("tags: [a, '#b', A]", ("a", "b")),
        ("TAGS:\n  - x/y\n  - x/z/", ("x/y", "x/z")),
        ("tags: a, b", ()),
        ("tags: [a b, c]", ("c",)),
        ("tags: [1, 2.5, null, true, [d], ok]", ("ok",)),
        ("tags: ['1984b', ' trim ']", ("1984b", "trim")),
        ("tag: dead", ()),
        ("tags:", ()),
        ("text: '#no'", ()),
    ],
)
def test_tags_of_properties(matter: str, tags: tuple[str, ...]) -> None:
    assert with_matter(matter).tags == tags


def test_tags_of_properties_come_first_and_once() -> None:
    note = parse("---\ntags: [B, c]\n---\n#a #b #C")
    assert note.tags == ("B", "c", "a")


@pytest.mark.parametrize(
    ("matter", "aliases"),
    [
        ("aliases: a, b", ("a, b",)),
        ("Aliases: [a, ' b ', 3, null]", ("a", "b")),
        ("alias: dead", ()),
        ("aliases:", ()),
    ],
)
def test_aliases(matter: str, aliases: tuple[str, ...]) -> None:
    assert with_matter(matter).aliases == aliases


def test_lenient_reading_splits_and_honours_old_names() -> None:
    note = parse("---\ntags: a, b c\ntag: d\nalias: x, y\n---\n", lenient_tags=True)
    assert note.tags == ("a", "b", "c", "d")
    assert note.aliases == ("x", "y")


@pytest.mark.parametrize(
    ("matter", "links"),
    [
        ('up: "[[Note]]"', [PropertyLink("up", "Note", None)]),
        (
            'refs: ["[[A#h|shown]]", "[[B.md]]", x]',
            [PropertyLink("refs.0", "A", "h"), PropertyLink("refs.1", "B", None)],
        ),
        ('m: {deep: "[[C]]"}', [PropertyLink("m.deep", "C", None)]),
        ("up: [[Note]]", []),
        ('up: "see [[Note]]"', []),
        ('up: "[[A]] and [[B]]"', []),
        ('up: "[[]]"', []),
    ],
)
def test_links_of_properties(matter: str, links: list[PropertyLink]) -> None:
    note = with_matter(matter)
    assert list(note.property_links) == links
    assert note.links == ()


def test_lead_is_title_aliases_and_descriptions() -> None:
    note = parse(
        "---\ntitle: Shown\naliases: [Other, name]\nSummary: In short.\ndescription: 5\nsubtitle: Under\n---\n"
    )
    assert note.lead.split("\n") == ["Name", "Shown", "Other", "In short.", "Under"]


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("a/b/Note.md", "Note"),
        ("a.b.md", "a.b"),
        ("UPPER.MD", "UPPER"),
        ("Drawing.excalidraw.md", "Drawing"),
        ("Board.canvas", "Board"),
        ("View.base", "View"),
        (".md", ".md"),
        ("노트 #1^2.md", "노트 #1^2"),
        ("bad\udcff.md", "bad?"),
    ],
)
def test_title_is_the_files_name(path: str, title: str) -> None:
    assert parse_text(path, "", "").title == title
