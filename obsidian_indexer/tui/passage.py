"""A window of a note around a passage, line by line as a reader likes to see it.

Source lines keep their numbers, so the passage can be marked exactly; what Markdown's marks mean is shown by style.
Only the window is looked at, so the size of the note does not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from obsidian_indexer.sanitize import clean_block, clean_line
from obsidian_indexer.tui.prose import inline
from obsidian_indexer.tui.rows import DIM, FAINT, Row

LINES_BEFORE = 150
LINES_AFTER = 250
# One source line can hold a whole note; beyond this a reader has seen enough of it.
LINE_CHARS = 2_000
TABLE_CELL_CELLS = 28

FENCE = re.compile(r"^\s{0,12}(?:>\s?)*\s{0,12}(`{3,}|~{3,})\s*([\w+#.-]*)")
HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$")
ITEM = re.compile(r"^(\s*)(?:([-*+])|(\d{1,9})[.)])\s+(?:\[(.)\]\s+)?(.*)$")
QUOTE = re.compile(r"^\s{0,3}((?:>\s?)+)(.*)$")
CALLOUT = re.compile(r"^\[!([^\]|]{1,40})(?:\|[^\]]*)?\][+-]?\s*(.*)$")
RULE = re.compile(r"^ {0,3}([-*_])(?:\s*\1){2,}\s*$")
DELIMITER_ROW = re.compile(r"^\s*\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?)?\s*$")
CALLOUT_STYLES = {
    **dict.fromkeys(("tip", "success", "check", "done", "hint", "example"), "$text-success"),
    **dict.fromkeys(("warning", "caution", "attention", "question", "help", "faq"), "$text-warning"),
    **dict.fromkeys(("failure", "fail", "missing", "danger", "error", "bug"), "$text-error"),
}
HEADING_STYLES = ("bold underline $text-primary", "bold $text-primary", "bold $text-secondary")


@dataclass(frozen=True, slots=True)
class PassageLine:
    """One source line of a note, by its number in the file."""

    number: int
    row: Row


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive lines of a note; those from `start` to `end` are the passage itself. `total` counts the note's."""

    lines: tuple[PassageLine, ...]
    start: int
    end: int
    total: int


def passage_window(text: str, start: int, end: int) -> Passage:
    """The lines around `start` to `end` (1-based, both included) of a note's text, styled."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    total = len(lines)
    start = min(max(1, start), total)
    end = min(max(start, end), total)
    first = max(1, start - LINES_BEFORE)
    last = min(total, end + LINES_AFTER, first + LINES_BEFORE + LINES_AFTER * 2)
    window = [_clean(line) for line in lines[first - 1 : last]]
    reader = _LineReader(fence=_open_fence(lines, first - 1), front_matter=_in_front_matter(lines, first - 1))
    widths = _table_widths(window)
    styled = [
        PassageLine(first + offset, reader.read(first + offset, line, widths.get(offset)))
        for offset, line in enumerate(window)
    ]
    return Passage(tuple(styled), start, end, total)


def _clean(line: str) -> str:
    cut = line if len(line) <= LINE_CHARS else line[:LINE_CHARS] + " …"
    return clean_block(cut).replace("\n", " ").expandtabs(4)


def _open_fence(lines: list[str], before: int) -> str:
    """The fence that is open before that line, or an empty string."""
    fence = ""
    for line in lines[:before]:
        head = line[:200].lstrip(" >\t")
        if not head.startswith(("```", "~~~")):
            continue
        mark = head[0] * (len(head) - len(head.lstrip(head[0])))
        if not fence:
            fence = mark
        elif mark.startswith(fence) and not head.strip(mark[0]).strip():
            fence = ""
    return fence


def _in_front_matter(lines: list[str], before: int) -> bool:
    if lines[0].rstrip() != "---":
        return False
    return not any(line.rstrip() == "---" for line in lines[1:before])


def _table_widths(window: list[str]) -> dict[int, list[int]]:
    """For each row of a table, by its place in the window, the widths of the table's columns in cells."""
    widths: dict[int, list[int]] = {}
    at = 1
    while at < len(window):
        if not (DELIMITER_ROW.match(window[at]) and "|" in window[at - 1]):
            at += 1
            continue
        stop = at + 1
        while stop < len(window) and "|" in window[stop]:
            stop += 1
        columns: list[int] = []
        for row in [at - 1, *range(at + 1, stop)]:
            for column, cell in enumerate(_cells(window[row])):
                size = min(TABLE_CELL_CELLS, inline(cell).cell_length)
                if column == len(columns):
                    columns.append(size)
                else:
                    columns[column] = max(columns[column], size)
        widths.update(dict.fromkeys(range(at - 1, stop), columns))
        at = stop
    return widths


