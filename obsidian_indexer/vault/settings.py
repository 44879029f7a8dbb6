"""What Obsidian itself has been told about a vault: the few keys of its settings folder that shape an index.

A file that is missing, broken or holds the wrong types counts as Obsidian's defaults; reading settings never fails.
"""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path

CONFIG_FOLDER = ".obsidian"
# Obsidian's own files are a few KB; more than this is not one of them.
_MAX_SETTINGS_BYTES = 1_000_000
_TEMPLATER_SETTINGS = "plugins/templater-obsidian/data.json"


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Obsidian's own settings of one vault. Folders are vault-relative without slashes at the ends, "" when unset."""

    ignore_filters: tuple[str, ...] = ()
    template_folders: tuple[str, ...] = ()
    daily_folder: str = ""
    daily_format: str = "YYYY-MM-DD"

    def is_template(self, path: str) -> bool:
        """Whether the note at `path` stands in a templates folder."""
        folded = fold_path(path)
        return any(folded.startswith(fold_path(folder) + "/") for folder in self.template_folders)


def fold_path(path: str) -> str:
    """A path or tag as it is compared: one Unicode form, lower case."""
    return (path if path.isascii() else unicodedata.normalize("NFC", path)).lower()


def find_vault(start: Path) -> Path | None:
    """The nearest folder upward from `start` (itself included) that holds `.obsidian`, resolved; None without one."""
    here = Path(os.path.realpath(start))
    for folder in (here, *here.parents):
        if (folder / CONFIG_FOLDER).is_dir():
            return folder
    return None


def read_settings(root: Path) -> VaultSettings:
    """The settings that Obsidian keeps in the vault at `root`; defaults where there are none."""
    folder = _config_folder(root)
    if folder is None:
        return VaultSettings()
    app = _read_object(folder / "app.json")
    daily = _read_object(folder / "daily-notes.json")
    filters = app.get("userIgnoreFilters")
    templates = (
        _folder(_read_object(folder / "templates.json").get("folder")),
        _folder(_read_object(folder / _TEMPLATER_SETTINGS).get("templates_folder")),
    )
    daily_format = daily.get("format")
    return VaultSettings(
        ignore_filters=tuple(item for item in filters if isinstance(item, str)) if isinstance(filters, list) else (),
        template_folders=tuple(dict.fromkeys(name for name in templates if name)),
        daily_folder=_folder(daily.get("folder")),
        daily_format=daily_format.strip() if isinstance(daily_format, str) and daily_format.strip() else "YYYY-MM-DD",
    )


def _config_folder(root: Path) -> Path | None:
    """`.obsidian`, or where that was renamed: the first dot folder that holds an `app.json`."""
    usual = root / CONFIG_FOLDER
    if usual.is_dir():
        return usual
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return None
    return next((root / name for name in names if (root / name / "app.json").is_file()), None)


def _read_object(path: Path) -> dict[str, object]:
    """The JSON object in a file, or {}."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_SETTINGS_BYTES:
            return {}
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _folder(value: object) -> str:
    return value.strip().strip("/") if isinstance(value, str) else ""
