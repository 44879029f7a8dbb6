"""What goes wrong: faults in the background, a run that is under way when the user leaves, hostile notes."""

from __future__ import annotations

import threading

import pytest

from obsidian_indexer.errors import CatalogError
from tests.tui.conftest import RunApp
from tests.tui.fake_engine import HOSTILE_CLEAN, HOSTILE_HIT, FakeEngine

SIGNS = {"1": "Update", "3": "Start", "4": "Vault", "5": "embedding", "2": "Type to search"}
HARMFUL = ("\x1b]52", "\x07", "\u202e", "\x9b")


async def test_a_fault_in_the_index_run_shows_a_panel_and_the_app_lives(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.index_fault = RuntimeError("[/] the device is gone")

    async with run_app(prepare) as stage:
        await stage.press("1", "u")
        await stage.assert_shown("RuntimeError: [/] the device is gone")
        await stage.press("escape")
        await stage.assert_shown("The run stopped on a fault")
        await stage.press("escape", "4")
        await stage.assert_shown("1,805")
        assert stage.app.return_code is None


async def test_a_fault_in_search_shows_a_panel_and_the_next_query_works(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.search_fault = ZeroDivisionError("in the leg")

    async with run_app(prepare) as stage:
        await stage.press("2", "a")
        await stage.assert_shown("ZeroDivisionError")
        stage.engine.search_fault = None
        await stage.press("escape")
        await stage.press("b")
        await stage.assert_shown("Linking notes")


async def test_a_fault_that_stays_can_be_left(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.search_fault = ZeroDivisionError("in the leg")

    async with run_app(prepare) as stage:
        await stage.press("2", *"abcdef")
        await stage.assert_shown("ZeroDivisionError")
        await stage.press("escape")
        await stage.until(lambda: type(stage.app.screen).__name__ == "SearchScreen")
        await stage.app.workers.wait_for_complete()
        await stage.press("escape")
        await stage.until(lambda: type(stage.app.screen).__name__ == "MenuScreen")


async def test_a_status_that_fails_shows_one_panel(run_app: RunApp) -> None:
    async with run_app() as stage:
        stage.engine.status_fault = CatalogError("The catalogue is from a newer version.")
        await stage.press("4")
        await stage.assert_shown("The catalogue is from a newer version.")
        await stage.press("escape")
        await stage.until(lambda: type(stage.app.screen).__name__ == "StatusScreen")
        await stage.press("escape")
        await stage.until(lambda: type(stage.app.screen).__name__ == "MenuScreen")


async def test_a_fault_while_opening_ends_with_a_code_that_is_not_zero(run_app: RunApp) -> None:
    async with run_app(fault=OSError("disk"), ready=False) as stage:
        await stage.assert_shown("OSError")
        await stage.press("escape", "q")
        await stage.until(lambda: stage.app.return_code is not None)
        assert stage.app.return_code == 2


async def test_a_damaged_catalogue_names_the_way_out(run_app: RunApp) -> None:
    async with run_app(fault=CatalogError("The catalogue is damaged. Delete it."), ready=False) as stage:
        await stage.assert_shown("The catalogue is damaged. Delete it.")


async def test_quitting_waits_for_the_batch_and_says_so(run_app: RunApp) -> None:
    gate = threading.Event()

    def prepare(engine: FakeEngine) -> None:
        engine.index_gate = gate

    async with run_app(prepare) as stage:
        await stage.press("1", "u")
        await stage.until(stage.engine.indexing.is_set)
        await stage.press("ctrl+q")
        await stage.until(lambda: stage.app.return_code is not None)
        assert stage.app.return_code == 0
        assert stage.app.bridge.run is not None
        assert stage.app.bridge.run.report is not None
        assert stage.app.bridge.run.report.cancelled
        assert not stage.app.left_running


async def test_a_run_that_does_not_stop_can_be_left(run_app: RunApp) -> None:
    gate = threading.Event()

    def prepare(engine: FakeEngine) -> None:
        engine.deaf = True
        engine.index_gate = gate

    async with run_app(prepare) as stage:
        await stage.press("1", "u")
        await stage.until(stage.engine.indexing.is_set)
        await stage.press("ctrl+q")
        await stage.assert_shown("Stopping after this batch")
        assert stage.app.return_code is None
        await stage.press("ctrl+q")
        await stage.until(lambda: stage.app.return_code is not None)
        assert stage.app.left_running
        gate.set()


async def test_quitting_stops_the_watcher(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.press("3", "s")
        await stage.until(stage.engine.watching.is_set)
        await stage.press("ctrl+q")
        await stage.until(lambda: stage.app.return_code is not None)
        assert not stage.engine.watching.is_set()


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
async def test_a_hostile_note_is_shown_as_text(run_app: RunApp, size: tuple[int, int]) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.hits = (HOSTILE_HIT,)
        engine.notice = HOSTILE_HIT.title

    async with run_app(prepare, size=size) as stage:
        await stage.press("2", *"[/]")
        await stage.assert_shown("[/] [type=x")
        if size[0] == 120:
            await stage.assert_shown(HOSTILE_CLEAN)
            await stage.assert_shown(f"▎ Text with {HOSTILE_CLEAN}"[:40])
        await stage.press("down", "s", "ctrl+o")
        drawn = stage.screen_text() + stage.app.export_screenshot()
        assert not any(mark in drawn for mark in HARMFUL)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (200, 60)])
async def test_every_screen_fits(run_app: RunApp, size: tuple[int, int]) -> None:
    async with run_app(size=size) as stage:
        for key, piece in SIGNS.items():
            await stage.press(key)
            await stage.assert_shown(piece)
            lines = stage.screen_text().splitlines()
            assert len(lines) == size[1]
            for widget in stage.app.screen.query("Button, Input, OptionList, TopBar"):
                if widget.display and widget.region:
                    assert stage.app.screen.region.contains_region(widget.region)
            await stage.press("escape")
