"""What Obsidian was told about the vault, and the folder a vault is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from obsidian_indexer.vault.daily import daily_date
from obsidian_indexer.vault.settings import VaultSettings, find_vault, read_settings

MakeVault = Callable[..., Path]


def test_settings_are_read(make_vault: MakeVault) -> None:
    root = make_vault(
        [],
        {
            "app.json": {"userIgnoreFilters": ["a/", 3, "/b/"]},
            "templates.json": {"folder": "/Templates/"},
            "daily-notes.json": {"folder": "Daily", "format": "YYYY/MM-DD", "template": "T"},
        },
    )
    assert read_settings(root) == VaultSettings(("a/", "/b/"), ("Templates",), "Daily", "YYYY/MM-DD")


def test_no_settings_are_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == VaultSettings()


def test_a_renamed_settings_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".obsidian-phone").mkdir()
    (tmp_path / ".obsidian-phone/app.json").write_text('{"userIgnoreFilters": ["x"]}')
    assert read_settings(tmp_path).ignore_filters == ("x",)


def test_a_marked_or_deep_file_does_no_harm(make_vault: MakeVault) -> None:
    root = make_vault([])
    (root / ".obsidian/app.json").write_bytes(b'\xef\xbb\xbf{"userIgnoreFilters": ["x"]}')
    assert read_settings(root).ignore_filters == ("x",)
    (root / ".obsidian/app.json").write_text("[" * 200_000)
    assert read_settings(root) == VaultSettings()


def test_the_vault_is_the_nearest_folder_with_obsidians_settings(tmp_path: Path) -> None:
    (tmp_path / "v/.obsidian").mkdir(parents=True)
    (tmp_path / "v/a/b").mkdir(parents=True)
    (tmp_path / "v/inner/.obsidian").mkdir(parents=True)
    assert find_vault(tmp_path / "v/a/b") == (tmp_path / "v").resolve()
    assert find_vault(tmp_path / "v/inner") == (tmp_path / "v/inner").resolve()
    assert find_vault(tmp_path / "v/a/b/note.md") == (tmp_path / "v").resolve()


def test_no_vault_around(tmp_path: Path) -> None:
    assert find_vault(tmp_path) is None


@pytest.mark.parametrize(
    ("moment", "folder", "path", "expected"),
    [
        ("YYYY-MM-DD", "", "2024-07-21.md", "2024-07-21"),
        ("YYYY-MM-DD", "", "x/2024-07-21.md", "2024-07-21"),
        ("YYYY-MM-DD", "", "2024-07-21 notes.md", None),
        ("YYYY-MM-DD", "", "2024-02-30.md", None),
        ("YYYY-MM-DD", "", "2024-07-21.canvas", None),
        ("YYYY-MM-DD", "Daily", "daily/2024-07-21.md", "2024-07-21"),
        ("YYYY-MM-DD", "Daily", "2024-07-21.md", None),
        ("YYYY-MM-DD", "Daily", "Daily/x/2024-07-21.md", None),
        ("YYYY/MM-MMMM/YYYY-MM-DD-dddd", "D", "D/2024/07-July/2024-07-21-Sunday.md", "2024-07-21"),
        ("YYYY/MM-MMMM/YYYY-MM-DD", "D", "D/2023/07-July/2024-07-21.md", None),
        ("YYYY/MM/DD", "", "journal/2024/07/21.md", "2024-07-21"),
        ("dddd, MMMM Do YYYY", "", "Sunday, July 21st 2024.md", "2024-07-21"),
        ("D MMM YY", "", "1 jan 24.md", "2024-01-01"),
        ("YYYY년 M월 D일 dddd", "", "2024년 7월 21일 일요일.md", "2024-07-21"),
        ("YYYY년 MMMM Do", "", "2024년 7월 21일.md", "2024-07-21"),
        ("[Day] YYYY.MM.DD", "", "Day 2024.07.21.md", "2024-07-21"),
        ("YYYY-DDDD", "", "2024-366.md", "2024-12-31"),
        ("YYYY-DDDD", "", "2023-366.md", None),
        ("gggg-[W]ww", "", "2024-W30.md", None),
        ("YYYYMMDDHHmm", "", "202407210930.md", "2024-07-21"),
        ("(YYYY) MM.DD", "", "(2024) 07.21.md", "2024-07-21"),
    ],
)
def test_daily_notes_dates(moment: str, folder: str, path: str, expected: str | None) -> None:
    assert daily_date(path, VaultSettings(daily_folder=folder, daily_format=moment)) == expected