def _cells(row: str) -> list[str]:
    """The cells of a table row; a bar after a backslash or in a wiki link does not part cells."""
    parts: list[str] = [""]
    depth = 0
    escaped = False
    body = row.strip().removeprefix("|").removesuffix("|")
    for at, char in enumerate(body):
        if char == "|" and not escaped and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
        if body.startswith("[[", at):
            depth = 1
        elif body.startswith("]]", at):
            depth = 0
        escaped = char == "\\" and not escaped
    return [part.strip().replace("\\|", "|") for part in parts]


@dataclass(slots=True)
class _LineReader:
    """Reads source lines in order; remembers whether they are inside a fence, front matter or a formula."""

    fence: str
    front_matter: bool
    formula: bool = False
    comment: bool = False
    callout_style: str = ""

    def read(self, number: int, line: str, columns: list[int] | None) -> Row:
        """The styled line."""
        blank = Content("")
        if number == 1 and line.rstrip() == "---":
            self.front_matter = True
            return Row(blank, Content.styled(line, FAINT))
        if self.front_matter:
            self.front_matter = line.rstrip() not in {"---", "..."}
            return Row(blank, _front_matter(line))
        if self.fence or FENCE.match(line):
            return self._code(line)
        if line.strip() == "$$" or self.formula:
            self.formula = not self.formula if line.strip() == "$$" else self.formula
            return Row(Content.styled("│ ", FAINT), Content.styled(line, "$text-success"), True)
        if line.strip() == "%%" or self.comment:
            self.comment = not self.comment if line.strip() == "%%" else self.comment
            return Row(blank, Content.styled(line, f"{FAINT} italic"))
        if columns is not None:
            return Row(blank, _table_row(line, columns))
        return self._block(line)

    def _code(self, line: str) -> Row:
        lead = Content.styled("▏ ", FAINT)
        fence = FENCE.match(line)
        if not self.fence and fence is not None:
            self.fence = fence.group(1)
            return Row(lead, Content.styled(fence.group(2) or " ", f"{FAINT} italic"), True)
        if fence is not None and fence.group(1).startswith(self.fence) and not fence.group(2):
            self.fence = ""
            return Row(lead, Content(""), True)
        return Row(lead, Content.styled(line, "$text-success"), True)

    def _block(self, line: str) -> Row:
        if heading := HEADING.match(line):
            style = HEADING_STYLES[min(len(heading.group(1)), len(HEADING_STYLES)) - 1]
            return Row(Content(""), inline(heading.group(2), style))
        if RULE.match(line):
            return Row(Content(""), Content.styled("─" * 24, FAINT))
        if quote := QUOTE.match(line):
            return self._quote(quote.group(1), quote.group(2))
        self.callout_style = ""
        if item := ITEM.match(line):
            return _list_item(item)
        lead = Content(" " * min(12, len(line) - len(line.lstrip())))
        return Row(lead, inline(line.strip()))

    def _quote(self, marks: str, rest: str) -> Row:
        depth = marks.count(">")
        if callout := CALLOUT.match(rest):
            kind = clean_line(callout.group(1)).lower()
            self.callout_style = CALLOUT_STYLES.get(kind, "$text-accent")
            title = callout.group(2) or kind.capitalize()
            lead = Content.styled("▌ " * depth, self.callout_style)
            return Row(lead, inline(title, f"bold {self.callout_style}"), True)
        lead = Content.styled("▌ " * depth, self.callout_style or FAINT)
        if item := ITEM.match(rest):
            inner = _list_item(item)
            return Row(lead, Content.assemble(inner.lead, inner.text), True)
        return Row(lead, inline(rest, "" if self.callout_style else DIM), True)


def _list_item(item: re.Match[str]) -> Row:
    indent, bullet, ordinal, status, rest = item.groups()
    style = ""
    if status is not None:
        done = status in "xX"
        mark = Content.styled(
            "☑ " if done else "☐ " if status == " " else f"[{status}] ", "$text-success" if done else "$text-accent"
        )
        style = DIM if done else ""
    elif bullet is not None:
        mark = Content.styled("• ", "$text-accent")
    else:
        mark = Content.styled(f"{ordinal}. ", "$text-accent")
    return Row(Content.assemble(" " * min(16, len(indent)), mark), inline(rest, style))


def _front_matter(line: str) -> Content:
    key, colon, value = line.partition(":")
    if colon and key.strip() and not key.startswith((" ", "-", "#")):
        return Content.assemble((key + ":", "$text-secondary"), (value, DIM))
    return Content.styled(line, DIM)


def _table_row(line: str, columns: list[int]) -> Content:
    if DELIMITER_ROW.match(line):
        return Content.styled("─┼─".join("─" * width for width in columns), FAINT)
    pieces: list[Content] = []
    for cell, width in zip(_cells(line), columns, strict=False):
        shown = inline(cell).truncate(width, ellipsis=True)
        pieces.append(shown.pad_right(width - cell_len(shown.plain)))
    return Content.styled(" │ ", FAINT).join(pieces)
