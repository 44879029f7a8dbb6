"""The menu: what it shows, and every way to choose."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from textual.screen import Screen

from obsidian_indexer.errors import ModelError, VaultError
from obsidian_indexer.events import NoticeEvent
from obsidian_indexer.tui.app import IndexerApp
from obsidian_indexer.tui.screens.menu import MenuScreen
from tests.tui.conftest import RunApp
from tests.tui.fake_engine import STATUS, FakeEngine

SCREENS = ("IndexScreen", "SearchScreen", "WatchScreen", "StatusScreen", "SettingsScreen", "TuneScreen")


async def test_the_menu_shows_vault_counts_and_model(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.assert_shown("173 notes · 1,805 passages")
        assert "demo" in stage.screen_text()
        await stage.assert_shown("all-MiniLM-L6-v2 · torch · cpu")


@pytest.mark.parametrize(("key", "screen"), [(str(at + 1), name) for at, name in enumerate(SCREENS)])
async def test_a_number_opens_its_screen_and_escape_returns(run_app: RunApp, key: str, screen: str) -> None:
    async with run_app() as stage:
        await stage.press(key)
        assert type(stage.app.screen).__name__ == screen
        await stage.press("escape")
        assert type(stage.app.screen).__name__ == "MenuScreen"


async def test_arrows_and_enter_choose(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.press("down", "down", "enter")
        assert type(stage.app.screen).__name__ == "WatchScreen"


async def test_a_click_chooses(run_app: RunApp) -> None:
    async with run_app() as stage:
        # The lines around the list move it when they come.
        await stage.assert_shown("173 notes")
        await stage.assert_shown("all-MiniLM-L6-v2 · torch")
        await stage.pilot.click("#menu-list", offset=(4, 3))
        await stage.until(lambda: type(stage.app.screen).__name__ == "StatusScreen")


async def test_seven_quits_with_code_zero(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.press("7")
        await stage.until(lambda: stage.app.return_code is not None)
        assert stage.app.return_code == 0


async def test_the_first_frame_does_not_wait_for_the_engine(run_app: RunApp) -> None:
    gate = threading.Event()

    def prepare(engine: FakeEngine) -> None:
        engine.warm_gate = gate

    async with run_app(prepare, ready=False) as stage:
        assert "Search" in stage.screen_text()
        await stage.assert_shown("Loading the model")
        gate.set()
        await stage.assert_shown("all-MiniLM-L6-v2 · torch")


async def test_a_screen_that_was_there_before_the_settings_draws_at_their_rate(run_app: RunApp) -> None:
    async with run_app() as stage:
        screen = stage.app.screen
        assert isinstance(screen, MenuScreen)
        rate = stage.engine.options.ui.refresh_hz
        await stage.until(lambda: screen._clock is not None and screen._clock._interval == 1 / rate)


async def test_a_screen_under_another_is_not_drawn_and_one_under_a_panel_is(
    run_app: RunApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: Counter[str] = Counter()

    def note(app: IndexerApp, screen: Screen[None]) -> str:
        drawn[type(screen).__name__] += 1
        return str(drawn.total())

    monkeypatch.setattr(IndexerApp, "activity_for", note)
    async with run_app() as stage:
        await stage.press("1")
        await stage.until(lambda: drawn["IndexScreen"])
        menu, index = drawn["MenuScreen"], drawn["IndexScreen"]
        await stage.until(lambda: drawn["IndexScreen"] > index + 5)
        assert drawn["MenuScreen"] == menu
        stage.app.show_fault(ModelError("no model"))
        await stage.assert_shown("This did not work")
        index = drawn["IndexScreen"]
        await stage.until(lambda: drawn["IndexScreen"] > index)


async def test_notices_and_a_foreign_writer_are_shown(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.status_answer = replace(STATUS, writer="watch (process 4711)")

    async with run_app(prepare) as stage:
        stage.engine.emit(NoticeEvent("The model does not cover Korean."))
        await stage.assert_shown("The model does not cover Korean.")
        await stage.assert_shown("process 4711")


async def test_what_is_wrong_with_the_model_is_said_once(run_app: RunApp) -> None:
    reason = "The model 'bge-m3' is not on this machine."

    class WithoutModel(FakeEngine):
        def model_status(self) -> str:
            return reason

    def prepare(engine: FakeEngine) -> None:
        engine.__class__ = WithoutModel
        engine.warm_fault = ModelError(reason)

    async with run_app(prepare, ready=False) as stage:
        await stage.until(lambda: stage.app.bridge.model_line)
        await stage.assert_shown(f"! {reason}")
        assert stage.screen_text().count("bge-m3") == 1


async def test_a_missing_model_is_a_notice_and_search_still_opens(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.warm_fault = ModelError("The model 'bge-m3' is not on this machine.")

    async with run_app(prepare, ready=False) as stage:
        await stage.assert_shown("'bge-m3' is not on this machine")
        await stage.press("2")
        assert type(stage.app.screen).__name__ == "SearchScreen"


async def test_an_empty_index_says_what_to_do(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.status_answer = replace(STATUS, notes=0, chunks=0)

    async with run_app(prepare) as stage:
        await stage.assert_shown("nothing indexed yet")
        await stage.press("2")
        await stage.assert_shown("Press escape, then 1")


async def test_an_index_that_cannot_be_opened_is_explained_and_can_be_tried_again(run_app: RunApp) -> None:
    async with run_app(fault=VaultError("There is no folder at /nowhere."), ready=False) as stage:
        await stage.assert_shown("There is no folder at /nowhere.")
        stage.opening.fault = None
        await stage.press("r")
        await stage.assert_shown("173 notes")


async def test_leaving_without_an_index_gives_exit_code_two(run_app: RunApp) -> None:
    async with run_app(fault=VaultError("There is no folder at /nowhere."), ready=False) as stage:
        await stage.assert_shown("There is no folder at /nowhere.")
        await stage.press("q")
        await stage.until(lambda: stage.app.return_code is not None)
        assert stage.app.return_code == 2


async def test_the_command_palette_opens_screens(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.press("ctrl+p")
        await stage.pilot.press(*"status")
        await stage.assert_shown("Show the status screen")
        await stage.press("enter")
        await stage.until(lambda: type(stage.app.screen).__name__ == "StatusScreen")


async def test_the_commands_are_named_on_every_screen(run_app: RunApp) -> None:
    async with run_app(size=(80, 24)) as stage:
        await stage.assert_shown("^p Commands")
        for key in "12345":
            await stage.press(key)
            await stage.assert_shown("^p Commands")
            await stage.press("escape")


async def test_a_theme_from_the_palette_is_kept(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.press("ctrl+p")
        await stage.pilot.press(*"theme")
        await stage.assert_shown("Change the current theme")
        await stage.press("enter")
        await stage.pilot.press(*"gruvbox")
        await stage.assert_shown("gruvbox")
        await stage.press("enter")
        await stage.until(lambda: stage.saved)
        assert stage.saved == [("ui", "theme", "gruvbox")]
        assert stage.app.bridge.options is not None
        assert stage.app.bridge.options.ui.theme == "gruvbox"


async def test_the_theme_of_the_settings_is_not_saved_again(run_app: RunApp) -> None:
    async with run_app() as stage:
        options = stage.app.bridge.options
        assert options is not None
        stage.app.bridge._load = lambda: replace(options, ui=replace(options.ui, theme="nord"))
        stage.app.reload_settings()
        await stage.until(lambda: stage.app.theme == "nord")
        await stage.app.workers.wait_for_complete()
        assert stage.saved == []


async def test_a_picture_of_the_screen_is_saved_and_named(
    run_app: RunApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    async with run_app() as stage:
        await stage.press("ctrl+p")
        await stage.pilot.press(*"screenshot")
        await stage.assert_shown("Save this screen as a picture")
        await stage.press("enter")
        await stage.assert_said("Saved as ~/obsidian-indexer-")
        (picture,) = tmp_path.glob("obsidian-indexer-*.svg")
        assert "Settings" in picture.read_text()


async def test_a_picture_that_cannot_be_saved_is_explained(run_app: RunApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    async with run_app() as stage:
        stage.app.take_picture()
        await stage.assert_said("The picture could not be saved")
