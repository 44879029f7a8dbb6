"""Inline syntax, rule by rule, as a reader of the parsed note sees it."""

from __future__ import annotations

import pytest

from obsidian_indexer.records import Link, Note
from obsidian_indexer.vault.parse import parse_text


def parse(text: str) -> Note:
    return parse_text("Note.md", text, "")


def body(text: str) -> str:
    return "\n".join(block.text for block in parse(text).blocks)


def link(text: str) -> tuple[str, str | None, str | None, str | None, bool]:
    (found,) = parse(text).links
    return found.target, found.heading, found.block, found.display, found.embed


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#one and #two", ("one", "two")),
        ("#한글 #日本語 #emoji🎉 #snake_case #kebab-case", ("한글", "日本語", "emoji🎉", "snake_case", "kebab-case")),
        ("#1984", ()),
        ("#1984b #1/2 #f0f0f0", ("1984b", "1/2", "f0f0f0")),
        ("#12/", ()),
        ("#a/b/ #a//", ("a/b", "a")),
        ("#Dup and #dup", ("Dup",)),
        ('(#x) "#x" .#x a#x -#x', ()),
        ("#a#b", ("a", "b")),
        ("#a/#b", ("a", "b")),
        ("\\#x", ()),
        ("\\[\\[#X", ("X",)),
        ("**#bold** *#em* ==#mark== ~~#gone~~", ("bold", "em", "mark", "gone")),
        ("_#tag_ and __#two__", ("tag", "two")),
        ("#keep_ this", ("keep_",)),
        ("\u00a0#nbsp\u3000#wide", ("nbsp", "wide")),
        ("#dot. #comma, #q? #p) #c: #s; #b! #at@x #s'q", ("dot", "comma", "q", "p", "c", "s", "b", "at")),
        ("#a\u2014b #c\u2026d", ("a", "c")),
        ("[see #inlink](https://example.org)", ("inlink",)),
        ("[#first](https://example.org)", ("first",)),
        ("[#notalink]", ()),
        ("%% #hidden %%", ("hidden",)),
        ("`#code` and $#math$", ()),
        ("<!-- #comment -->", ()),
        ("<div>\n#block\n</div>", ()),
        ("https://example.org/a#b https://example.org/x_#y", ()),
        ("[[Note#Heading]] ![[Pic#x]]", ()),
        ("[t](u#frag) [t](<#frag>)", ()),
        ("# Heading #inhead", ("inhead",)),
        ("| a |\n|--|\n| #cell |", ("cell",)),
        ("> [!note] #title\n> #quoted", ("title", "quoted")),
        ("- #item", ("item",)),
        ("#", ()),
        ("##x", ()),
        ("#-", ("-",)),
        ("```\n#no\n```", ()),
    ],
)
def test_tags(text: str, tags: tuple[str, ...]) -> None:
    assert parse(text).tags == tags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[Note]]", ("Note", None, None, None, False)),
        ("[[note.md]]", ("note", None, None, None, False)),
        ("[[a.b.md|x]]", ("a.b", None, None, "x", False)),
        ("[[ folder/Note # Head | shown ]]", ("folder/Note", "Head", None, "shown", False)),
        ("[[Note#H1#H2]]", ("Note", "H1#H2", None, None, False)),
        ("[[#H1]]", ("", "H1", None, None, False)),
        ("[[Note#^id-1]]", ("Note", None, "id-1", None, False)),
        ("[[#^id]]", ("", None, "id", None, False)),
        ("[[#[^1]]]", ("", "[^1]", None, None, False)),
        ("[[note#]]", ("note", None, None, None, False)),
        ("[[../x]]", ("../x", None, None, None, False)),
        ("[[/x]]", ("/x", None, None, None, False)),
        ("[[file.pdf#page=3]]", ("file.pdf", "page=3", None, None, False)),
        ("[[a||b]]", ("a", None, None, "|b", False)),
        ("[[|b]]", ("|b", None, None, None, False)),
        ("[[a|]]", ("a", None, None, None, False)),
        ("[[a_b*c*$d$|**bold** `code`]]", ("a_b*c*$d$", None, None, "bold code", False)),
        ("[[[a]]]", ("a", None, None, None, False)),
        ("[[a [[b]]", ("b", None, None, None, False)),
        ("[[## head]]", ("## head", None, None, None, False)),
        ("[[^^block]]", ("^^block", None, None, None, False)),
        ("| [[a\\|b]] |\n|--|", ("a", None, None, "b", False)),
        ("![[Note]]", ("Note", None, None, None, True)),
        ("![[p.png|300]]", ("p.png", None, None, None, True)),
        ("![[p.png|300x200]]", ("p.png", None, None, None, True)),
        ("![[p.png|alt text|300]]", ("p.png", None, None, "alt text", True)),
        ("![[Note#^b]]", ("Note", None, "b", None, True)),
        ("[t](a.md)", ("a", None, None, "t", False)),
        ("[t](a%20b.md#H%201)", ("a b", "H 1", None, "t", False)),
        ("[t](<a b.md>)", ("a b", None, None, "t", False)),
        ("[t](#H)", ("", "H", None, "t", False)),
        ("[t](#^id)", ("", None, "id", "t", False)),
        ("[t](a.md#^id)", ("a", None, "id", "t", False)),
        ('[*t*](a "title")', ("a", None, None, "t", False)),
        ("[t][ref]\n\n[ref]: b.md", ("b", None, None, "t", False)),
        ("[ref][]\n\n[ref]: b.md", ("b", None, None, "ref", False)),
        ("[ref]\n\n[ref]: b.md", ("b", None, None, "ref", False)),
        ("![alt|100](pic.png)", ("pic.png", None, None, "alt", True)),
        ("![100](pic.png)", ("pic.png", None, None, None, True)),
        ("%%[[hidden]]%%", ("hidden", None, None, None, False)),
        ("# [[In heading]]", ("In heading", None, None, None, False)),
        ("\\\\[[a]]", ("a", None, None, None, False)),
    ],
)
def test_a_link(text: str, expected: tuple[str, str | None, str | None, str | None, bool]) -> None:
    assert link(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[[]]",
        "[[ ]]",
        "[[a]",
        "\\[[a]]",
        "\\[\\[a]]",
        "[[a\nb]]",
        "[t]()",
        "[t](a b.md)",
        "[t](https://example.org)",
        "[t](mailto:a@example.org)",
        "![alt](https://example.org/p.png)",
        "`[[a]]`",
        "```\n[[a]]\n```",
        "    [[a]]",
        "$[[a]]$",
        "$$\n[[a]]\n$$",
        "<!-- [[a]] -->",
        "<div>\n[[a]]\n</div>",
        "| [[a|b]] |\n|--|--|",
        "<% [[a]] %>",
        "[brackets] and [ ]",
    ],
)
def test_no_link(text: str) -> None:
    assert parse(text).links == ()


