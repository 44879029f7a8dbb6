"""The health of the index on one page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.reports import status_rows
from obsidian_indexer.tui.rows import DIM, plain
from obsidian_indexer.tui.runs import Phase
from obsidian_indexer.tui.screens.base import BaseScreen
from obsidian_indexer.tui.widgets.page import Page
from obsidian_indexer.tui.work import start


class StatusScreen(BaseScreen):
    """Counts, model, store, failures and what is left out; asked for again each time the screen opens."""

    HEADING = "Status"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "refresh", "Refresh")]

    def body(self) -> Iterable[Widget]:
        """One scrollable text."""
        yield Page(id="status-body")

    def opened(self) -> None:
        """Ask for the health each time the screen opens."""
        self.action_refresh()

    def action_refresh(self) -> None:
        """Ask for the health again."""
        if self.bridge.phase is Phase.READY:
            start(self, self._ask, "status")

    async def _ask(self) -> None:
        await self.bridge.refresh_status(notes=True)

    def tick(self) -> None:
        """Draw the health as last told."""
        bridge = self.bridge
        if bridge.status is None:
            waiting = bridge.failure if bridge.phase is Phase.FAILED else "Opening the index…"
            rows = [plain(clean_line(waiting or ""), DIM)]
        else:
            rows = status_rows(bridge.status, bridge.model_line, bridge.now())
        self.query_one(Page).show(rows)
