"""Fixtures that run the app on a fake engine, and a way to wait for what a user would see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest
from textual.pilot import Pilot

from obsidian_indexer.errors import ConfigError
from obsidian_indexer.events import Progress
from obsidian_indexer.options import SettingRow
from obsidian_indexer.tui.app import IndexerApp
from obsidian_indexer.tui.bridge import Bridge
from obsidian_indexer.tui.runs import Warmth
from obsidian_indexer.tuning import KeptSettings, RestoredSettings
from tests.tui.fake_engine import FakeEngine, FakeOpening, make_options

HANG_GUARD_S = 30.0
SETTINGS = (
    SettingRow("vault", "exclude", (), "default", "Paths to leave out (git's syntax)."),
    SettingRow("embedding", "model", "default", "default", "The model."),
    SettingRow("embedding", "batch_size", 0, f"user's file ({'/deep' * 20})", "Most passages in one batch."),
    SettingRow("embedding", "fast_mode", True, "default", "Take 16-bit numbers where they are native."),
    SettingRow("search", "mode", "hybrid", "default", "Which legs answer.", ("hybrid", "semantic", "keyword")),
    SettingRow("ui", "search_delay_ms", 120, "environment (SEARCH_DELAY_MS)", "Pause in typing."),
)


class Stage:
    """A running app, its pilot and its engine."""

    def __init__(self, app: IndexerApp, pilot: Pilot[int], opening: FakeOpening, saved: list[tuple[str, str, object]]):
        self.app = app
        self.pilot = pilot
        self.opening = opening
        self.saved = saved
        self.opened: list[str] = []
        self.edited: list[list[str]] = []

    @property
    def engine(self) -> FakeEngine:
        """The engine opened last."""
        return self.opening.engine

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until the predicate holds; the limit only guards against hangs."""
        deadline = time.monotonic() + HANG_GUARD_S
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"waited in vain; the screen shows\n{self.screen_text()}")
            await self.pilot.pause()
            await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def assert_shown(self, text: str) -> None:
        """Wait until the text can be read on the screen."""
        await self.until(lambda: text in self.screen_text())

    async def assert_said(self, text: str) -> None:
        """Wait until a message in the corner, which may be wrapped there, says this."""
        await self.until(lambda: any(text in said.message for said in self.app._notifications))

    async def press(self, *keys: str) -> None:
        """Press keys and let the app take them up."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def screen_text(self) -> str:
        """What stands on the screen now, line by line."""
        screen = self.app.screen
        lines = screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in lines)


class RunApp(Protocol):
    """Starts the app for a test."""

    def __call__(
        self,
        prepare: Callable[[FakeEngine], None] = ...,
        *,
        size: tuple[int, int] = ...,
        fault: Exception | None = ...,
        ready: bool = ...,
    ) -> AbstractAsyncContextManager[Stage]:
        """Run with a scripted engine; with `ready`, returns once index and model are loaded."""


def make_app(folder: Path, opening: FakeOpening, saved: list[tuple[str, str, object]]) -> IndexerApp:
    """The app on fake engines; its clocks stand still. What the environment sets stays as it is."""
    rows = {(row.section, row.name): row for row in SETTINGS}

    def save(section: str, name: str, value: object) -> None:
        if value == -1:
            raise ConfigError("embedding.batch_size must be at least 0")
        saved.append((section, name, value))
        row = rows.get((section, name))
        if row is None or row.source.startswith("environment"):
            return
        default = value is None
        rows[section, name] = replace(
            row, value=row.value if default else value, source="default" if default else "user's file (config.toml)"
        )

    def view() -> Sequence[SettingRow]:
        return tuple(rows.values())

    moment = datetime(2024, 2, 1, 10, 11, 12)  # noqa: DTZ001 - a local time, as the log shows it
    bridge = Bridge(
        lambda: make_options(folder),
        opening,
        now=lambda: moment,
        new_progress=lambda: Progress(clock=opening.clock),
    )

    def keep(values: Mapping[str, object]) -> KeptSettings:
        saved.extend(("embedding", name, value) for name, value in values.items())
        return KeptSettings(folder / "settings.toml", folder / "settings.toml.before-tune")

    def restore() -> RestoredSettings:
        if not saved:
            raise ConfigError("There is nothing to restore.")
        saved.clear()
        return RestoredSettings(folder / "settings.toml")

    return IndexerApp(bridge, settings_view=view, save_setting=save, keep_tuned=keep, restore_tuned=restore)


@pytest.fixture
def run_app(tmp_path: Path) -> RunApp:
    """Starts the app on a fake engine."""

    @asynccontextmanager
    async def start(
        prepare: Callable[[FakeEngine], None] = lambda engine: None,
        *,
        size: tuple[int, int] = (100, 30),
        fault: Exception | None = None,
        ready: bool = True,
    ) -> AsyncIterator[Stage]:
        opening = FakeOpening(prepare, fault=fault)
        saved: list[tuple[str, str, object]] = []
        app = make_app(tmp_path, opening, saved)
        async with app.run_test(size=size, notifications=True) as pilot:
            stage = Stage(app, pilot, opening, saved)
            app.open_link = stage.opened.append
            app.edit_file = stage.edited.append
            if ready:
                await stage.until(lambda: app.bridge.warmth is Warmth.LOADED and app.bridge.status is not None)
            yield stage
        app.bridge.close()

    return start
