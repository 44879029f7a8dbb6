"""The line at the top of every screen: which vault, which screen, and what runs in the background."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from obsidian_indexer.tui.text import spread


class TopBar(Static):
    """One line; the left side names the place, the right side the activity."""

    def __init__(self, heading: str) -> None:
        super().__init__("", markup=False)
        self._heading = heading
        self._shown: tuple[str, str, int] | None = None

    def show(self, vault: str, activity: str) -> None:
        """Show a vault name and an activity, both clean."""
        width = self.content_size.width
        state = (vault, activity, width)
        if state == self._shown or width <= 0:
            return
        self._shown = state
        parts: list[Content | str] = []
        if vault:
            parts += [Content.styled(vault, "$foreground 62%"), Content.styled("  ›  ", "$foreground 40%")]
        left = Content.assemble(*parts, Content.styled(self._heading, "bold"))
        if activity and left.cell_length + len(activity) + 2 > width:
            left = Content.styled(self._heading, "bold")
        self.update(spread(left, Content.styled(activity, "$text-accent"), width))
