"""A vault that a test writes file by file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

MakeVault = Callable[..., Path]


@pytest.fixture
def make_vault(tmp_path: Path) -> MakeVault:
    """Writes a vault: keyword `files` maps paths to text, `config` maps names of Obsidian's settings to JSON values."""

    def make(files: dict[str, str] | list[str], config: dict[str, object] | None = None) -> Path:
        root = tmp_path / "vault"
        (root / ".obsidian").mkdir(parents=True, exist_ok=True)
        for path in files:
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path] if isinstance(files, dict) else "text", encoding="utf-8")
        for name, value in (config or {}).items():
            target = root / ".obsidian" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(value), encoding="utf-8")
        return root

    return make
