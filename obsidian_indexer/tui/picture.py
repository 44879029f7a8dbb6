"""Where a picture of the screen is saved."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


def picture_path() -> Path:
    """A name with the time of day, in the user's downloads, or in the home folder where there are none."""
    import platformdirs

    folder = platformdirs.user_downloads_path()
    if not folder.is_dir():
        folder = Path.home()
    return folder / f"obsidian-indexer-{datetime.now():%Y-%m-%d-%H%M%S}.svg"  # noqa: DTZ005 - the user's own time


def write_picture(path: Path, svg: str) -> None:
    """Write the picture. Raises OSError; a file that is there already is kept."""
    with path.open("x", encoding="utf-8") as file:
        file.write(svg)


def shown_path(path: Path) -> str:
    """The path with the home folder as `~`."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
