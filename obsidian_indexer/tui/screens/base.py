"""What all screens share: the frame, the clock that draws progress, and where a worker's fault goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Footer
from textual.worker import Worker, WorkerState

from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from obsidian_indexer.tui.app import IndexerApp
    from obsidian_indexer.tui.bridge import Bridge


class BaseScreen(Screen[None]):
    """A screen with a top line, a body and the key help; `tick` draws what changed."""

    HEADING: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Menu")]

    def __init__(self) -> None:
        super().__init__()
        self._offered: object = None
        self._covered = False
        self._clock: Timer | None = None

    @property
    def indexer(self) -> IndexerApp:
        """The app, by its own type."""
        return cast("IndexerApp", self.app)

    @property
    def bridge(self) -> Bridge:
        """The way to the engine."""
        return self.indexer.bridge

    def body(self) -> Iterable[Widget]:
        """The widgets between the top line and the key help."""
        return ()

    def compose(self) -> ComposeResult:
        """Top line, body, key help."""
        yield TopBar(self.HEADING)
        yield from self.body()
        yield Footer()

    def on_mount(self) -> None:
        """Start the clock; the rate is known, and may change, when the index has been opened under its settings."""
        self.watch(self.indexer, "refresh_hz", self._set_clock)

    def _set_clock(self, refresh_hz: float) -> None:
        if self._clock is not None:
            self._clock.stop()
        self._clock = self.set_interval(1 / refresh_hz, self._on_clock)

    def on_screen_suspend(self) -> None:
        """Remember whether a panel took the front, or another screen."""
        self._covered = isinstance(self.app.screen, ModalScreen)

    def on_screen_resume(self) -> None:
        """Draw at once when the screen comes to the front."""
        self.call_after_refresh(self._on_clock)
        # A panel that was closed must not repeat the request whose fault it showed.
        if not self._covered:
            self.opened()
        self._covered = False

    def opened(self) -> None:
        """The reader came here from another screen."""

    def on_resize(self) -> None:
        """Draw again at the new size."""
        self.call_after_refresh(self._on_clock)

    def tick(self) -> None:
        """Draw what changed since the last tick; called at the refresh rate while the screen is in front."""

    def offered(self) -> object:
        """What decides which keys are offered; when it changes, the key help is drawn again."""
        return None

    def action_back(self) -> None:
        """Return to the menu; what runs keeps running."""
        self.app.pop_screen()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that failed shows a panel; the app lives on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.indexer.show_fault(event.worker.error)

    def _on_clock(self) -> None:
        if not self._seen() or not self.is_mounted:
            return
        options = self.bridge.options
        vault = clean_line(options.vault_path.name) if options is not None else ""
        self.query_one(TopBar).show_place(vault, self.indexer.activity_for(self))
        self.tick()
        offered = self.offered()
        if offered != self._offered:
            self._offered = offered
            # This builds the key help anew, so it must not happen at every tick.
            self.refresh_bindings()

    def _seen(self) -> bool:
        """Whether it is in front, or under panels only.

        Textual takes every screen below the front one for visible, and draws all of the front one again for it.
        """
        above = self.app.screen_stack
        while above:
            screen = above.pop()
            if screen is self:
                return True
            if not isinstance(screen, ModalScreen):
                return False
        return False
