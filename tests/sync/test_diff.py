"""Disk against catalogue, by date and size."""

from __future__ import annotations

import pytest

from obsidian_indexer.records import FileStat, IgnoredFile
from obsidian_indexer.store.notes import StoredNote
from obsidian_indexer.sync.diff import compare

LATER = 10**18


def stored(
    path: str, mtime_ns: int = 1_000_000_123, size: int = 5, read_ns: int = LATER, chunker: str = "c"
) -> StoredNote:
    return StoredNote(1, path, mtime_ns, size, "00", read_ns, chunker, "indexed")


def test_an_unchanged_file_is_not_read() -> None:
    found = compare([FileStat("a.md", 1_000_000_123, 5)], {"a.md": stored("a.md")}, "c")
    assert (found.seen, found.to_read, found.missing) == (1, [], [])


@pytest.mark.parametrize(
    ("on_disk", "known"),
    [
        (FileStat("a.md", 1_000_000_124, 5), stored("a.md")),
        (FileStat("a.md", 1_000_000_123, 6), stored("a.md")),
        (FileStat("a.md", 1_000_000_123, 5), stored("a.md", chunker="older")),
        # Read within a tick of its last change: an edit of equal length could hide behind the same date.
        (FileStat("a.md", 1_000_000_123, 5), stored("a.md", read_ns=1_000_000_123)),
        (FileStat("a.md", 5_000_000_000, 5), stored("a.md", mtime_ns=5_000_000_000, read_ns=6_000_000_000)),
    ],
)
def test_a_file_that_may_have_changed_is_read(on_disk: FileStat, known: StoredNote) -> None:
    assert compare([on_disk], {"a.md": known}, "c").to_read == [on_disk]


def test_a_full_run_reads_everything() -> None:
    on_disk = FileStat("a.md", 1_000_000_123, 5)
    assert compare([on_disk], {"a.md": stored("a.md")}, "c", full=True).to_read == [on_disk]


def test_what_is_gone_is_missing() -> None:
    found = compare([], {"a.md": stored("a.md")}, "c")
    assert [note.path for note in found.missing] == ["a.md"]


def test_what_lies_in_an_unreadable_folder_is_not_missing() -> None:
    known = {path: stored(path) for path in ("locked/a.md", "open/b.md")}
    found = compare([IgnoredFile("locked/", "folder cannot be read")], known, "c")
    assert [note.path for note in found.missing] == ["open/b.md"]
    assert found.ignored == 0
