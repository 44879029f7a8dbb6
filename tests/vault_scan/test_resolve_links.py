"""Where links lead, rule by rule as Obsidian resolves them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsidian_indexer.records import Block, BlockKind, Heading, Note
from obsidian_indexer.vault.links import LinkIndex, resolve_subpath


def resolve(paths: list[str], target: str, source: str = "source.md") -> str | None:
    return LinkIndex(paths).resolve(target, source)


@pytest.mark.parametrize(
    ("paths", "target", "expected"),
    [
        (["x/Note.md"], "note", "x/Note.md"),
        (["x/Note.md"], "NOTE", "x/Note.md"),
        (["x/Note.md"], " Note ", "x/Note.md"),
        (["a.b.md"], "a.b", "a.b.md"),
        (["a.b", "a.b.md"], "a.b", "a.b"),
        (["pic.png"], "pic.png", "pic.png"),
        (["pic.png"], "pic", None),
        (["pic.png.md"], "pic.png", "pic.png.md"),
        (["board.canvas"], "board", None),
        (["board.canvas"], "board.canvas", "board.canvas"),
        (["a.md"], "b", None),
        (["cafe\u0301.md"], "Caf\u00e9", "cafe\u0301.md"),
        (["한글 노트.md"], "한글 노트", "한글 노트.md"),
        (["a\u00a0b.md"], "a b", "a\u00a0b.md"),
        (["a b.md"], "a\u00a0b", "a b.md"),
        (["a.md"], "", "source.md"),
        (["folder/x.md"], "folder/", None),
    ],
)
def test_names(paths: list[str], target: str, expected: str | None) -> None:
    assert resolve(paths, target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("note", "folder/note.md"),
        ("folder/note", "folder/note.md"),
        ("older/note", None),
        ("b/note", "long/b/note.md"),
        ("long/b/note", "long/b/note.md"),
        ("/folder/note", "folder/note.md"),
        ("/note", None),
        ("/b/note", None),
        ("//folder//note", "folder/note.md"),
    ],
)
def test_paths_match_at_the_end_on_whole_segments(target: str, expected: str | None) -> None:
    assert resolve(["folder/note.md", "long/b/note.md"], target) == expected


@pytest.mark.parametrize(
    ("target", "source", "expected"),
    [
        ("./x", "a/source.md", "a/x.md"),
        ("../x", "a/source.md", "x.md"),
        ("../b/x", "a/source.md", "b/x.md"),
        ("../../x", "a/c/source.md", "x.md"),
        ("./X", "source.md", "x.md"),
        ("../only", "b/source.md", "a/only.md"),
        ("../../../only", "source.md", "a/only.md"),
        ("../missing", "a/source.md", None),
    ],
)
def test_relative_paths_are_tried_exactly_first(target: str, source: str, expected: str | None) -> None:
    assert resolve(["x.md", "a/x.md", "b/x.md", "a/only.md"], target, source) == expected


def test_below_the_sources_folder_wins_then_the_shortest_then_the_alphabet() -> None:
    paths = ["z/deep/n.md", "b/n.md", "a/n.md", "longer/n.md"]
    assert resolve(paths, "n", "z/source.md") == "z/deep/n.md"
    assert resolve(paths, "n", "z/deep/er/source.md") == "a/n.md"
    assert resolve(paths, "n", "longer/source.md") == "longer/n.md"
    assert resolve(paths, "n") == "a/n.md"
    assert resolve([*paths, "n.md"], "n") == "n.md"
    assert resolve([*paths, "n.md"], "n", "b/source.md") == "b/n.md"


def test_a_folder_is_not_a_folder_of_a_longer_name() -> None:
    assert resolve(["abc/n.md", "x/n.md"], "n", "ab/source.md") == "x/n.md"


def test_files_that_differ_in_case_only_are_told_apart_by_the_spelling() -> None:
    paths = ["Note.md", "note.md"]
    assert resolve(paths, "note") == "note.md"
    assert resolve(paths, "Note") == "Note.md"
    assert resolve(paths, "/note") == "note.md"
    assert resolve(paths, "NOTE") == "Note.md"


def test_many_files_of_one_name_are_found_without_comparing_them_all() -> None:
    paths = [f"d{number}/index.md" for number in range(20_000)]
    index = LinkIndex(paths)
    assert all(index.resolve("index", f"d{number}/x.md") == f"d{number}/index.md" for number in range(20_000))


@given(
    st.lists(st.text(st.sampled_from("aB./ é\u0301"), min_size=1), max_size=8),
    st.text(max_size=12),
    st.text(max_size=12),
)
def test_any_target_resolves_to_a_known_path_or_none(paths: list[str], target: str, source: str) -> None:
    found = LinkIndex(paths).resolve(target, source)
    assert found is None or found in paths or found == source


# --- below the file


NOTE = Note(
    "n.md",
    "0" * 64,
    "n",
    headings=(
        Heading(1, "Top", 1),
        Heading(2, "Part: One (draft)", 5),
        Heading(3, "Details", 8),
        Heading(2, "Part two", 12),
        Heading(3, "Details", 15),
        Heading(1, "Top", 20),
        Heading(2, "Part two", 25),
        Heading(2, "See docs", 28, "See [docs](https://a.b) `x`"),
    ),
    block_ids={"Abc-1": (9, 10)},
    blocks=(Block(BlockKind.PARAGRAPH, "x", 26, 30),),
)


@pytest.mark.parametrize(
    ("heading", "lines"),
    [
        ("Top", (1, 19)),
        ("top", (1, 19)),
        ("Part One draft", (5, 11)),
        ("Part: One (draft)", (5, 11)),
        ("Part  two", (12, 19)),
        ("Details", (8, 11)),
        ("Part two#Details", (15, 19)),
        ("Top#Part two#Details", (15, 19)),
        ("Details#Part two", None),
        ("Top#Top", None),
        ("See docs", (28, 30)),
        ("See [docs](https://a.b) `x`", (28, 30)),
        ("Missing", None),
        ("", None),
        ("***", None),
    ],
)
def test_sections(heading: str, lines: tuple[int, int] | None) -> None:
    assert resolve_subpath(NOTE, heading, None) == lines


def test_the_last_section_runs_to_the_end_of_the_file() -> None:
    last = Note("n.md", "0" * 64, "n", headings=(Heading(1, "A", 2),), n_lines=40)
    assert resolve_subpath(last, "A", None) == (2, 40)
    assert resolve_subpath(NOTE, "Top#Part two", None) == (12, 19)
    alone = Note("n.md", "0" * 64, "n", headings=(Heading(1, "A", 2),))
    assert resolve_subpath(alone, "A", None) == (2, 2)


@pytest.mark.parametrize(
    ("block", "lines"), [("abc-1", (9, 10)), ("ABC-1", (9, 10)), ("^Abc-1", (9, 10)), ("abc", None)]
)
def test_blocks_by_id_in_any_case(block: str, lines: tuple[int, int] | None) -> None:
    assert resolve_subpath(NOTE, None, block) == lines


def test_nothing_asked_nothing_found() -> None:
    assert resolve_subpath(NOTE, None, None) is None
