"""From block tokens to what a note is made of: blocks in reading order, outline, tasks, callouts, block ids.

Each list item is a block of its own (its nested items are others); the blocks of one list share a `group`, as do the
rows of a table. A quote, callout or footnote is one block when it is short and else one block for each part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from markdown_it.token import Token
from markdown_it.utils import EnvType

from obsidian_indexer.records import Block, BlockKind, Callout, Heading, Task
from obsidian_indexer.vault.parse.codeblocks import is_dropped, language_of, mermaid_labels
from obsidian_indexer.vault.parse.inline import Findings, read_inline, tidy
from obsidian_indexer.vault.parse.markdown import parse_blocks
from obsidian_indexer.vault.parse.rules.callouts import callout_head
from obsidian_indexer.vault.parse.rules.html import visible_text
from obsidian_indexer.vault.parse.rules.tasks import task_box
from obsidian_indexer.vault.parse.source import last_written_lines
from obsidian_indexer.vault.parse.state import Context

# A quote, callout or footnote up to this many characters stays one block: about half of a passage.
_MERGE_CHARS = 800

_LONE_ID = re.compile(r"\^([A-Za-z0-9-]+)")
_FRAMES = {
    "blockquote_open": BlockKind.QUOTE,
    "list_item_open": BlockKind.LIST_ITEM,
    "footnote_reference_open": BlockKind.FOOTNOTE,
}


@dataclass(slots=True)
class Body:
    """What the body of a note holds. Lines are 1-based in the file."""

    blocks: list[Block] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    callouts: list[Callout] = field(default_factory=list)
    block_ids: dict[str, tuple[int, int]] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)


@dataclass(slots=True)
class _Frame:
    """A container being walked: a list item, quote, callout or footnote. Lines are 0-based, `end` exclusive."""

    kind: BlockKind | None
    start: int
    end: int
    first_block: int
    group: int
    texts: list[str] = field(default_factory=list)
    text_start: int = -1
    text_end: int = -1
    seen_text: bool = False
    previous: tuple[int, int] | None = None


def read_body(lines: list[str], first_line: int = 1) -> Body:
    """The body of a note: its lines, the first of which is line `first_line` of the file."""
    tokens, environment = parse_blocks("\n".join(lines))
    return _Walker(lines, first_line, environment).walk(tokens)


class _Walker:
    """One pass over the block tokens of a note."""

    def __init__(self, lines: list[str], first_line: int, environment: EnvType) -> None:
        self._lines = lines
        self._written = last_written_lines(lines)
        self._first = first_line
        self._environment = environment
        self._body = Body()
        self._outline: list[tuple[int, str]] = []
        self._path: tuple[str, ...] = ()
        self._frames = [_Frame(None, 0, len(lines), 0, 0)]
        self._ranges: list[tuple[int, int, int]] = []
        self._groups = 0
        self._hidden = 0
        self._header: list[str] | None = None
        self._row: list[str] = []
        self._row_line = 0

    def walk(self, tokens: Sequence[Token]) -> Body:
        """The body that the tokens describe."""
        before = None
        for token in tokens:
            if token.type == "inline":
                self._inline(token, before)
            elif token.nesting > 0:
                self._open(token)
            elif token.nesting < 0:
                self._close(token.type)
            elif not self._hidden:
                self._leaf(token)
            before = token
        return self._body

    # ---- containers

    def _open(self, token: Token) -> None:
        kind = token.type
        if kind == "comment_open":
            self._hidden += 1
        if self._hidden or kind in ("paragraph_open", "heading_open", "th_open", "td_open"):
            return
        start, end = token.map or (0, 0)
        frame = self._frames[-1]
        if kind in ("bullet_list_open", "ordered_list_open", "table_open"):
            self._flush(frame)
            self._ranges.append((start, end, frame.group or self._new_group()))
            self._header = None
        elif kind == "tr_open":
            self._row = []
        elif kind in _FRAMES:
            self._flush(frame)
            group = self._ranges[-1][2] if kind == "list_item_open" else frame.group
            self._frames.append(_Frame(_FRAMES[kind], start, end, len(self._body.blocks), group))

    def _close(self, kind: str) -> None:
        if kind == "comment_close":
            self._hidden -= 1
        elif self._hidden:
            return
        elif kind in ("bullet_list_close", "ordered_list_close", "table_close"):
            start, end, _ = self._ranges.pop()
            self._frames[-1].previous = (start, end)
        elif kind == "tr_close":
            self._close_row()
        elif kind in ("list_item_close", "blockquote_close", "footnote_reference_close"):
            frame = self._frames.pop()
            self._flush(frame)
            if frame.kind is not BlockKind.LIST_ITEM:
                self._merge(frame)
            self._frames[-1].previous = (frame.start, frame.end)

    def _merge(self, frame: _Frame) -> None:
        """Make the parts of a short container one block; join those of a long one in a group."""
        blocks = self._body.blocks
        parts = blocks[frame.first_block :]
        if not parts or frame.kind is None:
            return
        if sum(len(part.embedded_text or part.text) for part in parts) > _MERGE_CHARS:
            group = frame.group or self._new_group()
            blocks[frame.first_block :] = [part if part.group else replace(part, group=group) for part in parts]
            return
        text = "\n".join(part.text for part in parts)
        embedded = "\n".join(part.embedded_text or part.text for part in parts)
        del blocks[frame.first_block :]
        self._emit(frame.kind, text, frame.start, frame.end, embedded, frame.group)

    # ---- leaves

    def _leaf(self, token: Token) -> None:
        kind = token.type
        start, end = token.map or (0, 0)
        frame = self._frames[-1]
        if kind == "deep_text":
            self._add_text(tidy(token.content), start, end)
            return
        self._flush(frame)
        if kind == "fence":
            self._code(language_of(token.info), token.content, start, end)
        elif kind == "code_block":
            self._code("", token.content, start, end)
        elif kind == "html_block":
            self._emit(BlockKind.HTML, visible_text(token.content), start, end, None, frame.group)
        elif kind == "math_block":
            self._emit(BlockKind.MATH, token.content, start, end, None, frame.group)
        frame.previous = (start, end)

    def _code(self, language: str, source: str, start: int, end: int) -> None:
        if is_dropped(language):
            return
        text = mermaid_labels(source) if language == "mermaid" else source.strip("\n")
        embedded = f"{language}\n{text}" if language else None
        self._emit(BlockKind.CODE, text, start, end, embedded, self._frames[-1].group)

    def _close_row(self) -> None:
        cells, line, group = self._row, self._row_line, self._ranges[-1][2]
        text = " | ".join(cell for cell in cells if cell)
        embedded = None
        if self._header is None:
            self._header = cells
        else:
            named = zip(self._header, cells, strict=False)
            embedded = "; ".join(f"{name}: {cell}" if name else cell for name, cell in named if cell)
        self._emit(BlockKind.TABLE_ROW, text, line, line + 1, embedded, group)

    # ---- texts

    def _inline(self, token: Token, before: Token | None) -> None:
        start, end = token.map or (0, 1)
        opener = before.type if before is not None else ""
        if self._hidden:
            self._read(token.content, start, Context.COMMENT)
        elif opener in ("th_open", "td_open"):
            self._cell(token.content, start)
        elif opener == "heading_open":
            self._heading(token.content, int(before.tag[1:]) if before else 1, start, end)
        else:
            self._paragraph(token.content, start, end)

    def _read(self, source: str, line: int, context: Context = Context.TEXT) -> tuple[str, str | None]:
        return read_inline(source, line + self._first, self._environment, self._body.findings, context)

    def _cell(self, source: str, line: int) -> None:
        self._row_line = line
        if not self._row and "|" not in self._lines[line]:
            name = _LONE_ID.fullmatch(source)
            if name:
                table_start, _, _ = self._ranges[-1]
                self._name(name[1], table_start, line)
                source = ""
        self._row.append(self._read(source, line, Context.CELL)[0] if source else "")

    def _heading(self, source: str, level: int, start: int, end: int) -> None:
        text, name = self._read(source, start, Context.HEADING)
        text = text.replace("\n", " ")
        if len(self._frames) > 1:
            self._add_text(text, start, end)
            return
        while self._outline and self._outline[-1][0] >= level:
            self._outline.pop()
        self._outline.append((level, text))
        self._path = tuple(title for _, title in self._outline if title)
        raw = source[: source.rindex("^")].rstrip() if name else source
        self._body.headings.append(Heading(level, text, start + self._first, raw.replace("\n", " ")))
        self._emit(BlockKind.HEADING, text, start, end)
        self._frames[-1].previous = (start, end)
        if name:
            self._name(name, start, end)

    def _paragraph(self, source: str, start: int, end: int) -> None:
        frame = self._frames[-1]
        first = not frame.seen_text
        frame.seen_text = True
        status = None
        if first and frame.kind is BlockKind.LIST_ITEM:
            box = task_box(source, self._lines[start])
            if box is not None:
                status, source = box[0], source[box[1] :]
        elif first and frame.kind is BlockKind.QUOTE and start == frame.start:
            rest = self._callout(source, frame)
            if rest is not None:
                source, start = rest, start + 1
                if not source:
                    return
        text, name = self._read(source, start)
        if status is not None:
            self._body.tasks.append(Task(status, text.replace("\n", " "), start + self._first))
        if name:
            if first and frame.kind is BlockKind.LIST_ITEM:
                self._name(name, frame.start, frame.end)
            elif text:
                self._name(name, start, end)
            elif frame.previous is not None:
                self._name(name, *frame.previous)
                return
        self._add_text(text, start, end)

    def _callout(self, source: str, frame: _Frame) -> str | None:
        """Read a callout's head, if the quote has one, and return the text below it."""
        head = callout_head(source)
        if head is None:
            return None
        title, name = self._read(head.title, frame.start, Context.HEADING)
        frame.kind = BlockKind.CALLOUT
        self._body.callouts.append(Callout(head.type, title or head.type, frame.start + self._first))
        if name:
            self._name(name, frame.start, frame.end)
        if title:
            frame.texts.append(title)
            frame.text_start, frame.text_end = frame.start, frame.start + 1
        return source[head.length + 1 :]

    # ---- what comes out

    def _add_text(self, text: str, start: int, end: int) -> None:
        """Text of the innermost container: a list item collects its paragraphs, others give each its own block."""
        frame = self._frames[-1]
        frame.previous = (start, end)
        if not text:
            return
        if not frame.texts:
            frame.text_start = start
        frame.texts.append(text)
        frame.text_end = end
        if frame.kind is not BlockKind.LIST_ITEM:
            self._flush(frame)

    def _flush(self, frame: _Frame) -> None:
        if frame.texts:
            kind = frame.kind or BlockKind.PARAGRAPH
            self._emit(kind, "\n".join(frame.texts), frame.text_start, frame.text_end, None, frame.group)
            frame.texts.clear()

    def _emit(
        self, kind: BlockKind, text: str, start: int, end: int, embedded: str | None = None, group: int = 0
    ) -> None:
        if text.strip():
            first, last = self._lines_of(start, end)
            embedded = None if embedded == text else embedded
            self._body.blocks.append(Block(kind, text, first, last, self._path, embedded, group))

    def _name(self, name: str, start: int, end: int) -> None:
        self._body.block_ids.setdefault(name, self._lines_of(start, end))

    def _lines_of(self, start: int, end: int) -> tuple[int, int]:
        """The file's lines, both included, of a token's rows, without the blank ones at the end."""
        last = self._written[min(end, len(self._lines)) - 1] if end > 0 else start
        return start + self._first, max(start, last) + self._first

    def _new_group(self) -> int:
        self._groups += 1
        return self._groups
