"""Walking a vault: what is seen, in what order, and what must not stop the walk."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from obsidian_indexer.errors import VaultError
from obsidian_indexer.options import VaultOptions
from obsidian_indexer.records import FileStat, IgnoredFile
from obsidian_indexer.vault.scan import list_attachments, scan

MakeVault = Callable[..., Path]


def indexed(root: Path, **options: object) -> list[str]:
    found = scan(root, VaultOptions(**options))  # type: ignore[arg-type]
    return [entry.path for entry in found if isinstance(entry, FileStat)]


def ignored(root: Path, *, include_ignored: bool = False, **options: object) -> dict[str, str]:
    found = scan(root, VaultOptions(**options), include_ignored=include_ignored)  # type: ignore[arg-type]
    return {entry.path: entry.reason for entry in found if isinstance(entry, IgnoredFile)}


def test_notes_canvases_and_bases_are_indexed_whatever_their_case(make_vault: MakeVault) -> None:
    root = make_vault(["a.md", "B.MD", "c.canvas", "d.base", "e.png", "f.excalidraw", "noextension", "a.b.md"])
    assert sorted(indexed(root)) == ["B.MD", "a.b.md", "a.md", "c.canvas", "d.base"]


def test_file_stat_holds_size_and_time(make_vault: MakeVault) -> None:
    root = make_vault({"a.md": "12345"})
    os.utime(root / "a.md", ns=(1, 1_700_000_000_123_456_789))
    assert list(scan(root, VaultOptions())) == [FileStat("a.md", 1_700_000_000_123_456_789, 5)]


def test_dot_files_and_folders_are_invisible(make_vault: MakeVault) -> None:
    root = make_vault(["a.md", ".hidden.md", ".trash/old.md", "x/.git/b.md", "node_modules/c.md"])
    assert indexed(root) == ["a.md", "node_modules/c.md"]
    assert ignored(root, include_ignored=True) == {}


def test_a_vault_inside_the_vault_belongs_to_it(make_vault: MakeVault) -> None:
    root = make_vault(["inner/.obsidian/app.json", "inner/a.md"])
    assert indexed(root) == ["inner/a.md"]


def test_order_is_fixed_files_before_folders(make_vault: MakeVault) -> None:
    root = make_vault(["b/1.md", "a/2.md", "a/1.md", "z.md", "c.md", "a/x/1.md"])
    assert indexed(root) == ["c.md", "z.md", "a/1.md", "a/2.md", "a/x/1.md", "b/1.md"]


def test_the_walk_is_lazy(make_vault: MakeVault) -> None:
    root = make_vault(["a.md", "b/c.md"])
    walk = scan(root, VaultOptions())
    assert next(walk).path == "a.md"
    (root / "b/later.md").write_text("new")
    assert [entry.path for entry in walk] == ["b/c.md", "b/later.md"]


def test_names_that_are_no_text_or_differ_in_unicode_form_survive(make_vault: MakeVault) -> None:
    root = make_vault(["caf\u00e9.md", "cafe\u0301.md", "가나.md", "🙂 #^|.md"])
    try:
        os.close(os.open(os.fsencode(root) + b"/\xff.md", os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system takes text names only")
    assert sorted(indexed(root)) == sorted(["caf\u00e9.md", "cafe\u0301.md", "가나.md", "🙂 #^|.md", "\udcff.md"])


def test_long_names_are_found(make_vault: MakeVault) -> None:
    path = "/".join(["폴더" * 20] * 3) + "/" + "긴이름" * 20 + ".md"
    assert indexed(make_vault([path])) == [path]


def test_too_large_files_are_listed_with_both_sizes(make_vault: MakeVault) -> None:
    root = make_vault({"small.md": "x", "big.md": "x" * 3000, "big.canvas": "x" * 3000, "huge.canvas": "x" * 5000})
    assert sorted(indexed(root, max_note_bytes=2000, max_canvas_bytes=4000)) == ["big.canvas", "small.md"]
    reasons = ignored(root, max_note_bytes=2000, max_canvas_bytes=4000)
    assert reasons["big.md"] == "larger than the limit (3,000 of 2,000 bytes)"
    assert set(reasons) == {"big.md", "huge.canvas"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.sync-conflict-20240101-120000-ABCDEFG.md", "conflict copy left by a sync tool"),
        ("~syncthing~a.md", "temporary file of a sync tool"),
        ("a.tmp.md", "temporary file of a sync tool"),
    ],
)
def test_leftovers_of_sync_tools_are_left_out(make_vault: MakeVault, name: str, reason: str) -> None:
    root = make_vault(["a.md", name])
    assert indexed(root) == ["a.md"]
    assert ignored(root) == {name: reason}


def test_other_files_are_listed_on_request_only(make_vault: MakeVault) -> None:
    root = make_vault(["a.md", "b.png", "a.md.tmp"])
    assert ignored(root) == {}
    assert ignored(root, include_ignored=True) == {"b.png": "not a note", "a.md.tmp": "temporary file of a sync tool"}


def test_a_pipe_named_like_a_note_is_not_opened(make_vault: MakeVault) -> None:
    root = make_vault(["a.md"])
    os.mkfifo(root / "pipe.md")
    assert indexed(root) == ["a.md"]
    assert ignored(root) == {"pipe.md": "not a regular file"}


def unreadable(path: Path) -> None:
    path.chmod(0)
    if os.access(path, os.R_OK):
        path.chmod(0o755)
        pytest.skip("this user reads everything")


def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_is_scanned(
    make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_vault(["a/1.md", "b/1.md", "c/1.md"])
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert indexed(root) == ["a/1.md", "c/1.md"]
    assert ignored(root) == {"b/": "folder cannot be read: Permission denied"}


def test_a_folder_that_vanishes_is_passed_over(make_vault: MakeVault) -> None:
    root = make_vault(["a.md", "b/1.md", "c/1.md"])
    walk = scan(root, VaultOptions())
    assert next(walk).path == "a.md"
    (root / "b/1.md").unlink()
    (root / "b").rmdir()
    assert [entry.path for entry in walk] == ["c/1.md"]


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_root_that_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "vault"
    if kind == "file":
        root.write_text("x")
    with pytest.raises(VaultError, match=r"no vault at|not a folder"):
        list(scan(root, VaultOptions()))
    with pytest.raises(VaultError):
        list(list_attachments(root))


def test_a_root_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "vault"
    root.mkdir()
    unreadable(root)
    try:
        with pytest.raises(VaultError, match="cannot be read"):
            list(scan(root, VaultOptions()))
    finally:
        root.chmod(0o755)


def test_a_vault_that_disappears_during_the_walk_is_an_error_not_an_empty_vault(make_vault: MakeVault) -> None:
    root = make_vault(["a.md", "b/1.md"])
    walk = scan(root, VaultOptions())
    assert next(walk).path == "a.md"
    root.rename(root.with_name("away"))
    with pytest.raises(VaultError):
        list(walk)


# --- links between folders


def test_links_are_not_followed_unless_allowed(make_vault: MakeVault, tmp_path: Path) -> None:
    root = make_vault(["a.md"])
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (root / "link").symlink_to(outside)
    (root / "file.md").symlink_to(outside / "secret.md")
    (root / "picture.png").symlink_to(outside / "secret.md")
    (root / "broken.md").symlink_to(outside / "nothing.md")
    assert indexed(root) == ["a.md"]
    assert set(ignored(root)) == {"link", "file.md", "broken.md"}
    assert indexed(root, follow_symlinks=True) == ["a.md", "link/secret.md"]


def test_links_into_the_vault_to_its_parents_and_to_each_other_are_never_followed(
    make_vault: MakeVault, tmp_path: Path
) -> None:
    root = make_vault(["a.md", "sub/b.md"])
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "c.md").write_text("c")
    (outside / "deep/d.md").write_text("d")
    (outside / "back").symlink_to(outside)
    for number, target in enumerate([root, root / "sub", tmp_path, outside, outside / "deep", outside]):
        (root / f"{number}").symlink_to(target)
    assert indexed(root, follow_symlinks=True) == ["a.md", "3/c.md", "3/deep/d.md", "sub/b.md"]


# --- link targets


def test_attachments_hold_every_visible_file_ignored_or_not(make_vault: MakeVault) -> None:
    root = make_vault(
        ["a.md", "Templates/t.md", "pic.png", "x/y.pdf", ".obsidian/app.json"],
        {"templates.json": {"folder": "Templates"}},
    )
    assert sorted(list_attachments(root)) == ["Templates/t.md", "a.md", "pic.png", "x/y.pdf"]


def test_scanning_many_files_asks_the_disk_once_per_file(
    make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_vault([f"{folder}/{number}.md" for folder, number in itertools.product(range(5), range(20))])
    calls = 0
    real = os.scandir

    def scandir(path: str) -> object:
        nonlocal calls
        calls += 1
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert len(indexed(root)) == 100
    assert calls == 6
