"""The watch on a real file system, with the system's own events."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from obsidian_indexer.events import CancelToken, Event, WatchState, WatchStateEvent
from obsidian_indexer.options import WatchOptions
from obsidian_indexer.watch import DirtySet, Watcher
from obsidian_indexer.watch.observe import WatchdogObserver

HANG_GUARD_S = 60.0

linux_only = pytest.mark.skipif(platform.system() != "Linux", reason="looks inside inotify")


def wait_until(predicate: Callable[[], bool], what: str) -> None:
    """Block until it holds; the limit only keeps a broken build from hanging."""
    limit = time.monotonic() + HANG_GUARD_S
    while not predicate():
        assert time.monotonic() < limit, f"never happened: {what}"
        threading.Event().wait(0.005)


class Live:
    """A watcher running on its own thread over a real vault."""

    def __init__(self, root: Path, options: WatchOptions) -> None:
        self.root = root
        self.synced: list[DirtySet] = []
        self.events: list[Event] = []
        self.observers: list[WatchdogObserver] = []
        self.cancel = CancelToken()
        self.watcher = Watcher(
            root,
            options,
            self.synced.append,
            cancel=self.cancel,
            on_event=self.events.append,
            observer_factory=self._observe,
            mounted=lambda: [("/", "ext4")],
        )
        self._thread = threading.Thread(target=self.watcher.run)

    def _observe(self, sorter: object) -> WatchdogObserver:
        self.observers.append(WatchdogObserver(sorter))  # type: ignore[arg-type]
        return self.observers[-1]

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self.state in (WatchState.LIVE, WatchState.POLLING), "the watch is up")
        self.synced.clear()

    def stop(self) -> None:
        self.cancel.cancel()
        self._thread.join(HANG_GUARD_S)
        assert not self._thread.is_alive()

    @property
    def state(self) -> WatchState | None:
        states = [event.state for event in self.events if isinstance(event, WatchStateEvent)]
        return states[-1] if states else None

    def assert_looked_at(self, *paths: str) -> None:
        """Each path gets covered by some cycle; then forget the cycles so far."""
        for path in paths:
            wait_until(lambda path=path: any(dirty.covers(path) for dirty in list(self.synced)), f"{path} is looked at")
        self.synced.clear()

    def settle(self) -> None:
        """Wait until everything that was done before this call has been reported."""
        marker = self.root / "marker.md"
        marker.write_text(str(time.monotonic_ns()))
        wait_until(lambda: any("marker.md" in dirty.paths for dirty in list(self.synced)), "the marker is looked at")
        marker.unlink()


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    root = tmp_path / "vault"
    (root / "folder" / "deep").mkdir(parents=True)
    (root / ".obsidian").mkdir()
    (root / ".git").mkdir()
    (root / "a.md").write_text("a")
    (root / "folder" / "b.md").write_text("b")
    (root / "folder" / "deep" / "c.md").write_text("c")
    return root


@pytest.fixture
def live(vault: Path) -> Iterator[Live]:
    live = Live(vault, WatchOptions(quiet_s=0.02, max_wait_s=0.2))
    live.start()
    yield live
    live.stop()


def test_create(live: Live) -> None:
    (live.root / "new.md").write_text("new")
    live.assert_looked_at("new.md")


def test_edit(live: Live) -> None:
    with (live.root / "folder" / "deep" / "c.md").open("a") as file:
        file.write("more")
    live.assert_looked_at("folder/deep/c.md")


def test_rename(live: Live) -> None:
    (live.root / "a.md").rename(live.root / "folder" / "z.md")
    live.assert_looked_at("a.md", "folder/z.md")


def test_rename_by_case_only(live: Live) -> None:
    (live.root / "a.md").rename(live.root / "A.md")
    live.assert_looked_at("a.md", "A.md")


def test_delete(live: Live) -> None:
    (live.root / "folder" / "b.md").unlink()
    live.assert_looked_at("folder/b.md")


def test_touch_and_permissions(live: Live) -> None:
    os.utime(live.root / "a.md", (1, 1))
    live.assert_looked_at("a.md")
    (live.root / "folder" / "b.md").chmod(0o600)
    live.assert_looked_at("folder/b.md")


def test_atomic_save_by_rename(live: Live) -> None:
    partial = live.root / ".a.md.tmp"
    partial.write_text("whole")
    partial.replace(live.root / "a.md")
    live.assert_looked_at("a.md")


def test_replaced_by_a_file_from_outside(live: Live, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("from outside")
    outside.replace(live.root / "a.md")
    live.assert_looked_at("a.md")


def test_a_save_as_vim_does_it(live: Live) -> None:
    note = live.root / "a.md"
    (live.root / "4913").write_text("")
    (live.root / "4913").unlink()
    backup = live.root / "a.md~"
    note.rename(backup)
    note.write_text("saved")
    backup.unlink()
    live.assert_looked_at("a.md")


def test_a_new_folder_and_what_is_written_in_it_later(live: Live) -> None:
    (live.root / "x" / "y").mkdir(parents=True)
    (live.root / "x" / "y" / "early.md").write_text("early")
    live.assert_looked_at("x/y/early.md")
    live.settle()
    live.synced.clear()
    (live.root / "x" / "y" / "late.md").write_text("late")
    live.assert_looked_at("x/y/late.md")


def test_a_folder_renamed_and_edited_afterwards(live: Live) -> None:
    (live.root / "folder").rename(live.root / "renamed")
    live.assert_looked_at("folder/b.md", "folder/deep/c.md", "renamed/b.md", "renamed/deep/c.md")
    (live.root / "renamed" / "deep" / "c.md").write_text("edited")
    live.assert_looked_at("renamed/deep/c.md")


def test_a_folder_moved_out_and_in_again(live: Live, tmp_path: Path) -> None:
    (live.root / "folder").rename(tmp_path / "outside")
    live.assert_looked_at("folder/b.md", "folder/deep/c.md")
    (tmp_path / "outside").rename(live.root / "back")
    live.assert_looked_at("back/b.md", "back/deep/c.md")
    (live.root / "back" / "deep" / "c.md").write_text("edited")
    live.assert_looked_at("back/deep/c.md")


def test_a_folder_deleted(live: Live) -> None:
    shutil.rmtree(live.root / "folder")
    live.assert_looked_at("folder/b.md", "folder/deep/c.md")


def test_a_folder_put_in_the_trash_and_restored(live: Live) -> None:
    (live.root / ".trash").mkdir()
    (live.root / "folder").rename(live.root / ".trash" / "folder")
    live.assert_looked_at("folder/b.md")
    (live.root / ".trash" / "folder").rename(live.root / "folder")
    live.assert_looked_at("folder/b.md", "folder/deep/c.md")
    (live.root / "folder" / "b.md").write_text("edited")
    live.assert_looked_at("folder/b.md")


def test_a_name_that_is_not_utf8(live: Live) -> None:
    if platform.system() != "Linux":
        pytest.skip("this file system takes only Unicode names")
    name = os.fsdecode(b"bad-\xff.md")
    (live.root / name).write_text("x")
    live.assert_looked_at(name)


def test_reading_and_other_files_cause_no_cycle(live: Live) -> None:
    (live.root / "a.md").read_text()
    list((live.root / "folder").iterdir())
    (live.root / "image.png").write_bytes(b"x")
    (live.root / ".git" / "HEAD").write_text("x")
    (live.root / ".obsidian" / "workspace.json").write_text("{}")
    live.settle()
    assert {path for dirty in live.synced for path in dirty.paths} == {"marker.md"}
    assert not any(dirty.everything or dirty.prefixes for dirty in live.synced)


@pytest.mark.parametrize("name", [".obsidian/app.json", ".obsidianindexignore"])
def test_a_changed_rule_compares_everything(live: Live, name: str) -> None:
    (live.root / name).write_text("{}")
    wait_until(lambda: any(dirty.everything for dirty in list(live.synced)), "everything is compared")


def test_no_file_of_a_burst_is_left_out(live: Live) -> None:
    names = [f"{number}.md" for number in range(1500)]
    for name in names:
        (live.root / name).write_text("x")
    live.assert_looked_at(*names)


def test_a_symlinked_vault(vault: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(vault, target_is_directory=True)
    live = Live(tmp_path / "link", WatchOptions(quiet_s=0.02, max_wait_s=0.2))
    live.start()
    try:
        (vault / "folder" / "b.md").write_text("edited")
        live.assert_looked_at("folder/b.md")
        (vault / "a.md").write_text("edited")
        live.assert_looked_at("a.md")
    finally:
        live.stop()


def test_the_vault_moved_away_and_back(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("obsidian_indexer.watch.loop.ROOT_CHECK_S", 0.02)
    live.root.rename(tmp_path / "away")
    wait_until(lambda: live.state is WatchState.PAUSED, "the watch pauses")
    assert not any(dirty.everything for dirty in live.synced)
    (tmp_path / "away" / "a.md").write_text("edited while away")
    (tmp_path / "away").rename(live.root)
    wait_until(lambda: live.state is WatchState.LIVE, "the watch is live again")
    assert live.synced[-1] == DirtySet(everything=True, reason="the vault is back")
    live.synced.clear()
    (live.root / "a.md").write_text("edited")
    live.assert_looked_at("a.md")


def test_the_vault_deleted_and_made_anew(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("obsidian_indexer.watch.loop.ROOT_CHECK_S", 0.02)
    shutil.rmtree(live.root)
    wait_until(lambda: live.state is WatchState.PAUSED, "the watch pauses")
    (live.root / "folder").mkdir(parents=True)
    (live.root / "folder" / "b.md").write_text("b")
    wait_until(lambda: live.state is WatchState.LIVE, "the watch is live again")
    live.settle()
    live.synced.clear()
    (live.root / "folder" / "b.md").write_text("edited")
    live.assert_looked_at("folder/b.md")


@linux_only
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
@pytest.mark.parametrize("refused", ["the vault itself", "a folder in it"])
def test_exhausted_inotify_limits_mean_polling(
    vault: Path, monkeypatch: pytest.MonkeyPatch, number: int, refused: str
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    original = InotifyFD.add_callback

    def refuse(self: InotifyFD, path: bytes, *rest: object) -> object:
        if (path == os.fsencode(vault.resolve())) == (refused == "the vault itself"):
            raise OSError(number, "limit")
        return original(self, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(InotifyFD, "add_callback", refuse)
    live = Live(vault, WatchOptions(poll_s=0.1))
    live.start()
    try:
        assert live.state is WatchState.POLLING
        assert isinstance(live.events[-1], WatchStateEvent)
        assert "limit" in live.events[-1].reason
        wait_until(lambda: any(dirty.reason == "poll" for dirty in list(live.synced)), "a poll")
    finally:
        live.stop()


@linux_only
def test_no_inotify_instance_left_means_polling(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    def refuse() -> int:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(InotifyFD, "_create_inotify_fd", staticmethod(refuse))
    live = Live(vault, WatchOptions())
    live.start()
    try:
        assert live.state is WatchState.POLLING
        assert isinstance(live.events[-1], WatchStateEvent)
        assert "max_user_instances" in live.events[-1].reason
    finally:
        live.stop()


@linux_only
def test_a_queue_overflow_compares_everything_and_the_watch_goes_on(live: Live) -> None:
    from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, Mask, WatchDescriptor

    overflow = InotifyEvent(WatchDescriptor(-1), Mask(InotifyConstants.IN_Q_OVERFLOW), 0, b"")
    observer = live.observers[-1]._observer
    observer._reader.handle_event(overflow)  # type: ignore[union-attr]
    wait_until(lambda: any("more changes at once" in dirty.reason for dirty in list(live.synced)), "a full comparison")
    live.synced.clear()
    (live.root / "folder" / "deep" / "c.md").write_text("edited")
    live.assert_looked_at("folder/deep/c.md")
    assert live.state is WatchState.LIVE


@linux_only
def test_a_folder_that_left_and_whose_name_was_taken(live: Live, tmp_path: Path) -> None:
    """watchdog keeps watching a folder that left; when both it and its namesake go, its reading thread trips."""
    (live.root / "folder" / "deep").rename(tmp_path / "outside")
    live.assert_looked_at("folder/deep/c.md")
    (live.root / "folder" / "deep").mkdir()
    live.settle()
    (live.root / "folder" / "deep").rmdir()
    live.settle()
    shutil.rmtree(tmp_path / "outside")
    live.settle()
    live.synced.clear()
    (live.root / "folder" / "b.md").write_text("edited")
    live.assert_looked_at("folder/b.md")
    assert live.state is WatchState.LIVE


@linux_only
def test_a_real_overflow_while_the_reader_is_held_up(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from obsidian_indexer.watch.inotify import ReportingInotify

    queue_length = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if queue_length > 20_000:
        pytest.skip("the queue of this system is too long for a quick test")
    held_up, go_on = threading.Event(), threading.Event()
    original = ReportingInotify.handle_event

    def hold_up(self: ReportingInotify, event: object) -> None:
        held_up.set()
        go_on.wait(HANG_GUARD_S)
        original(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(ReportingInotify, "handle_event", hold_up)
    live = Live(vault, WatchOptions(quiet_s=0.02, max_wait_s=0.2, full_diff_paths=10**9))
    live.start()
    try:
        (vault / "a.md").write_text("the first")
        assert held_up.wait(HANG_GUARD_S)
        # A file made and removed is two events at least; the reader takes some 2,000 off the queue before it is held.
        for number in range(queue_length // 2 + 2_000):
            (vault / f"{number}.md").touch()
            (vault / f"{number}.md").unlink()
        (vault / "missed" / "deep").mkdir(parents=True)
        go_on.set()
        wait_until(lambda: any(dirty.everything for dirty in list(live.synced)), "everything is compared")
        live.settle()
        live.synced.clear()
        (vault / "missed" / "deep" / "d.md").write_text("in a folder whose creation was never reported")
        live.assert_looked_at("missed/deep/d.md")
    finally:
        go_on.set()
        live.stop()