def test_a_link_knows_its_line() -> None:
    note = parse(
        "---\na: b\n---\none\n[[A]] `x\ny` [[B]]\n[C](c\n) [[D]]\n\n> [[E]]\n> [[F]]\n\n| h |\n|--|\n| [[G]] |\n"
    )
    assert [(link.target, link.line) for link in note.links] == [
        ("A", 5),
        ("B", 6),
        ("c", 7),
        ("D", 8),
        ("E", 10),
        ("F", 11),
        ("G", 15),
    ]


def test_links_are_in_reading_order() -> None:
    note = parse("[[a]]\n\n%%\n[[b]]\n%%\n\n- [[c]]\n  - [d](d)\n\n[^1]: [[e]]\n\n![[f]]")
    assert [link.target for link in note.links] == list("abcdef")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[[Note#H1#H2]]", "Note > H1 > H2"),
        ("[[#H1#H2]]", "H1 > H2"),
        ("[[x.md]]", "x.md"),
        ("[[Note#^id]]", "Note"),
        ("see [[path/Note|this one]] now", "see this one now"),
        ("![[Note]] text", "text"),
        ("![[p.png|a cat|300]]", "a cat"),
        ("![a dog|100x50](https://example.org/p.png)", "a dog"),
        ("[text](https://example.org)", "text"),
        ("**b** *i* ~~s~~ ==h== `c`", "b i s h c"),
        ("a ==> b and c <== d", "a ==> b and c <== d"),
        ("== not ==", "== not =="),
        ("%%%% shown", "%%%% shown"),
        ("a %%gone%% b", "a b"),
        ("a %% open", "a %% open"),
        ("one %% two\nthree %% four", "one four"),
        ("one %% two\n%% four", "one four"),
        ("a <!-- gone --> b", "a b"),
        ("<b>kept</b><br>next &amp; last", "kept\nnext & last"),
        ("$10 and $20", "$10 and $20"),
        ("$x_1$ and $$y$$ end", "x_1 and y end"),
        ("$ a$ $b $ \\$c$", "$ a$ $b $ $c$"),
        ("word[^1] more^[in place] end", "word more (in place) end"),
        ("`= this.x` `$= dv.x` `== eq`", "== eq"),
        ("<% tp.date.now() %>after", "after"),
        ("before <%* x\ny %> after", "before after"),
        ("text ^block-id", "text"),
        ("text ^block_id", "text ^block_id"),
        ("mid ^id line", "mid ^id line"),
        ("tight^id", "tight^id"),
        ("#tag word", "#tag word"),
        ("**bold** https://example.org/a_b_c=d", "bold https://example.org/a_b_c=d"),
        ("==see https://example.org/a==b== end", "see https://example.org/a==b end"),
        ("(https://example.org/a_(b)).", "(https://example.org/a_(b))."),
        ("<https://example.org/x>", "https://example.org/x"),
        ("snake_case_name", "snake_case_name"),
        ("std::vector a::b", "std::vector a::b"),
        ("soft\nbreak", "soft\nbreak"),
        ("[ref]: https://example.org", ""),
        ("x \\*not em\\*", "x *not em*"),
    ],
)
def test_text_shown(text: str, shown: str) -> None:
    assert body(text) == shown


