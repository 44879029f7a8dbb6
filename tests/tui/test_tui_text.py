"""Text and layout without a screen: rows, passages, values, commands."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.content import Content

from obsidian_indexer.records import Failure, IndexReport, NoteEntry
from obsidian_indexer.tui.opening import OpenError, editor_command, opener_command
from obsidian_indexer.tui.passage import passage_window
from obsidian_indexer.tui.prose import inline
from obsidian_indexer.tui.reports import failure_rows, report_rows, status_rows
from obsidian_indexer.tui.rows import Row, fit, flow, spread
from obsidian_indexer.tui.text import bar, duration, hit_row, moment, query_terms
from obsidian_indexer.tui.values import parse_value, shown_value
from tests.tui.fake_engine import HITS, HOSTILE, HOSTILE_CLEAN, HOSTILE_HIT, NOTES, STATUS, make_hit

NOW = datetime(2024, 2, 1, 23, 30)  # noqa: DTZ001 - a local time, as a reader's clock shows it


@pytest.mark.parametrize("width", [12, 13, 30, 31, 77])
def test_every_line_of_a_result_fits_its_width(width: int) -> None:
    for hit in (*HITS, HOSTILE_HIT):
        row = hit_row(hit, 1.0, ("link", "블록"), width)
        assert all(cell_len(line) <= width for line in row.plain.split("\n"))
        assert len(row.plain.split("\n")) <= 4


def test_a_result_shows_a_hostile_title_as_it_is_written() -> None:
    assert HOSTILE_CLEAN in hit_row(HOSTILE_HIT, 1.0, (), 120).plain


@pytest.mark.parametrize("headings", [(), ("Resting beans",), ("Resting beans", "Why")])
@pytest.mark.parametrize("path", ["Coffee/Resting beans.md", "Resting beans.md"])
def test_a_result_says_its_folder_once(path: str, headings: tuple[str, ...]) -> None:
    row = hit_row(make_hit(path, headings=headings, snippet=""), 1.0, (), 60).plain
    assert row.count("Coffee/") == path.count("Coffee/")
    assert ("Resting beans.md" in row) == (len(headings) < 2)


def test_wide_characters_are_not_halved() -> None:
    assert fit(Content("한국어 노트"), 5).plain == "한국…"
    assert cell_len(spread(Content("한국어 노트 제목"), Content("x"), 11).plain) == 11


def test_wrapped_rows_hang_under_the_text() -> None:
    rows = flow(Row(Content("- "), Content("one two three")), 8)
    assert [row.plain for row in rows] == ["- one", "  two", "  three"]


def test_times_and_bars() -> None:
    assert duration(None) == "–"
    assert duration(7.4) == "0:07"
    assert duration(3723) == "1:02:03"
    assert cell_len(bar(0.5).plain) == cell_len(bar(0).plain) == cell_len(bar(1).plain)


@pytest.mark.parametrize(
    ("iso", "shown"),
    [
        ("2024-02-01T10:11:12+00:00", "today at 19:11"),
        ("2024-02-01T10:11:12Z", "today at 19:11"),
        ("2024-01-31T14:59:00Z", "yesterday at 23:59"),
        ("2024-01-31T15:00:00Z", "today at 00:00"),
        ("2023-12-24T01:00:00Z", "Sun 24 Dec 2023 at 10:00"),
        ("not a time", "not a time"),
    ],
)
def test_moments_are_told_in_local_time(monkeypatch: pytest.MonkeyPatch, iso: str, shown: str) -> None:
    monkeypatch.setenv("TZ", "UTC-9")
    time.tzset()
    try:
        assert moment(iso, NOW) == shown
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_report_counts_a_failed_note_as_failed() -> None:
    failures = (Failure("a.md", "parse", "too deep"), Failure("b.md", "embed", "too long"))
    rows = [row.text.plain for row in report_rows(IndexReport(seen=21, added=20, chunks=1, failures=failures))]
    assert rows[0] == "20 added, 1 failed"
    assert rows[1] == "1 in all, 0 embedded, 0 reused, 1 failed"
    assert failure_rows(failures[:1], 1)[0].text.plain == "1 failure"


def test_what_is_left_out_is_grouped_and_adds_up() -> None:
    reasons = {"big.md": "larger than 5 MB", "a/x.md": "a rule", "a/y.md": "a rule"}
    entries = [NoteEntry(path, "ignored", reason) for path, reason in reasons.items()]
    entries += [NoteEntry("blank.md", "empty"), NoteEntry("ok.md", "indexed"), NoteEntry("new.md", "pending", "new")]
    rows = status_rows(replace(STATUS, ignored=3, entries=tuple(entries)), "", NOW)
    lines = [row.lead.plain + row.text.plain for row in rows]
    start = lines.index("3 files ignored")
    assert lines[start + 1 :] == [
        "     2  a rule",
        "        a/x.md",
        "        a/y.md",
        "     1  larger than 5 MB",
        "        big.md",
        "",
        "1 note without text",
        "        blank.md",
    ]


def test_query_terms_leave_out_operators() -> None:
    assert query_terms('link tag:#a -x "블록 링크" OR file:a') == ("link", "링크", "블록")


def test_marks_of_markdown_become_styles() -> None:
    line = inline("a **bold [[note|link]]** `code` ==mark== [x](y) #tag snake_case_name 2 * 3")
    assert line.plain == "a bold link code mark x #tag snake_case_name 2 * 3"
    assert any(str(span.style) == "bold" for span in line.spans)


MARKS = ("[[", "**", "`", "[", "==", "[[a|", "_a", "%%", "$", "#", "![", "~~", "<!--", "](", "$a")


@pytest.mark.parametrize("piece", MARKS)
def test_lines_of_nothing_but_marks_stay_readable(piece: str) -> None:
    # Bounded spans keep this quick; reading it in quadratic time would meet the suite's time limit.
    assert inline(piece * 20_000).plain


def test_a_passage_keeps_line_numbers_and_shows_structure() -> None:
    passage = passage_window(NOTES["Guides/Linking notes.md"], 14, 15)
    shown = {line.number: line.row.lead.plain + line.row.text.plain for line in passage.lines}
    assert shown[5] == "Linking notes"
    assert shown[11].startswith("▌ Block links")
    assert shown[14].startswith("A block can be any paragraph")
    assert shown[17] == "☑ learn about links"
    assert shown[19] == "  • Daily/2024-02-01"
    assert shown[24] == "블록 링크 │ [[Note#^id]]"
    assert shown[27] == "▏ def link(note: str) -> str:"


def test_a_window_that_begins_inside_a_fence_knows_it() -> None:
    text = "```python\n" + "x = '# no heading'\n" * 400 + "```\n# Heading\n"
    passage = passage_window(text, 350, 351)
    assert all(line.row.lead.plain == "▏ " for line in passage.lines if line.number <= 402)
    assert next(line for line in passage.lines if line.number == 403).row.text.plain == "Heading"


@pytest.mark.parametrize("text", ["", "\n", "---", "```", "> [!x", "|", "\r\n\r\n", HOSTILE, "\ufffd\x00"])
def test_any_note_gives_a_passage(text: str) -> None:
    passage = passage_window(text, 7, 3)
    assert passage.lines
    assert "\x1b" not in "".join(line.row.text.plain for line in passage.lines)


@pytest.mark.parametrize(
    ("editor", "expected"),
    [
        ("vim", ["vim", "+3", "/v/n.md"]),
        ("/usr/bin/nvim -p", ["/usr/bin/nvim", "-p", "+3", "/v/n.md"]),
        ("code --wait", ["code", "--wait", "--goto", "/v/n.md:3"]),
        ("hx", ["hx", "/v/n.md:3"]),
        ("emacs -nw", ["emacs", "-nw", "+3", "/v/n.md"]),
        ("unknown", ["unknown", "/v/n.md"]),
    ],
)
def test_editors_get_the_line_their_own_way(editor: str, expected: list[str]) -> None:
    assert editor_command(editor, {}, Path("/v/n.md"), 3) == expected


def test_visual_goes_before_editor_and_the_setting_before_both() -> None:
    environ = {"VISUAL": "hx", "EDITOR": "nano"}
    assert editor_command("", environ, Path("/v/n.md"), 3)[0] == "hx"
    assert editor_command("vi", environ, Path("/v/n.md"), 3)[0] == "vi"
    with pytest.raises(OpenError):
        editor_command('vim "', environ, Path("/v/n.md"), 3)


def test_only_obsidian_links_are_opened() -> None:
    assert opener_command("obsidian://open?vault=a", "linux") == ["xdg-open", "obsidian://open?vault=a"]
    assert opener_command("obsidian://open?vault=a", "darwin") == ["open", "obsidian://open?vault=a"]
    for uri in ("file:///etc/passwd", "https://example.com", "--help", "javascript:x"):
        with pytest.raises(OpenError):
            opener_command(uri, "linux")


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (64, "64"), (0.5, "0.5"), (("a/", "b"), "a/, b"), ("default", "default"), (None, "")],
)
def test_values_come_back_as_they_were(value: object, text: str) -> None:
    assert shown_value(value) == text
    assert parse_value(text, value) == value
