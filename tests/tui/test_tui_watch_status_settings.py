"""The watch, status and settings screens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import OptionList

from obsidian_indexer.errors import LockedError
from obsidian_indexer.events import (
    ChangeEvent,
    FailureEvent,
    NoticeEvent,
    SyncedEvent,
    WatchState,
    WatchStateEvent,
)
from obsidian_indexer.options import SettingRow
from obsidian_indexer.records import (
    Change,
    ChangeKind,
    EngineStatus,
    Failure,
    Int8Check,
    NoteEntry,
    TunedStatus,
)
from obsidian_indexer.tui.screens.settings import SettingsScreen
from obsidian_indexer.tui.widgets.page import Page
from tests.tui.conftest import SETTINGS, RunApp, Stage
from tests.tui.fake_engine import HOSTILE, HOSTILE_CLEAN, STATUS, FakeEngine


async def start_watching(stage: Stage) -> None:
    """Open the watch screen and start."""
    await stage.press("3", "s")
    await stage.until(stage.engine.watching.is_set)


async def stop_watching(stage: Stage) -> None:
    """End the fake watcher, so that its thread ends with the test."""
    stage.app.bridge.stop_writing()
    await stage.until(lambda: not stage.app.bridge.watch_on)


async def test_the_watcher_logs_what_it_takes_up(run_app: RunApp) -> None:
    async with run_app(size=(120, 40)) as stage:
        await start_watching(stage)
        for event in (
            WatchStateEvent(WatchState.LIVE),
            ChangeEvent(Change("Daily/new.md", ChangeKind.ADDED)),
            ChangeEvent(Change(HOSTILE, ChangeKind.MODIFIED)),
            ChangeEvent(Change("b.md", ChangeKind.RENAMED, "a.md")),
            FailureEvent(Failure("bad.md", "parse", "unreadable")),
            NoticeEvent("polling is used here"),
            SyncedEvent(1, 1, 0, 1, 7, 0.42),
        ):
            stage.engine.emit(event)
        await stage.assert_shown("1 added, 1 modified, 1 renamed, 7 embedded · 0.4 s")
        text = stage.screen_text()
        for piece in ("Live:", "10:11:12", "Daily/new.md", HOSTILE_CLEAN, "a.md → b.md", "unreadable", "polling is"):
            assert piece in text
        await stop_watching(stage)


async def test_the_log_stays_at_its_end_until_the_reader_scrolls_up(run_app: RunApp) -> None:
    def note(name: str) -> None:
        stage.engine.emit(ChangeEvent(Change(name, ChangeKind.ADDED)))

    async with run_app(size=(100, 30)) as stage:
        await start_watching(stage)
        for number in range(60):
            note(f"{number}.md")
        await stage.assert_shown("59.md")
        await stage.pilot.resize_terminal(80, 16)
        await stage.pilot.pause()
        note("after the resize.md")
        await stage.assert_shown("after the resize.md")
        log = stage.app.screen.query_one(Page)
        rows = log.max_scroll_y
        log.scroll_home(animate=False)
        await stage.assert_shown("  added     0.md")
        note("unread.md")
        await stage.until(lambda: log.max_scroll_y > rows)
        assert "  added     0.md" in stage.screen_text()
        await stop_watching(stage)


async def test_watching_goes_on_elsewhere_and_stops_on_request(run_app: RunApp) -> None:
    async with run_app() as stage:
        await start_watching(stage)
        stage.engine.emit(WatchStateEvent(WatchState.LIVE))
        await stage.press("escape")
        await stage.assert_shown("● watch live")
        stage.engine.emit(ChangeEvent(Change("while away.md", ChangeKind.ADDED)))
        await stage.press("3")
        await stage.assert_shown("while away.md")
        await stage.press("x")
        await stage.assert_shown("Stopped")
        assert not stage.engine.watching.is_set()


async def test_a_paused_watcher_says_why(run_app: RunApp) -> None:
    async with run_app() as stage:
        await start_watching(stage)
        stage.engine.emit(WatchStateEvent(WatchState.PAUSED, "the vault is gone"))
        await stage.assert_shown("Paused – the vault is gone")
        await stop_watching(stage)


async def test_p_pauses_the_watch_and_p_continues(run_app: RunApp) -> None:
    async with run_app(size=(80, 24)) as stage:
        await start_watching(stage)
        stage.engine.emit(WatchStateEvent(WatchState.LIVE))
        await stage.assert_shown("Live:")
        assert "p Pause" in stage.screen_text()
        await stage.press("p")
        await stage.assert_shown("Paused – changes wait until p continues")
        assert "p Continue" in stage.screen_text()
        await stage.press("escape")
        await stage.assert_shown("◌ watch paused")
        await stage.press("3", "p")
        await stage.assert_shown("Live:")
        await stop_watching(stage)


async def test_a_watcher_that_cannot_start_says_why(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.watch_fault = LockedError("Another process is writing this index.")

    async with run_app(prepare) as stage:
        await stage.press("3", "s")
        await stage.assert_shown("Another process is writing this index.")


async def test_counts_follow_the_watcher(run_app: RunApp) -> None:
    async with run_app() as stage:
        await start_watching(stage)
        stage.engine.status_answer = replace(STATUS, notes=174)
        stage.engine.emit(SyncedEvent(1, 0, 0, 0, 3, 0.1))
        await stage.press("escape")
        await stage.assert_shown("174 notes")
        await stop_watching(stage)


async def test_status_shows_health_and_what_is_left_out(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.status_answer = replace(
            STATUS,
            pending=12,
            failed=1,
            failures=(Failure(HOSTILE, "parse", "too deep"),),
            entries=(NoteEntry("big.md", "ignored", "larger than 5 MB"), NoteEntry("ok.md", "indexed")),
        )

    async with run_app(prepare, size=(120, 50)) as stage:
        await stage.press("4")
        await stage.assert_shown("larger than 5 MB")
        text = stage.screen_text()
        for piece in ("12 notes not taken up", "1 note could not", HOSTILE_CLEAN, "all-MiniLM-L6-v2 · 384", "big.md"):
            assert piece in text
        assert "ok.md" not in text


async def test_status_shows_the_engine_the_int8_check_and_the_tuning(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.status_answer = replace(
            STATUS,
            offered_model="MiniLM-L6-ko-en",
            engine=EngineStatus("openvino", "cpu", "int8"),
            int8=Int8Check("its mean cosine is too low", 0.9281, 0.9002, 0.713, 180, 14.6, None),
            tuned=TunedStatus("2024-02-01T09:00:00+00:00", "openvino", "bfloat16", 1024, 403.2),
        )

    async with run_app(prepare, size=(80, 30)) as stage:
        await stage.press("4")
        await stage.assert_shown("openvino on cpu · int8")
        text = stage.screen_text()
        for piece in (
            "MiniLM-L6-ko-en, with the setting embedding.model",
            "not used: its mean cosine is too low",
            "mean cosine 0.9281, worst 0.9002, 71% of top ten the same",
            "180 passages compared, made in 15 s",
            "openvino in bfloat16, batches of 1,024 tokens, 403 chunks/s",
            "today at",
        ):
            assert piece in text


async def test_settings_are_listed_with_value_source_and_meaning(run_app: RunApp) -> None:
    async with run_app() as stage:
        await stage.press("5")
        await stage.assert_shown("search_delay_ms")
        text = stage.screen_text()
        for piece in ("embedding", "batch_size", "user's file", "environment", "Paths to leave out (git's syntax)."):
            assert piece in text


@pytest.mark.parametrize(
    ("option", "keys", "saved"),
    [
        ("embedding.batch_size", ("ctrl+u", "6", "4", "enter"), ("embedding", "batch_size", 64)),
        ("embedding.fast_mode", ("down", "enter"), ("embedding", "fast_mode", False)),
        ("search.mode", ("down", "enter"), ("search", "mode", "semantic")),
        ("vault.exclude", ("ctrl+u", *"a/,b", "enter"), ("vault", "exclude", ("a/", "b"))),
    ],
)
async def test_a_setting_is_changed_and_takes_effect(
    run_app: RunApp, option: str, keys: tuple[str, ...], saved: tuple[str, str, object]
) -> None:
    async with run_app() as stage:
        await open_setting(stage, option)
        await stage.press(*keys)
        await stage.until(lambda: stage.saved)
        assert stage.saved == [saved]
        await stage.until(lambda: len(stage.opening.engines) == 2)
        assert stage.opening.engines[0].closed


async def test_a_refused_value_is_explained_and_can_be_corrected(run_app: RunApp) -> None:
    async with run_app() as stage:
        await open_setting(stage, "embedding.batch_size")
        await stage.press("ctrl+u", "minus", "1", "enter")
        await stage.assert_shown("must be at least 0")
        assert stage.saved == []
        await stage.press("ctrl+u", "8", "enter")
        await stage.until(lambda: stage.saved == [("embedding", "batch_size", 8)])


async def test_a_setting_saved_while_watching_takes_effect_afterwards(run_app: RunApp) -> None:
    async with run_app() as stage:
        await start_watching(stage)
        await stage.press("escape")
        await open_setting(stage, "search.mode")
        await stage.press("down", "enter")
        await stage.until(lambda: stage.saved)
        assert len(stage.opening.engines) == 1
        await stage.assert_said("It takes effect when the watch is stopped.")
        await stop_watching(stage)
        await stage.until(lambda: len(stage.opening.engines) == 2)


async def test_a_changed_setting_stays_in_view(run_app: RunApp, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [SettingRow("search", f"number_{at:02}", at, "default", "A number. " * 20) for at in range(60)]
    monkeypatch.setattr("tests.tui.conftest.SETTINGS", (*SETTINGS, *rows))
    async with run_app(size=(80, 24)) as stage:
        await open_setting(stage, "search.number_45")
        await stage.press("ctrl+u", *"4711", "enter")
        await stage.assert_shown("4711")
        await stage.until(lambda: isinstance(stage.app.screen, SettingsScreen))
        listing = stage.app.screen.query_one(OptionList)
        assert listing.highlighted == listing.get_option_index("search.number_45")
        line = next(line for line in stage.screen_text().splitlines() if "number_45 " in line)
        assert "4711" in line


async def test_the_value_of_a_setting_keeps_its_room_beside_a_long_source(run_app: RunApp) -> None:
    async with run_app(size=(80, 24)) as stage:
        await highlight_setting(stage, "embedding.batch_size")
        await stage.press("enter", "ctrl+u", *"48", "enter")
        await stage.until(lambda: "48" in line_of(stage, "batch_size "))
        assert "user's file" in line_of(stage, "batch_size ")


def line_of(stage: Stage, start: str) -> str:
    """The first line on the screen that holds this."""
    return next((line for line in stage.screen_text().splitlines() if start in line), "")


async def test_a_setting_can_go_back_to_its_default(run_app: RunApp) -> None:
    async with run_app() as stage:
        await highlight_setting(stage, "embedding.batch_size")
        await stage.assert_shown("d Default")
        await stage.press("d")
        await stage.until(lambda: stage.saved == [("embedding", "batch_size", None)])
        await stage.assert_said("embedding.batch_size has its default again.")
        await stage.until(lambda: len(stage.opening.engines) == 2)
        await stage.press("d")
        await stage.assert_said("embedding.batch_size has its default.")
        assert len(stage.saved) == 1


async def test_a_setting_that_no_file_holds_says_what_decides(run_app: RunApp) -> None:
    async with run_app() as stage:
        await highlight_setting(stage, "ui.search_delay_ms")
        await stage.press("d")
        await stage.assert_said("stays as it is: it comes from the environment (SEARCH_DELAY_MS).")


async def highlight_setting(stage: Stage, option: str) -> None:
    """Move to one setting."""
    await stage.press("5")
    await stage.assert_shown("search_delay_ms")
    listing = stage.app.screen.query_one("#settings-list")
    assert isinstance(stage.app.screen, SettingsScreen)
    listing.highlighted = listing.get_option_index(option)  # type: ignore[attr-defined]


async def open_setting(stage: Stage, option: str) -> None:
    """Open the panel for one setting."""
    await highlight_setting(stage, option)
    await stage.press("enter")
    await stage.assert_shown("enter saves")
