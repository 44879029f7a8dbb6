"""Reading one file: only from inside the vault, only up to the limit, and always with a reason when it fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from obsidian_indexer.errors import NoteError
from obsidian_indexer.options import VaultOptions
from obsidian_indexer.vault.scan import is_cloud_only, read_file

MakeVault = Callable[..., Path]


def test_bytes_come_back_as_they_are(make_vault: MakeVault) -> None:
    root = make_vault(["x/a.md"])
    (root / "x/a.md").write_bytes(b"\xef\xbb\xbfa\r\n\x00\xff")
    assert read_file(root, "x/a.md", VaultOptions()) == b"\xef\xbb\xbfa\r\n\x00\xff"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.md",
        "x/../../secret.md",
        "/etc/passwd",
        "//etc/passwd",
        "x//a.md",
        "./x/a.md",
        "..",
        "",
        "x/",
        "x/a.md\0.png",
        ".obsidian/app.json",
        "x/.hidden.md",
        "%2e%2e/secret.md",
        "../vault2/a.md",
    ],
)
def test_paths_out_of_the_vault_are_refused(make_vault: MakeVault, path: str) -> None:
    root = make_vault(["x/a.md"], {"app.json": {}})
    (root.parent / "secret.md").write_text("secret")
    (root.parent / "vault2").mkdir()
    (root.parent / "vault2/a.md").write_text("secret")
    with pytest.raises(NoteError):
        read_file(root, path, VaultOptions())


def test_links_are_not_read_unless_their_folder_may_be_followed(make_vault: MakeVault, tmp_path: Path) -> None:
    root = make_vault(["a.md"])
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.md").write_text("outside")
    (root / "folder").symlink_to(outside)
    (root / "file.md").symlink_to(outside / "b.md")
    for path in ("folder/b.md", "file.md"):
        with pytest.raises(NoteError, match="link"):
            read_file(root, path, VaultOptions())
    assert read_file(root, "folder/b.md", VaultOptions(follow_symlinks=True)) == b"outside"
    with pytest.raises(NoteError, match="link"):
        read_file(root, "file.md", VaultOptions(follow_symlinks=True))


def test_a_vanished_file_says_so(make_vault: MakeVault) -> None:
    with pytest.raises(NoteError, match=r"a\.md is no longer there"):
        read_file(make_vault([]), "a.md", VaultOptions())


def test_a_folder_and_a_pipe_are_refused_without_waiting(make_vault: MakeVault) -> None:
    root = make_vault(["dir.md/a.md"])
    os.mkfifo(root / "pipe.md")
    for path in ("dir.md", "pipe.md"):
        with pytest.raises(NoteError, match="not a regular file"):
            read_file(root, path, VaultOptions())


def test_a_denied_file_says_why(make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    root = make_vault(["a.md"])
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(NoteError, match=r"a\.md cannot be read: Permission denied"):
        read_file(root, "a.md", VaultOptions())


def test_of_a_file_over_the_limit_nothing_is_read(make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_vault(["a.md", "b.canvas"])
    for name in ("a.md", "b.canvas"):
        with (root / name).open("wb") as file:
            file.truncate(1 << 30)
    opened: list[str] = []
    monkeypatch.setattr(os, "open", lambda path, flags: opened.append(path))
    for name in ("a.md", "b.canvas"):
        with pytest.raises(NoteError, match="larger than the limit"):
            read_file(root, name, VaultOptions())
    assert opened == []


def test_a_placeholder_in_the_cloud_is_never_opened(make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_vault(["a.md"])
    real, opened = os.lstat, []

    def dataless(path: str) -> object:
        found = real(path)
        return SimpleNamespace(st_mode=found.st_mode, st_size=found.st_size, st_flags=0x40000020)

    monkeypatch.setattr(os, "lstat", dataless)
    monkeypatch.setattr(os, "open", lambda path, flags: opened.append(path))
    with pytest.raises(NoteError, match="in the cloud only"):
        read_file(root, "a.md", VaultOptions())
    assert opened == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"st_flags": 0x40000000}, True),
        ({"st_flags": 0x20}, False),
        ({"st_file_attributes": 0x400000}, True),
        ({"st_file_attributes": 0x1000}, True),
        ({"st_file_attributes": 0x20}, False),
        ({}, False),
    ],
)
def test_cloud_only_flags(fields: dict[str, int], expected: bool) -> None:
    assert is_cloud_only(SimpleNamespace(**fields)) is expected  # type: ignore[arg-type]


def test_reading_changes_nothing(make_vault: MakeVault) -> None:
    root = make_vault(["a.md"])
    before = (root / "a.md").stat()
    read_file(root, "a.md", VaultOptions())
    after = (root / "a.md").stat()
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)
