"""A piece of styled text that draws only when it changed."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Line(Static):
    """Text that screens set at every tick; the terminal is written to only when it differs."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__("", id=id, classes=classes, markup=False)
        self._shown = Content("")

    def show(self, content: Content) -> None:
        """Show this text."""
        if not content.is_same(self._shown):
            self._shown = content
            # Laying out the whole screen again costs more than all else in a frame; a line of fixed height needs none.
            self.update(content, layout=self.styles.auto_dimensions)
