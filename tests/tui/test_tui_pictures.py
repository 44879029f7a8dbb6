"""A few whole pictures; each test says what its picture must show."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from textual.pilot import Pilot
from textual.widgets import Input

from obsidian_indexer.tui.app import IndexerApp
from obsidian_indexer.tui.runs import Warmth
from tests.tui.conftest import Stage, make_app
from tests.tui.fake_engine import FakeEngine, FakeOpening


class Compare(Protocol):
    """The snapshot fixture."""

    def __call__(
        self,
        app: IndexerApp,
        *,
        terminal_size: tuple[int, int],
        run_before: Callable[[Pilot[int]], Awaitable[None]],
    ) -> bool:
        """Whether the picture is the one that was approved."""


async def when_ready(stage: Stage) -> None:
    """Wait for index and model."""
    await stage.until(lambda: stage.app.bridge.warmth is Warmth.LOADED and stage.app.bridge.model_line)


def test_menu_picture(snap_compare: Compare, tmp_path: Path) -> None:
    """A centred column: the vault's name in colour, counts below it, seven numbered entries with the first one
    highlighted, the model in one line; top line and key help at the edges."""
    opening = FakeOpening()
    app = make_app(tmp_path, opening, [])

    async def before(pilot: Pilot[int]) -> None:
        stage = Stage(app, pilot, opening, [])
        await when_ready(stage)
        await stage.assert_shown("all-MiniLM-L6-v2 · torch")

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


def test_search_picture(snap_compare: Compare, tmp_path: Path) -> None:
    """Left three results with title, folder, score bar, place and snippet, the query's words marked and the first one
    highlighted; right the note with the passage's two lines marked by a bar and a tint, Korean columns aligned in the
    table, links, callout, boxes and code in their styles."""
    opening = FakeOpening()
    app = make_app(tmp_path, opening, [])

    async def before(pilot: Pilot[int]) -> None:
        stage = Stage(app, pilot, opening, [])
        await when_ready(stage)
        await stage.press("2")
        app.screen.query_one(Input).cursor_blink = False
        await stage.press(*"link")
        await stage.assert_shown("▎ A block can be any")
        await stage.until(lambda: "refining" not in stage.screen_text())

    assert snap_compare(app, terminal_size=(120, 40), run_before=before)


def test_small_index_picture(snap_compare: Compare, tmp_path: Path) -> None:
    """On 40 × 12 cells a run under way: three buttons, the stage, a bar at 40 %, six figures in two rows none of them
    cut, the current note, and the key that cancels."""
    opening = FakeOpening()
    gate = threading.Event()

    def prepare(engine: FakeEngine) -> None:
        engine.index_gate = gate

    opening.prepare = prepare
    app = make_app(tmp_path, opening, [])

    async def before(pilot: Pilot[int]) -> None:
        stage = Stage(app, pilot, opening, [])
        await when_ready(stage)
        await stage.press("1", "u")
        await stage.assert_shown("Embedding passages")
        await stage.assert_shown("c Cancel")

    try:
        assert snap_compare(app, terminal_size=(40, 12), run_before=before)
    finally:
        gate.set()
