"""A scrollable page of rows, wrapped to its width."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from obsidian_indexer.tui.rows import Row, page


class Page(VerticalScroll):
    """Shows rows; draws only when they or the width changed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._rows: Sequence[Row] = ()
        self._drawn: tuple[Sequence[Row], int] | None = None
        self._at_end = True
        self._body = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """One static holds all rows."""
        yield self._body

    def show(self, rows: Sequence[Row], *, follow: bool = False) -> None:
        """Replace the rows; with `follow`, a reader who is at the end stays at the end."""
        self._rows = rows
        if self._draw() and follow and (self._at_end or self.is_vertical_scroll_end):
            # The new height is known only after the layout that this update asks for.
            self.call_after_refresh(self.scroll_end, animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Note whether the reader is at the end: asked as the reader moves, since rows added below move nobody."""
        super().watch_scroll_y(old_value, new_value)
        self._at_end = self.is_vertical_scroll_end

    def on_resize(self, event: events.Resize) -> None:
        """Wrap again at the new width."""
        self._draw()

    def _draw(self) -> bool:
        width = self.size.width - self.styles.scrollbar_size_vertical
        if width <= 0 or self._drawn == (self._rows, width):
            return False
        self._drawn = (self._rows, width)
        self._body.update(page(self._rows, width))
        return True
