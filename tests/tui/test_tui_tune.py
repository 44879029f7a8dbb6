"""The tune screen: measuring, what it shows, keeping the best, and the way back."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from obsidian_indexer.errors import LockedError
from tests.tui.conftest import RunApp, Stage
from tests.tui.fake_engine import TUNED, FakeEngine

KEPT = [("embedding", "engine", "openvino"), ("embedding", "dtype", "int8"), ("embedding", "token_budget", 1024)]


async def open_screen(stage: Stage) -> None:
    await stage.press("6")
    await stage.assert_shown("Measures engines")


async def test_the_best_is_measured_kept_and_takes_effect(run_app: RunApp) -> None:
    async with run_app() as stage:
        await open_screen(stage)
        await stage.press("m")
        await stage.assert_shown("Done – r restores")
        text = stage.screen_text()
        for piece in ("openvino int8    ", "1,024", "403/s", "━", "0.9981 0.9902", "best", "behind, measured once"):
            assert piece in text
        for piece in ("no such [device]", "7.3× as fast as float32", "settings.toml"):
            assert piece in text
        assert stage.saved == KEPT
        await stage.until(lambda: len(stage.opening.engines) == 2)
        assert stage.opening.engines[0].closed


async def test_trials_are_shown_as_they_come_and_cancelling_keeps_nothing(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.tune_gate = threading.Event()

    async with run_app(prepare) as stage:
        await open_screen(stage)
        await stage.press("m")
        await stage.assert_shown("batches of 1,024 tokens…")
        await stage.assert_shown("403/s")
        await stage.press("c")
        await stage.assert_shown("Cancelled – the settings are as they were")
        assert stage.saved == []
        assert len(stage.opening.engines) == 1


async def test_restoring_brings_the_settings_back(run_app: RunApp) -> None:
    async with run_app() as stage:
        await open_screen(stage)
        await stage.press("m")
        await stage.assert_shown("Done – r restores")
        await stage.until(lambda: len(stage.opening.engines) == 2)
        await stage.press("r")
        await stage.assert_shown("Restored")
        assert stage.saved == []
        await stage.until(lambda: len(stage.opening.engines) == 3)


async def test_nothing_to_restore_is_said(run_app: RunApp) -> None:
    async with run_app() as stage:
        await open_screen(stage)
        await stage.press("r")
        await stage.assert_shown("There is nothing to restore.")


async def test_the_buttons_do_the_same(run_app: RunApp) -> None:
    async with run_app() as stage:
        await open_screen(stage)
        await stage.pilot.click("#measure")
        await stage.until(lambda: stage.saved == KEPT)
        await stage.assert_shown("Done – r restores")
        await stage.until(lambda: not stage.app.screen.query_one("#restore").disabled)
        await stage.pilot.click("#restore")
        await stage.assert_shown("Restored")


async def test_without_a_best_nothing_is_kept(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.tuned = replace(TUNED, best=None, settings={}, reason="Nothing could be measured.")

    async with run_app(prepare) as stage:
        await open_screen(stage)
        await stage.press("m")
        await stage.assert_shown("Nothing could be measured.")
        assert stage.saved == []


async def test_a_locked_index_is_explained(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.tune_fault = LockedError("Another process is writing this index.")

    async with run_app(prepare) as stage:
        await open_screen(stage)
        await stage.press("m")
        await stage.assert_shown("Another process is writing this index.")
        assert stage.saved == []


async def test_tuning_and_indexing_exclude_each_other(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.tune_gate = threading.Event()

    async with run_app(prepare) as stage:
        await open_screen(stage)
        await stage.press("m")
        await stage.assert_shown("403/s")
        await stage.press("escape", "1")
        await stage.assert_shown("Tuning is under way")
        await stage.assert_shown("tuning")
        await stage.press("u")
        assert ("index", False) not in stage.engine.calls
        await stage.press("escape", "3", "s")
        await stage.assert_shown("Watching can")
        assert stage.engine.tune_gate is not None
        stage.engine.tune_gate.set()
        await stage.until(lambda: stage.saved == KEPT)


async def test_tuning_waits_for_a_run_under_way(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.index_gate = threading.Event()

    async with run_app(prepare) as stage:
        await stage.press("1", "u")
        await stage.until(stage.engine.indexing.is_set)
        await stage.press("escape", "6")
        await stage.assert_shown("Stop it to measure undisturbed")
        await stage.press("m")
        assert ("tune",) not in stage.engine.calls


async def test_leaving_stops_the_measuring_first(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.tune_gate = threading.Event()

    async with run_app(prepare) as stage:
        await open_screen(stage)
        await stage.press("m")
        await stage.assert_shown("403/s")
        await stage.press("ctrl+q")
        await stage.until(lambda: stage.app.return_code is not None)
        assert stage.app.return_code == 0
        assert stage.saved == []


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
async def test_every_size_shows_the_keys_and_the_best(run_app: RunApp, size: tuple[int, int]) -> None:
    async with run_app(size=size) as stage:
        await stage.press("6")
        await stage.press("m")
        await stage.assert_shown("Done – r restores")
        assert "openvino" in stage.screen_text()
        assert "Restore" in stage.screen_text()