@pytest.mark.parametrize(
    ("text", "fields", "shown"),
    [
        ("Key:: value here", {"Key": ("value here",)}, "Key value here"),
        ("**Bold Key**:: v", {"Bold Key": ("v",)}, "Bold Key v"),
        ("a [k:: v] b", {"k": ("v",)}, "a k v b"),
        ("a (k:: v) b", {"k": ("v",)}, "a (k v) b"),
        ("- item [due:: 2024-01-01]", {"due": ("2024-01-01",)}, "item due 2024-01-01"),
        ("ref:: [[Note]]", {"ref": ("[[Note]]",)}, "ref Note"),
        ("k:: a\nk:: b", {"k": ("a", "b")}, "k a\nk b"),
        ("키:: 값", {"키": ("값",)}, "키 값"),
        ("[k:v] and (k:v)", {}, "[k:v] and (k:v)"),
        ("a sentence. with k:: v", {}, "a sentence. with k:: v"),
        ("`k:: v`", {}, "k:: v"),
        ("%%k:: v%%", {}, ""),
        ("# k:: v", {}, "k:: v"),
    ],
)
def test_dataview_fields(text: str, fields: dict[str, tuple[str, ...]], shown: str) -> None:
    note = parse(text)
    assert dict(note.inline_fields) == fields
    assert body(text) == shown


def test_markdown_inside_a_link_is_no_second_link() -> None:
    note = parse("[a [b](c) d](e)")
    assert note.links == (Link("c", None, None, "b", False, 1),)
    assert body("[a [b](c) d](e)") == "[a b d](e)"


def test_an_image_in_a_link_gives_both() -> None:
    note = parse("[![alt](pic.png)](Note.md)")
    assert [(link.target, link.embed, link.display) for link in note.links] == [
        ("pic.png", True, "alt"),
        ("Note", False, "alt"),
    ]
