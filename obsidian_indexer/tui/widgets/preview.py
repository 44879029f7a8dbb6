"""Shows a note around a passage, scrolled to it, with the passage's lines marked."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from obsidian_indexer.tui.passage import Passage
from obsidian_indexer.tui.rows import DIM, flow

MARK = "▎"
# Rows of context that stay visible above the passage.
CONTEXT_ROWS = 2


class Preview(VerticalScroll):
    """A scrollable window of a note; lines are wrapped here so that the passage's first row is known."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._passage: Passage | None = None
        self._body = Static("", markup=False)
        self._width = 0
        self.mark_row = 0
        self.mark_rows = 0

    def compose(self) -> ComposeResult:
        """One static holds all rows."""
        yield self._body

    def show(self, passage: Passage) -> None:
        """Show a window of a note and scroll to its passage."""
        self._passage = passage
        self._flow()

    def show_message(self, message: str) -> None:
        """Show one plain sentence instead of a note."""
        self._passage = None
        self._body.update(Content.styled(message, DIM))
        self.scroll_home(animate=False)

    def on_resize(self, event: events.Resize) -> None:
        """Wrap again when the width changed."""
        if self._passage is not None and self._wrap_width() != self._width:
            self._flow()

    def _wrap_width(self) -> int:
        return max(8, self.scrollable_content_region.width - self.styles.scrollbar_size_vertical)

    def _flow(self) -> None:
        passage = self._passage
        if passage is None or self.size.width == 0:
            return
        self._width = self._wrap_width()
        rows: list[Content] = []
        self.mark_row = 0
        self.mark_rows = 0
        for line in passage.lines:
            marked = passage.start <= line.number <= passage.end
            if line.number == passage.start:
                self.mark_row = len(rows)
            wrapped = flow(line.row, self._width - 2)
            if marked:
                self.mark_rows += len(wrapped)
            rows += [_marked(row, self._width) if marked else Content.assemble("  ", row) for row in wrapped]
        self._body.update(Content("\n").join(rows))
        # The new height is known only after the layout that this update asks for.
        self.call_after_refresh(self._scroll_to_mark)

    def _scroll_to_mark(self) -> None:
        context = CONTEXT_ROWS if self.size.height > 3 * CONTEXT_ROWS else 0
        self.scroll_to(y=max(0, self.mark_row - context), animate=False, immediate=True)


def _marked(row: Content, width: int) -> Content:
    line = Content.assemble(Content.styled(f"{MARK} ", "$accent"), row)
    return line.pad_right(max(0, width - line.cell_length)).stylize_before("on $accent 12%")
