"""The index screen: progress, failures, cancel, resume, and a run that goes on elsewhere."""

from __future__ import annotations

import threading

from obsidian_indexer.errors import LockedError, VaultError
from obsidian_indexer.records import Failure
from tests.tui.conftest import RunApp
from tests.tui.fake_engine import HOSTILE, HOSTILE_CLEAN, FakeEngine


class Gated:
    """Scripts an engine whose index run waits until it is let go."""

    def __init__(self, *failures: Failure) -> None:
        self.gate = threading.Event()
        self._failures = failures

    def __call__(self, engine: FakeEngine) -> None:
        engine.index_gate = self.gate
        engine.failures = self._failures


async def test_an_update_shows_progress_and_then_the_report(run_app: RunApp) -> None:
    gated = Gated()
    async with run_app(gated) as stage:
        await stage.press("1", "u")
        await stage.assert_shown("Embedding passages")
        text = stage.screen_text()
        assert "642/1,805" in text
        assert "20,480" in text
        assert "183" in text
        assert "40%" in text
        assert "Guides/Linking notes.md" in text
        gated.gate.set()
        await stage.assert_shown("42 embedded")
        assert "Done" in stage.screen_text()
        assert ("index", False) in stage.engine.calls


async def test_rebuild_asks_for_a_full_run(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.press("1", "b")
        await stage.assert_shown("42 embedded")
        assert ("index", True) in stage.engine.calls


async def test_buttons_start_and_cancel_with_the_mouse(run_app: RunApp) -> None:
    async with run_app(Gated()) as stage:
        await stage.press("1")
        await stage.pilot.click("#update")
        await stage.assert_shown("Embedding passages")
        await stage.pilot.click("#cancel")
        await stage.assert_shown("Cancelled")


async def test_cancel_keeps_what_was_done_and_resume_goes_on(run_app: RunApp) -> None:
    gated = Gated()
    async with run_app(gated) as stage:
        await stage.press("1", "u")
        await stage.assert_shown("Embedding passages")
        await stage.press("c")
        await stage.assert_shown("Cancelled – what was done is kept")
        assert "Resume" in stage.screen_text()
        gated.gate.set()
        await stage.press("r")
        await stage.assert_shown("Done")
        assert [call for call in stage.engine.calls if call[0] == "index"] == [("index", False)] * 2


async def test_failures_are_listed_while_the_run_goes_on(run_app: RunApp) -> None:
    gated = Gated(Failure("Broken.md", "parse", "bad front matter"), Failure("Hostile.md", "read", HOSTILE))
    async with run_app(gated, size=(120, 40)) as stage:
        await stage.press("1", "u")
        await stage.assert_shown("2 failures")
        assert stage.app.bridge.indexing
        assert "bad front matter" in stage.screen_text()
        assert HOSTILE_CLEAN in stage.screen_text()
        gated.gate.set()
        await stage.assert_shown("Done, with failures")


async def test_a_run_goes_on_when_the_screen_is_left(run_app: RunApp) -> None:
    gated = Gated()
    async with run_app(gated) as stage:
        await stage.press("1", "u")
        await stage.assert_shown("Embedding passages")
        await stage.press("escape")
        await stage.assert_shown("indexing 40%")
        await stage.press("4")
        await stage.assert_shown("indexing 40%")
        gated.gate.set()
        await stage.until(lambda: not stage.app.bridge.indexing)
        await stage.press("escape", "1")
        await stage.assert_shown("42 embedded")


async def test_without_an_index_the_screen_says_so_and_offers_no_run(run_app: RunApp) -> None:
    async with run_app(fault=VaultError("There is no folder at /nowhere."), ready=False) as stage:
        await stage.press("1")
        await stage.assert_shown("No index")
        await stage.press("u")
        text = stage.screen_text()
        assert text.count("There is no folder at /nowhere.") == 1
        assert "Opening" not in text
        assert "u Update" not in text


async def test_another_writer_is_explained(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.index_fault = LockedError("Another process is writing this index (process 4711).")

    async with run_app(prepare) as stage:
        await stage.press("1", "u")
        await stage.assert_shown("process 4711")
        assert "Stopped" in stage.screen_text()


async def test_the_index_is_not_run_while_watching(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.press("3", "s")
        await stage.until(stage.engine.watching.is_set)
        await stage.press("escape", "1", "b")
        await stage.assert_shown("Stop it to run the indexer by hand")
        assert not any(call[0] == "index" for call in stage.engine.calls)
        stage.app.bridge.stop_writing()
        await stage.until(lambda: not stage.app.bridge.watch_on)


async def test_p_pauses_and_p_continues(run_app: RunApp) -> None:
    gated = Gated()
    async with run_app(gated, size=(80, 24)) as stage:
        await stage.press("1")
        await stage.assert_shown("Update")
        assert "p Pause" not in stage.screen_text(), "there is nothing to pause"
        await stage.press("u")
        await stage.assert_shown("Embedding passages")
        assert "p Pause" in stage.screen_text()
        await stage.press("p")
        await stage.assert_shown("Paused – p continues; what was done is kept")
        text = stage.screen_text()
        assert "p Continue" in text
        assert "p Pause" not in text
        assert "642/1,805" in text
        await stage.press("escape")
        await stage.assert_shown("indexing paused at 40%")
        await stage.press("1", "p")
        await stage.assert_shown("Embedding passages")
        gated.gate.set()
        await stage.assert_shown("Done")


async def test_until_the_batch_is_done_the_screen_says_that_it_is_pausing(run_app: RunApp) -> None:
    gated = Gated()

    def prepare(engine: FakeEngine) -> None:
        gated(engine)
        engine.deaf = True

    async with run_app(prepare) as stage:
        await stage.press("1", "u")
        await stage.assert_shown("Embedding passages")
        await stage.press("p")
        await stage.assert_shown("Pausing after this batch…")
        gated.gate.set()
        await stage.assert_shown("Done")


async def test_a_paused_run_can_be_cancelled_and_the_button_pauses_too(run_app: RunApp) -> None:
    async with run_app(Gated()) as stage:
        await stage.press("1", "u")
        await stage.assert_shown("Embedding passages")
        await stage.pilot.click("#pause")
        await stage.assert_shown("Paused")
        await stage.pilot.click("#pause")
        await stage.assert_shown("Embedding passages")
        await stage.press("p")
        await stage.assert_shown("Paused")
        await stage.press("c")
        await stage.assert_shown("Cancelled")
