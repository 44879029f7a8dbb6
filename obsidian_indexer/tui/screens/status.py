"""The health of the index on one page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from obsidian_indexer.tui.bridge import Phase
from obsidian_indexer.tui.reports import status_lines
from obsidian_indexer.tui.screens.base import BaseScreen


class StatusScreen(BaseScreen):
    """Counts, model, store, failures and what is left out; asked for again each time the screen opens."""

    HEADING = "Status"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "refresh", "Refresh")]

    def body(self) -> Iterable[Widget]:
        """One scrollable text."""
        with VerticalScroll(id="status-body"):
            yield Static("", id="status-text", markup=False)

    def on_screen_resume(self) -> None:
        """Ask for the health when the screen comes to the front."""
        super().on_screen_resume()
        self.action_refresh()

    def action_refresh(self) -> None:
        """Ask for the health again."""
        if self.bridge.phase is Phase.READY:
            self.run_worker(self._ask, group="status", exclusive=True, exit_on_error=False)

    async def _ask(self) -> None:
        await self.bridge.refresh_status(notes=True)

    def tick(self) -> None:
        """Draw the health as last told."""
        bridge = self.bridge
        text = self.query_one("#status-text", Static)
        if bridge.status is None:
            waiting = bridge.failure if bridge.phase is Phase.FAILED else "Opening the index…"
            text.update(Content.styled(waiting or "", "$foreground 62%"))
        else:
            text.update(Content("\n").join(status_lines(bridge.status, bridge.model_line)))
