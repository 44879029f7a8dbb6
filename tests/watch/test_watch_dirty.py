"""What counts as dirty, and when a burst is taken up: pure logic, every time is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsidian_indexer.watch.dirty import Debouncer, DirtySet, EventSorter, Inbox

ROOT = Path("/vault")


def make_inbox(*, full_diff_paths: int = 500) -> Inbox:
    return Inbox(Debouncer(0.5, 2.0), lambda: 0.0, full_diff_paths=full_diff_paths)


def sorted_into(*events: tuple[str, bool]) -> DirtySet | None:
    inbox = make_inbox()
    sorter = EventSorter(ROOT, inbox)
    for path, is_folder in events:
        sorter.sort(path, is_folder=is_folder)
    return inbox.take()


def test_no_burst_has_no_deadline() -> None:
    assert Debouncer(0.5, 2.0).due_at() is None


def test_a_change_waits_for_silence() -> None:
    debouncer = Debouncer(0.5, 2.0)
    debouncer.note(10.0)
    assert debouncer.due_at() == 10.5
    debouncer.note(10.4)
    assert debouncer.due_at() == 10.9


def test_steady_writing_is_taken_up_after_the_longest_wait() -> None:
    debouncer = Debouncer(0.5, 2.0)
    for tenth in range(100):
        debouncer.note(10.0 + tenth / 10)
    assert debouncer.due_at() == 12.0


def test_a_new_burst_starts_its_own_wait() -> None:
    debouncer = Debouncer(0.5, 2.0)
    debouncer.note(10.0)
    debouncer.reset()
    assert debouncer.due_at() is None
    debouncer.note(50.0)
    assert debouncer.due_at() == 50.5


@given(gaps=st.lists(st.floats(0.0, 3.0), max_size=30))
def test_the_deadline_never_passes_the_longest_wait_and_never_precedes_silence(gaps: list[float]) -> None:
    debouncer = Debouncer(0.5, 2.0)
    now = first = 100.0
    debouncer.note(now)
    for gap in gaps:
        now += gap
        debouncer.note(now)
    due_at = debouncer.due_at()
    assert due_at is not None
    assert due_at <= first + 2.0
    assert due_at in (now + 0.5, first + 2.0)


@pytest.mark.parametrize(
    "path", ["/vault/a.md", "/vault/folder/deep/b.MD", "/vault/board.canvas", "/vault/노트/메모.md", "/vault/q.base"]
)
def test_notes_count(path: str) -> None:
    dirty = sorted_into((path, False))
    assert dirty == DirtySet(paths=frozenset({path.removeprefix("/vault/")}), reason="changes on disk")


@pytest.mark.parametrize(
    "path",
    [
        "/vault/image.png",
        "/vault/a.md.tmp",
        "/vault/.a.md.swp",
        "/vault/4913",
        "/vault/.git/index",
        "/vault/.git/notes.md",
        "/vault/.trash/old.md",
        "/vault/sub/.obsidian/app.json",
        "/vault/.obsidian/workspace.json",
        "/vault/.stversions/.gitignore",
        "/vault-other/a.md",
        "/elsewhere/a.md",
    ],
)
def test_what_is_no_note_is_left_out(path: str) -> None:
    assert sorted_into((path, False)) is None


@pytest.mark.parametrize("path", ["/vault/.git/objects/ab", "/vault/.obsidian/plugins", "/elsewhere"])
def test_hidden_and_foreign_folders_are_left_out(path: str) -> None:
    assert sorted_into((path, True)) is None


@pytest.mark.parametrize(
    "path",
    [
        "/vault/.obsidian/app.json",
        "/vault/.obsidian/templates.json",
        "/vault/.obsidianindexignore",
        "/vault/.gitignore",
        "/vault/sub/.gitignore",
    ],
)
def test_a_changed_rule_means_everything(path: str) -> None:
    dirty = sorted_into((path, False))
    assert dirty is not None
    assert dirty.everything


def test_the_name_of_the_ignore_file_is_a_setting() -> None:
    inbox = make_inbox()
    EventSorter(ROOT, inbox, ignore_file=".mine").sort("/vault/.mine", is_folder=False)
    dirty = inbox.take()
    assert dirty is not None
    assert dirty.everything


@pytest.mark.parametrize("path", ["/vault", "/vault/.obsidian"])
def test_the_root_and_the_settings_folder_mean_everything(path: str) -> None:
    dirty = sorted_into((path, True))
    assert dirty is not None
    assert dirty.everything


def test_a_folder_covers_what_lies_below_it() -> None:
    dirty = sorted_into(
        ("/vault/a/b/before.md", False),
        ("/vault/a/b", True),
        ("/vault/a/b/after.md", False),
        ("/vault/a/b/c", True),
        ("/vault/a/bc.md", False),
    )
    assert dirty == DirtySet(frozenset({"a/bc.md"}), frozenset({"a/b"}), reason="changes on disk")


def test_a_folder_and_a_note_of_the_same_name_are_both_kept() -> None:
    dirty = sorted_into(("/vault/x.md", True), ("/vault/x.md", False))
    assert dirty == DirtySet(frozenset({"x.md"}), frozenset({"x.md"}), reason="changes on disk")


def test_too_many_paths_mean_everything() -> None:
    inbox = make_inbox(full_diff_paths=3)
    for number in range(3):
        inbox.add_file(f"{number}.md")
    inbox.add_file("0.md")
    inbox.add_file("3.md")
    inbox.add_file("4.md")
    dirty = inbox.take()
    assert dirty == DirtySet(everything=True, reason="more than 3 changed paths")


def test_a_large_folder_moved_in_stays_one_prefix() -> None:
    inbox = make_inbox(full_diff_paths=3)
    inbox.add_folder("in")
    for number in range(100):
        inbox.add_file(f"in/{number}.md")
    assert inbox.take() == DirtySet(prefixes=frozenset({"in"}), reason="changes on disk")


def test_everything_swallows_the_paths_and_keeps_the_first_reason() -> None:
    inbox = make_inbox()
    inbox.add_file("a.md")
    inbox.add_everything("first")
    inbox.add_everything("second")
    inbox.add_file("b.md")
    assert inbox.take() == DirtySet(everything=True, reason="first")
    assert inbox.take() is None
    assert inbox.due_at() is None


@given(
    folders=st.sets(st.sampled_from(["a", "a/b", "a/b/c", "ab", "b"])),
    files=st.sets(st.sampled_from(["a.md", "a/x.md", "a/b/x.md", "ab/x.md", "b/c/d/x.md", "c/x.md"])),
    folders_first=st.booleans(),
)
def test_nothing_added_is_ever_lost(folders: set[str], files: set[str], folders_first: bool) -> None:
    inbox = make_inbox()
    for is_folder_round in (folders_first, not folders_first):
        if is_folder_round:
            for folder in folders:
                inbox.add_folder(folder)
        else:
            for file in files:
                inbox.add_file(file)
    dirty = inbox.take() or DirtySet()
    assert all(dirty.covers(file) for file in files)
    assert all(dirty.covers(f"{folder}/some.md") for folder in folders)
    assert not dirty.covers("elsewhere/x.md")
