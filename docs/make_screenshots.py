"""Takes the pictures of the app for the documentation: `python docs/make_screenshots.py`.

A copy of the demo vault is indexed with the bundled model, the app is driven by keys as a user would, and each screen
is written to `docs/images/` as SVG. Nothing is fetched and nothing outside the folder of images is changed.
"""

from __future__ import annotations

import asyncio
import html
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path

from rich.cells import cell_len

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from textual.pilot import Pilot  # noqa: E402
from textual.widgets import Input, OptionList  # noqa: E402

import config  # noqa: E402
from obsidian_indexer.errors import ConfigError  # noqa: E402
from obsidian_indexer.options import Options  # noqa: E402
from obsidian_indexer.tui.app import IndexerApp  # noqa: E402
from obsidian_indexer.tui.bridge import Bridge  # noqa: E402
from obsidian_indexer.tui.launch import open_real_engine  # noqa: E402
from obsidian_indexer.tui.runs import Warmth  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZE = (110, 32)
WAIT_S = 300
TEXT = re.compile(r'(<text[^>]*textLength=")([0-9.]+)("[^>]*>)([^<]*)')
FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
QUERY = "turning kitchen peelings into soil"
KOREAN_QUERY = "김치"


def picture(svg: str) -> str:
    """The exported picture with wide characters given their two cells, and without fonts from the network."""

    def widen(found: re.Match[str]) -> str:
        text = html.unescape(found[4])
        if not text:
            return found[0]
        width = float(found[2]) / len(text) * cell_len(text)
        return f"{found[1]}{width:g}{found[3]}{found[4]}"

    return TEXT.sub(widen, FONT_FACE.sub("", svg))


class Camera:
    """Drives the app and takes its pictures."""

    def __init__(self, app: IndexerApp, pilot: Pilot[int]) -> None:
        self._app = app
        self._pilot = pilot

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until the predicate holds, then for the screen to settle."""
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.4)
        await self._pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self._pilot.press(*keys)
        await self._pilot.pause()

    async def type(self, text: str) -> None:
        """Put a query into the search field."""
        field = self._app.screen.query_one(Input)
        field.cursor_blink = False
        field.value = text
        await self._pilot.pause()

    def take(self, name: str) -> None:
        """Write the picture of the screen as it is now."""
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"{name}.svg").write_text(picture(self._app.export_screenshot()), encoding="utf-8")


async def take_all(app: IndexerApp, vault: Path) -> None:
    """Go through the screens."""
    bridge = app.bridge
    async with app.run_test(size=SIZE) as pilot:
        camera = Camera(app, pilot)
        await camera.until(lambda: bridge.status is not None)
        await camera.press("1", "u")
        await camera.until(lambda: bridge.run is not None and bridge.run.finished)
        camera.take("index")
        await camera.press("escape")
        await camera.until(lambda: bridge.warmth is Warmth.LOADED and bridge.status and bridge.status.notes)
        camera.take("menu")
        await camera.press("2")
        for name, query in (("search", QUERY), ("search-korean", KOREAN_QUERY)):
            await camera.type(query)
            await camera.until(lambda: all(worker.is_finished for worker in app.workers))
            camera.take(name)
        await camera.press("escape", "3", "s")
        await camera.until(lambda: bridge.watching is not None and bridge.watching.state.value in {"live", "polling"})
        (vault / "Garden" / "First frost.md").write_text("# First frost\n\nCover the beds.\n", encoding="utf-8")
        seen = len(bridge.log_since(0))
        await camera.until(lambda: len(bridge.log_since(0)) >= seen + 2)
        camera.take("watch")
        await camera.press("x")
        await camera.until(lambda: not bridge.watch_on)
        await camera.press("escape", "5")
        await camera.until(lambda: app.screen.query_one(OptionList).option_count)
        camera.take("settings")


def main() -> None:
    """Index a copy of the demo vault and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        vault = Path(folder) / "demo-vault"
        shutil.copytree(ROOT / "assets" / "demo-vault", vault)
        settings = config.load({"vault.path": vault, "vault.data_dir": Path(folder) / "index"})

        def load() -> Options:
            return settings.options

        def refuse(section: str, name: str, value: object) -> None:
            raise ConfigError("Settings stay as they are while pictures are taken.")

        bridge = Bridge(load, open_real_engine)
        places = {"path": "~/demo-vault", "data_dir": "~/.local/share/obsidian-indexer/demo-vault"}
        rows = [
            replace(row, value=places[row.name], source="user's file") if row.name in places else row
            for row in settings.rows
        ]
        app = IndexerApp(bridge, settings_view=lambda: rows, save_setting=refuse)
        # The headless screen has no error stream for it to inherit, once it runs.
        resource_tracker.ensure_running()
        asyncio.run(take_all(app, vault))
        bridge.close(timeout_s=30)


if __name__ == "__main__":
    main()
