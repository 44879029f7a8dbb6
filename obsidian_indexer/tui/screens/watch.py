"""The watcher: its state, and a live log of what it took up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button

from obsidian_indexer.events import WatchState
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.rows import DIM, Row
from obsidian_indexer.tui.runs import Phase, WatchRun
from obsidian_indexer.tui.screens.base import BaseScreen
from obsidian_indexer.tui.text import activity, event_row
from obsidian_indexer.tui.widgets.line import Line
from obsidian_indexer.tui.widgets.page import Page

STATE_TEXT = {
    WatchState.STARTING: ("◌", "Starting: bringing the index up to date", "$text-warning"),
    WatchState.LIVE: ("●", "Live: changes are taken up as they are saved", "$text-success"),
    WatchState.POLLING: ("●", "Polling: the folder is compared every few seconds", "$text-success"),
    WatchState.PAUSED: ("◌", "Paused", "$text-warning"),
    WatchState.STOPPED: ("○", "Stopped", DIM),
}
ROWS_SHOWN = 500


class WatchScreen(BaseScreen):
    """Start and stop, the state in a line, the log below; watching goes on when the screen is left."""

    HEADING = "Watch"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "Start"),
        Binding("p", "pause", "Pause"),
        Binding("p", "go_on", "Continue"),
        Binding("x", "stop", "Stop"),
        Binding("l", "clear", "Clear log"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._last_entry = 0
        self._rows: deque[Row] = deque(maxlen=ROWS_SHOWN)

    def body(self) -> Iterable[Widget]:
        """Buttons, state, log."""
        with Vertical(id="watch-body"):
            with Horizontal(id="watch-buttons"):
                yield Button("Start", id="start", variant="primary", compact=True)
                yield Button("Pause", id="pause", compact=True)
                yield Button("Stop", id="stop", compact=True)
            yield Line(id="watch-state")
            yield Page(id="watch-log")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The buttons do what their keys do."""
        match event.button.id:
            case "start":
                self.action_start()
            case "pause":
                self.action_go_on() if self._paused() else self.action_pause()
            case "stop":
                self.action_stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is possible now is offered."""
        match action:
            case "start":
                return not self.bridge.watch_on
            case "stop":
                return self.bridge.watch_on
            case "pause":
                return self.bridge.watch_on and not self._paused()
            case "go_on":
                return self._paused()
        return True

    def action_start(self) -> None:
        """Begin to follow the disk."""
        self.indexer.start_watch()

    def action_stop(self) -> None:
        """Stop following the disk after the batch under way."""
        if self.bridge.watching is not None:
            self.bridge.watching.cancel.cancel()

    def action_pause(self) -> None:
        """Let indexing rest after the batch under way; changes are noticed and kept for later."""
        if self.bridge.watching is not None:
            self.bridge.watching.pause.pause()

    def action_go_on(self) -> None:
        """Take up what was kept."""
        if self.bridge.watching is not None:
            self.bridge.watching.pause.resume()

    def _paused(self) -> bool:
        return self.bridge.watch_on and self.bridge.watching is not None and self.bridge.watching.pause.paused

    def action_clear(self) -> None:
        """Empty the log on the screen."""
        self._rows.clear()
        self.query_one(Page).show(())

    def offered(self) -> object:
        """The keys depend on what is under way."""
        return self.bridge.watch_on, self._paused()

    def tick(self) -> None:
        """Draw the state and the entries that came since."""
        bridge = self.bridge
        self.query_one("#start", Button).disabled = bridge.watch_on or bridge.phase is not Phase.READY
        pause = self.query_one("#pause", Button)
        pause.label = Content("Continue" if self._paused() else "Pause")
        pause.disabled = self.query_one("#stop", Button).disabled = not bridge.watch_on
        self.query_one("#watch-state", Line).show(_state(bridge.watching))
        self._draw_log()

    def _draw_log(self) -> None:
        entries = self.bridge.log_since(self._last_entry)
        if not entries:
            return
        self._last_entry = entries[-1].number
        self._rows.extend(event_row(entry.event, f"{entry.at:%H:%M:%S}") for entry in entries)
        self.query_one(Page).show(tuple(self._rows), follow=True)


def _state(watching: WatchRun | None) -> Content:
    if watching is None:
        return Content.styled("○ Off. Start it to keep the index live while you write.", DIM)
    if watching.error is not None:
        return Content.styled(f"○ {clean_line(watching.error)}", "$text-error")
    if watching.cancel.cancelled and not watching.finished:
        return Content.styled("◌ Stopping after this batch…", "$text-warning")
    if watching.pause.paused and not watching.finished:
        reason = f" {clean_line(watching.pause.reason)}" if watching.pause.reason else ""
        return Content.styled(f"◌ Paused{reason} – changes wait until p continues", "$text-warning")
    mark, meaning, style = STATE_TEXT[watching.state]
    reason = f" – {clean_line(watching.reason)}" if watching.reason else ""
    line = Content.assemble(Content.styled(f"{mark} ", style), meaning + reason)
    if watching.finished:
        return line
    if watching.state is WatchState.STARTING:
        return Content.assemble(line, Content.styled(f" · {activity(watching.progress.snapshot())}", DIM))
    return Content.assemble(line, Content.styled(f" · since {watching.since:%H:%M}", DIM))
