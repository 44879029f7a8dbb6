"""Small panels over a screen: a fault, and the wait for a run that is stopping."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, LoadingIndicator, Static

from obsidian_indexer.tui.rows import DIM, FAINT


class FaultPanel(ModalScreen[None]):
    """Says what went wrong and what to do; any of enter, escape and the button closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "close", "Close")]

    def __init__(self, title: str, message: str) -> None:
        super().__init__()
        self._title_text = title
        self._message = message

    def compose(self) -> ComposeResult:
        """Title, message, button."""
        with Vertical(classes="panel fault"):
            yield Static(Content.styled(self._title_text, "bold $text-error"), markup=False)
            yield Static(Content(self._message), markup=False)
            yield Button("Close", id="close", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close the panel."""
        self.action_close()

    def action_close(self) -> None:
        """Close the panel."""
        self.dismiss(None)


class QuittingPanel(ModalScreen[None]):
    """Shown while the run under way ends; the app exits by itself after that."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q,ctrl+c", "app.quit_now", "Leave at once", priority=True)]

    def compose(self) -> ComposeResult:
        """What happens, and the way out."""
        with Vertical(classes="panel"):
            yield Static(Content.styled("Stopping after this batch…", "bold"), markup=False)
            yield Static(
                Content.styled("What was done is kept; the next run goes on from there.", DIM),
                markup=False,
            )
            yield LoadingIndicator()
            yield Static(Content.styled("ctrl+q leaves at once", FAINT), markup=False)
