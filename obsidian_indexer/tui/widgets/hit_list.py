"""The list of search results."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from obsidian_indexer.records import Hit
from obsidian_indexer.tui.text import hit_row


class HitList(OptionList):
    """Results as rows of four lines; drawn again when the width changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open"),
        Binding("s", "screen.similar", "Similar"),
        Binding("h", "screen.hide_linked", "Hide linked", show=False),
        Binding("x", "screen.explain", "Why", show=False),
        # The key help names the screen's own key for it.
        Binding("e", "screen.edit", "Edit", show=False),
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("slash", "screen.focus_query", "Query", show=False),
    ]

    class LeftAtTop(Message):
        """The reader moved up from the first row."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id, markup=False)
        self._hits: tuple[Hit, ...] = ()
        self._terms: tuple[str, ...] = ()
        self._drawn_width = 0

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The results shown, best first."""
        return self._hits

    @property
    def selected(self) -> Hit | None:
        """The highlighted result."""
        at = self.highlighted
        return self._hits[at] if at is not None and at < len(self._hits) else None

    def show(self, hits: tuple[Hit, ...], terms: tuple[str, ...], at: Hit | None = None) -> None:
        """Replace the results and highlight `at`; without it the passage that was stays highlighted if it is there."""
        kept = at or self.selected
        moved = at is not None or self.highlighted not in (None, 0)
        self._hits, self._terms = hits, terms
        self._draw()
        if not hits:
            return
        same = next((row for row, hit in enumerate(hits) if kept is not None and _place(hit) == _place(kept)), 0)
        # A reader who never moved wants the best result, whichever it is now.
        self.highlighted = same if moved else 0
        # Rows that were just set have no height yet, so the highlighted one is brought into view after the layout.
        self.call_after_refresh(self.scroll_to_highlight)

    def on_resize(self, event: events.Resize) -> None:
        """Rows are cut to the width, so a new width needs new rows."""
        if self._row_width() != self._drawn_width:
            at = self.highlighted
            self._draw()
            self.highlighted = at

    def action_cursor_up(self) -> None:
        """One row up; from the first row, out of the list."""
        if self.highlighted in (None, 0):
            self.post_message(self.LeftAtTop())
        else:
            super().action_cursor_up()

    def action_cursor_down(self) -> None:
        """One row down, not around the end."""
        if self.highlighted is None or self.highlighted < self.option_count - 1:
            super().action_cursor_down()

    def _row_width(self) -> int:
        return max(12, self.size.width - self.styles.scrollbar_size_vertical - 2)

    def _draw(self) -> None:
        self._drawn_width = self._row_width()
        best = max((hit.score for hit in self._hits), default=0.0)
        rows = [hit_row(hit, best, self._terms, self._drawn_width) for hit in self._hits]
        self.set_options(
            Option(row if at == len(rows) - 1 else Content.assemble(row, "\n")) for at, row in enumerate(rows)
        )


def _place(hit: Hit) -> tuple[str, int]:
    return hit.path, hit.start_line
