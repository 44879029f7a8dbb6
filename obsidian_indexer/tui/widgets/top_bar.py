"""The line at the top of every screen: which vault, which screen, and what runs in the background."""

from __future__ import annotations

from textual.content import Content

from obsidian_indexer.tui.rows import DIM, FAINT, spread
from obsidian_indexer.tui.widgets.line import Line


class TopBar(Line):
    """One line; the left side names the place, the right side the activity."""

    def __init__(self, heading: str) -> None:
        super().__init__()
        self._heading = heading

    def show_place(self, vault: str, activity: str) -> None:
        """Show a vault name and an activity, both clean."""
        width = self.content_size.width
        if width <= 0:
            return
        parts: list[Content | str] = []
        if vault:
            parts += [Content.styled(vault, DIM), Content.styled("  ›  ", FAINT)]
        left = Content.assemble(*parts, Content.styled(self._heading, "bold"))
        if activity and left.cell_length + len(activity) + 2 > width:
            left = Content.styled(self._heading, "bold")
        self.show(spread(left, Content.styled(activity, "$text-accent"), width))
