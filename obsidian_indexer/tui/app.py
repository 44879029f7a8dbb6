"""The terminal app: wires screens, bridge and terminal together."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.reactive import var
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import Worker, WorkerState

from obsidian_indexer.errors import ConfigError, IndexerError
from obsidian_indexer.options import Options, SettingRow
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.bridge import Bridge
from obsidian_indexer.tui.opening import open_in_obsidian, run_editor
from obsidian_indexer.tui.picture import picture_path, shown_path, write_picture
from obsidian_indexer.tui.runs import Phase, Warmth
from obsidian_indexer.tui.screens.index import IndexScreen
from obsidian_indexer.tui.screens.menu import MenuScreen
from obsidian_indexer.tui.screens.panels import FaultPanel, QuittingPanel
from obsidian_indexer.tui.screens.search import SearchScreen
from obsidian_indexer.tui.screens.settings import SettingsScreen
from obsidian_indexer.tui.screens.status import StatusScreen
from obsidian_indexer.tui.screens.tune import TuneScreen
from obsidian_indexer.tui.screens.watch import WatchScreen
from obsidian_indexer.tui.text import activity
from obsidian_indexer.tui.work import start as start_work
from obsidian_indexer.tuning import KeptSettings, RestoredSettings

NOT_OPENED_CODE = 2
INTERRUPTED_CODE = 130
# A signal that came while the loop stood still is heard within this time after it goes on.
LENT_S = 0.5

log = logging.getLogger(__name__)


def refuse_to_keep(values: Mapping[str, object]) -> KeptSettings:
    """For an app without a settings file."""
    raise ConfigError("There is no settings file to keep this in.")


def refuse_to_restore() -> RestoredSettings:
    """For an app without a settings file."""
    raise ConfigError("There are no settings to restore.")


class IndexerApp(App[int]):
    """Screens over one bridge. `on_ready` is called with the options once the index is open."""

    CSS_PATH = "app.tcss"
    TITLE = "Obsidian Indexer"
    # Textual declares these two as instance attributes, so they cannot be class variables here.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-medium"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-middle"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
        # The key help shows this one at its right end.
        Binding("ctrl+p", "command_palette", "Commands", show=False, priority=True),
    ]
    SCREENS: ClassVar[dict[str, Callable[[], Screen[None]]]] = {
        "index": IndexScreen,
        "search": SearchScreen,
        "watch": WatchScreen,
        "status": StatusScreen,
        "settings": SettingsScreen,
        "tune": TuneScreen,
    }

    refresh_hz: var[float] = var(10.0)

    def __init__(
        self,
        bridge: Bridge,
        *,
        settings_view: Callable[[], Sequence[SettingRow]],
        save_setting: Callable[[str, str, object], None],
        keep_tuned: Callable[[Mapping[str, object]], KeptSettings] = refuse_to_keep,
        restore_tuned: Callable[[], RestoredSettings] = refuse_to_restore,
        on_ready: Callable[[Options], None] = lambda options: None,
        open_link: Callable[[str], None] = open_in_obsidian,
        edit_file: Callable[[list[str]], None] = run_editor,
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.settings_view = settings_view
        self.save_setting = save_setting
        self.keep_tuned = keep_tuned
        self.restore_tuned = restore_tuned
        self.open_link = open_link
        self.edit_file = edit_file
        self.left_running = False
        self.interrupted = False
        self._on_ready = on_ready
        self._kept_theme = self.theme
        # While an editor has the terminal, and for a moment after, ctrl+c there is meant for the editor.
        self._lent = False

    # ---- life cycle

    def get_default_screen(self) -> Screen[None]:
        """The menu lies under every other screen."""
        return MenuScreen()

    def on_mount(self) -> None:
        """Draw first, open the index afterwards."""
        self.set_interval(0.5, self._housekeeping)
        self.theme_changed_signal.subscribe(self, self._theme_chosen)
        if sys.platform != "win32":
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                loop.add_signal_handler(number, self._interrupted, number)
        self.call_after_refresh(self.start)

    def start(self) -> None:
        """Open the index, then load the model, in the background."""
        self.bridge.phase, self.bridge.failure = Phase.OPENING, None
        start_work(self, self._open, "engine")

    def reload_settings(self) -> str:
        """Open the index again under changed settings, after a run under way; returns a sentence on when, or none."""
        if self.bridge.busy:
            self.bridge.reload_due = True
            if self.bridge.watch_on:
                return "It takes effect when the watch is stopped."
            if self.bridge.tuning:
                return "It takes effect when the tuning run has ended."
            return "It takes effect when the index run has ended."
        start_work(self, self._open, "engine")
        return ""

    async def _open(self) -> None:
        try:
            await self.bridge.open()
        except IndexerError as error:
            # The menu shows the reason for as long as it lasts; other faults get a panel.
            log.warning("the index could not be opened: %s", type(error).__name__)
            return
        options = self.bridge.options
        if options is None:
            return
        self._on_ready(options)
        self.refresh_hz = options.ui.refresh_hz
        if options.ui.theme in self.available_themes:
            self._kept_theme = self.theme = options.ui.theme
        await self.bridge.refresh_status()
        await self.bridge.warm()
        await self.bridge.refresh_status()

    def _housekeeping(self) -> None:
        """Take up what threads left to be done."""
        bridge = self.bridge
        if bridge.reload_due and not bridge.busy:
            bridge.reload_due = False
            start_work(self, self._open, "engine")
        elif bridge.status_due and bridge.phase is Phase.READY:
            start_work(self, bridge.refresh_status, "status")

    def _interrupted(self, number: int) -> None:
        """A signal asks for the same orderly end as the user does, so that the terminal is given back."""
        if number == signal.SIGINT and self._lent:
            return
        self.interrupted = True
        self.call_later(self.action_quit)

    async def action_quit(self) -> None:
        """Leave; a run under way is stopped after its batch first."""
        if isinstance(self.screen, QuittingPanel):
            self.action_quit_now()
            return
        if self.bridge.busy:
            self.push_screen(QuittingPanel())
            self.bridge.stop_writing()
            start_work(self, self._exit_when_ended, "quit")
            return
        self._leave()

    def action_quit_now(self) -> None:
        """Leave without waiting; what was committed is safe, the batch under way is lost."""
        self.left_running = self.bridge.busy
        self._leave()

    async def _exit_when_ended(self) -> None:
        await self.bridge.writing_ended()
        self._leave()

    def _leave(self) -> None:
        code = NOT_OPENED_CODE if self.bridge.phase is Phase.FAILED else 0
        if self.interrupted:
            code = INTERRUPTED_CODE
        self.exit(code, return_code=code)

    # ---- what screens ask for

    def go(self, name: str) -> None:
        """Show a screen; from any screen but the menu it takes that screen's place."""
        if len(self.screen_stack) > 1:
            self.switch_screen(name)
        else:
            self.push_screen(name)

    def start_index(self, *, full: bool) -> None:
        """Begin an index run that outlives its screen."""
        start_work(self, partial(self._index, full), "index", exclusive=False)

    def start_watch(self) -> None:
        """Begin to watch; it goes on whatever screen is shown."""
        start_work(self, self._watch, "watch", exclusive=False)

    def start_tune(self) -> None:
        """Begin to measure; it goes on whatever screen is shown, and keeps the best at its end."""
        start_work(self, self._tune, "tune", exclusive=False)

    def start_restore(self) -> None:
        """Bring the settings back as they were before tuning."""
        start_work(self, self._restore, "tune", exclusive=False)

    async def _tune(self) -> None:
        try:
            await self.bridge.tune(self.keep_tuned)
        except IndexerError as error:
            self.say(str(error), severity="warning")
            return
        if self.bridge.tune_run is not None and self.bridge.tune_run.kept is not None:
            self._take_up_settings()

    async def _restore(self) -> None:
        try:
            restored = await self.bridge.outside(self.restore_tuned)
        except IndexerError as error:
            self.say(str(error), severity="warning")
            return
        if self.bridge.tune_run is not None:
            self.bridge.tune_run.restored, self.bridge.tune_run.kept = True, None
        if restored.aside is not None:
            self.say(f"The file had been changed since; what it was is in {restored.aside}")
        self._take_up_settings()

    def _take_up_settings(self) -> None:
        if when := self.reload_settings():
            self.say(when)

    async def _index(self, full: bool) -> None:
        try:
            await self.bridge.index(full=full)
        except IndexerError as error:
            self.say(str(error), severity="warning")

    async def _watch(self) -> None:
        try:
            await self.bridge.watch()
        except IndexerError as error:
            self.say(str(error), severity="warning")

    def hand_terminal_to(self, command: list[str]) -> None:
        """Give the terminal to the editor, and take it back whatever becomes of it. Raises what `edit_file` raises."""
        fault: Exception | None = None
        with self.suspend():
            self._lent = True
            # Textual takes the terminal back only where this block ends without an error.
            try:
                self.edit_file(command)
            except Exception as error:  # noqa: BLE001 - raised again below
                fault = error
        self.set_timer(LENT_S, self._take_back)
        if fault is not None:
            raise fault

    def _take_back(self) -> None:
        self._lent = False

    def take_picture(self) -> None:
        """Save the screen as it is now in the user's downloads, or else in the home folder."""
        path, svg = picture_path(), self.export_screenshot()

        async def save() -> None:
            try:
                await self.bridge.outside(lambda: write_picture(path, svg))
            except OSError as error:
                self.say(f"The picture could not be saved as {shown_path(path)}: {error.strerror}", severity="error")
            else:
                self.say(f"Saved as {shown_path(path)}")

        start_work(self, save, "picture")

    def _theme_chosen(self, theme: Theme) -> None:
        """A theme from the palette is kept for the next time."""
        if theme.name != self.theme or theme.name == self._kept_theme:
            return
        self._kept_theme = theme.name
        options = self.bridge.options
        if options is not None:
            self.bridge.options = replace(options, ui=replace(options.ui, theme=theme.name))
        start_work(self, partial(self._keep_theme, theme.name), "theme")

    async def _keep_theme(self, name: str) -> None:
        try:
            await self.bridge.outside(lambda: self.save_setting("ui", "theme", name))
        except IndexerError as error:
            self.say(f"The theme is not kept: {error}", severity="warning")

    def activity_for(self, screen: Screen[None]) -> str:
        """What runs in the background, in a few words; nothing where the screen shows it itself."""
        bridge = self.bridge
        if bridge.indexing and bridge.run is not None and not isinstance(screen, IndexScreen):
            return activity(bridge.run.snapshot())
        if bridge.watch_on and bridge.watching is not None and not isinstance(screen, WatchScreen):
            return "◌ watch paused" if bridge.watching.pause.paused else f"● watch {bridge.watching.state.value}"
        if bridge.tuning and not isinstance(screen, TuneScreen):
            return "tuning"
        if bridge.warmth is Warmth.LOADING:
            return "loading the model"
        return ""

    def say(self, message: str, *, severity: SeverityLevel = "information") -> None:
        """A short message in the corner; its text is never markup."""
        self.notify(clean_line(message), severity=severity, markup=False)

    def show_fault(self, error: BaseException) -> None:
        """A panel for an error that no screen handled; the place goes to the log, the text does not."""
        if isinstance(error, IndexerError):
            self.push_screen(FaultPanel("This did not work", clean_line(str(error))))
            return
        # An exception's own text may quote a note, so the log gets its type and where it happened.
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("fault in the background: %s\n%s", type(error).__name__, frames)
        if isinstance(self.screen, FaultPanel):
            # One panel is enough where every keystroke fails alike.
            return
        text = (
            f"{type(error).__name__}: {clean_line(str(error))[:300]}\n\n"
            "The rest of the program goes on. Where it happened is in the log."
        )
        self.push_screen(FaultPanel("Something went wrong", text))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker of the app that failed shows a panel; the app lives on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.show_fault(event.worker.error)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The screens and the runs, beside Textual's own commands."""
        for name in self.SCREENS:
            yield SystemCommand(name.capitalize(), f"Show the {name} screen", lambda name=name: self.go(name))
        yield SystemCommand("Update the index", "Take up what changed", lambda: self.start_index(full=False))
        yield SystemCommand("Start watching", "Keep the index live", self.start_watch)
        yield SystemCommand("Screenshot", "Save this screen as a picture", self._picture_soon)
        yield from (own for own in super().get_system_commands(screen) if own.title != "Screenshot")

    def _picture_soon(self) -> None:
        """The palette is to be gone from the picture."""
        self.set_timer(0.1, self.take_picture)
