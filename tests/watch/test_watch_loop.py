"""The watch loop under a clock that only the test moves, with scripted events: no waiting."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from obsidian_indexer.errors import Cancelled, LockedError
from obsidian_indexer.events import CancelToken, Event, NoticeEvent, WatchState, WatchStateEvent
from obsidian_indexer.options import WatchOptions
from obsidian_indexer.watch import DirtySet, Watcher
from obsidian_indexer.watch.dirty import EventSorter
from obsidian_indexer.watch.root import network_file_system


class ScriptedObserver:
    """An observer whose events are what the test says; `refuse` is raised by the next starts, one each."""

    def __init__(self, log: list[str], refuse: list[Exception]) -> None:
        self._log = log
        self._refuse = refuse
        self.alive = False

    def start(self) -> None:
        if self._refuse:
            raise self._refuse.pop(0)
        self._log.append("armed")
        self.alive = True

    def stop(self) -> None:
        self.alive = False

    def is_alive(self) -> bool:
        return self.alive


class Bench:
    """A watcher on a vault in `root`, its clock, and all it was seen to do."""

    def __init__(self, root: Path, *, refuse: list[Exception] | None = None, mount: str = "ext4", **options: object):
        self.root = root
        self.now = 1000.0
        self.log: list[str] = []
        self.synced: list[DirtySet] = []
        self.events: list[Event] = []
        self.observers: list[ScriptedObserver] = []
        self.refuse = refuse if refuse is not None else []
        self.sorters: list[EventSorter] = []
        self.during_sync: Callable[[DirtySet], None] = lambda _dirty: None
        self.cancel = CancelToken()
        self.watcher = Watcher(
            root,
            WatchOptions(**options),
            self._sync,
            cancel=self.cancel,
            on_event=self.events.append,
            clock=lambda: self.now,
            observer_factory=self._observe,
            mounted=lambda: [("/", mount)],
        )

    def _observe(self, sorter: EventSorter) -> ScriptedObserver:
        self.sorters.append(sorter)
        self.observers.append(ScriptedObserver(self.log, self.refuse))
        return self.observers[-1]

    def _sync(self, dirty: DirtySet) -> None:
        self.log.append("sync")
        self.during_sync(dirty)
        self.synced.append(dirty)

    def event(self, path: str, *, is_folder: bool = False) -> None:
        self.sorters[-1].sort(str(self.root / path), is_folder=is_folder)

    def pass_time(self, seconds: float) -> None:
        """Let the loop run for `seconds`, waking when it asked to."""
        until = self.now + seconds
        while True:
            pause = self.watcher.step()
            if self.now >= until:
                return
            self.now = min(until, self.now + max(pause, 0.001))

    @property
    def states(self) -> list[WatchState]:
        return [event.state for event in self.events if isinstance(event, WatchStateEvent)]

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, NoticeEvent)]

    def reasons(self) -> list[str]:
        return [dirty.reason for dirty in self.synced if dirty.everything]


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    root = tmp_path / "vault"
    root.mkdir()
    (root / "a.md").write_text("a")
    return root.resolve()


@pytest.fixture
def bench(vault: Path) -> Bench:
    bench = Bench(vault)
    bench.pass_time(0)
    return bench


def test_the_watch_is_armed_before_the_first_comparison(bench: Bench) -> None:
    assert bench.log == ["armed", "sync"]
    assert bench.synced == [DirtySet(everything=True, reason="start-up")]
    assert bench.states == [WatchState.LIVE]


def test_a_change_is_taken_up_after_silence(bench: Bench) -> None:
    bench.event("a.md")
    bench.pass_time(0.4)
    assert len(bench.synced) == 1
    bench.pass_time(0.1)
    assert bench.synced[1].paths == {"a.md"}
    bench.pass_time(100)
    assert len(bench.synced) == 2


def test_steady_writing_is_taken_up_every_two_seconds(bench: Bench) -> None:
    for _ in range(60):
        bench.event("a.md")
        bench.pass_time(0.1)
    assert 1 + 6000 / 2100 <= len(bench.synced) <= 1 + 6.0 / 2.0


def test_what_changes_during_a_cycle_belongs_to_the_next(bench: Bench) -> None:
    def touch_another(dirty: DirtySet) -> None:
        if "a.md" in dirty.paths:
            bench.event("b.md")
            bench.event("a.md")
            bench.now += 60

    bench.during_sync = touch_another
    bench.event("a.md")
    bench.pass_time(1)
    bench.during_sync = lambda _dirty: None
    bench.pass_time(1)
    assert [set(dirty.paths) for dirty in bench.synced[1:]] == [{"a.md"}, {"a.md", "b.md"}]


def test_both_ends_of_a_folder_move(bench: Bench) -> None:
    bench.event("old", is_folder=True)
    bench.event("new", is_folder=True)
    bench.pass_time(1)
    assert bench.synced[1].prefixes == {"old", "new"}


def test_the_whole_vault_is_compared_at_the_interval(bench: Bench) -> None:
    bench.pass_time(1799)
    assert bench.reasons() == ["start-up"]
    bench.pass_time(1800)
    assert bench.reasons() == ["start-up", "regular comparison"]


def test_focus_compares_the_whole_vault(bench: Bench) -> None:
    bench.watcher.poke()
    bench.pass_time(0)
    assert bench.reasons() == ["start-up", "focus"]


def test_a_failing_cycle_is_told_and_retried_in_whole(bench: Bench) -> None:
    failures = [ValueError("bad"), LockedError("another process writes this index"), Cancelled()]

    def fail(_dirty: DirtySet) -> None:
        if failures:
            raise failures.pop(0)

    bench.during_sync = fail
    bench.event("a.md")
    bench.pass_time(1)
    assert len(failures) == 2
    bench.pass_time(1)
    assert len(failures) == 1
    bench.pass_time(1)
    assert len(failures) == 1, "the second pause is longer"
    bench.pass_time(10)
    assert not failures
    assert bench.synced[-1] == DirtySet(everything=True, reason="an earlier attempt failed")
    assert len(bench.notices) == 3
    assert "ValueError: bad" in bench.notices[0]
    assert "another process writes this index" in bench.notices[1]
    bench.event("b.md")
    bench.pass_time(1)
    assert bench.synced[-1].paths == {"b.md"}


def test_a_sync_that_keeps_failing_is_tried_once_a_minute(bench: Bench) -> None:
    def fail(_dirty: DirtySet) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.during_sync = fail
    bench.event("a.md")
    bench.pass_time(3600)
    assert 60 <= len(bench.notices) <= 70


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_exhausted_limits_mean_polling(vault: Path, number: int) -> None:
    bench = Bench(vault, refuse=[OSError(number, "the limit is reached")])
    bench.pass_time(0)
    assert bench.events == [
        WatchStateEvent(WatchState.POLLING, "the system sends no file events: the limit is reached"),
    ]
    bench.pass_time(16)
    assert bench.reasons() == ["start-up", "poll", "poll", "poll"]


def test_events_come_back_once_the_limit_is_raised(vault: Path) -> None:
    bench = Bench(vault, refuse=[OSError(errno.ENOSPC, "the limit is reached")], poll_s=5000.0)
    bench.pass_time(1801)
    assert bench.states == [WatchState.POLLING, WatchState.LIVE]
    bench.event("a.md")
    bench.pass_time(1)
    assert bench.synced[-1].paths == {"a.md"}


def test_a_limit_hit_by_a_new_folder_means_polling(bench: Bench) -> None:
    bench.sorters[-1].inbox.report_no_events("too many folders")
    bench.pass_time(0)
    assert bench.events[-1] == WatchStateEvent(WatchState.POLLING, "too many folders")
    assert not bench.observers[-1].alive
    bench.pass_time(6)
    assert bench.reasons() == ["start-up", "too many folders", "poll"]


def test_a_slow_poll_is_followed_by_a_long_pause(vault: Path) -> None:
    bench = Bench(vault, polling="always")

    def take_time(_dirty: DirtySet) -> None:
        bench.now += 10

    bench.during_sync = take_time
    bench.pass_time(1000)
    assert len(bench.synced) <= 11


@pytest.mark.parametrize(("options", "mount"), [({"polling": "always"}, "ext4"), ({}, "nfs4"), ({}, "9p")])
def test_polling_is_chosen_and_says_why(vault: Path, options: dict[str, object], mount: str) -> None:
    bench = Bench(vault, mount=mount, **options)
    bench.pass_time(0)
    assert bench.observers == []
    state = bench.events[-1]
    assert isinstance(state, WatchStateEvent)
    assert state.state is WatchState.POLLING
    assert ("options" in state.reason) if options else (mount in state.reason)


def test_an_observer_that_ends_is_renewed(bench: Bench) -> None:
    bench.observers[-1].alive = False
    bench.pass_time(2)
    assert len(bench.observers) == 2
    assert bench.reasons() == ["start-up", "the watch ended by itself and was renewed"]
    assert len(bench.notices) == 1
    bench.event("a.md")
    bench.pass_time(1)
    assert bench.synced[-1].paths == {"a.md"}


def test_an_observer_that_keeps_ending_is_given_up(bench: Bench) -> None:
    for _ in range(3):
        bench.observers[-1].alive = False
        bench.pass_time(2)
    assert bench.events[-1] == WatchStateEvent(WatchState.POLLING, "the watch keeps ending by itself")
    bench.pass_time(10)
    assert bench.reasons()[-1] == "poll"


def test_a_vault_that_goes_away_pauses_the_watch(bench: Bench, tmp_path: Path) -> None:
    away = tmp_path / "away"
    bench.root.rename(away)
    bench.event("a.md")
    bench.pass_time(5000)
    assert len(bench.synced) == 1, "nothing is compared against a missing vault"
    assert bench.states[-1] is WatchState.PAUSED
    away.rename(bench.root)
    bench.pass_time(2)
    assert bench.states == [WatchState.LIVE, WatchState.PAUSED, WatchState.STARTING, WatchState.LIVE]
    assert bench.reasons() == ["start-up", "the vault is back"]
    assert len(bench.observers) == 2
    bench.event("a.md")
    bench.pass_time(1)
    assert bench.synced[-1].paths == {"a.md"}


def test_the_empty_folder_left_by_an_unmounted_volume_is_not_the_vault(bench: Bench, tmp_path: Path) -> None:
    bench.root.rename(tmp_path / "volume")
    bench.root.mkdir()
    bench.pass_time(100)
    assert bench.states[-1] is WatchState.PAUSED
    assert len(bench.synced) == 1
    bench.root.rmdir()
    shutil.copytree(tmp_path / "volume", bench.root)
    bench.pass_time(2)
    assert bench.states[-1] is WatchState.LIVE
    assert bench.reasons() == ["start-up", "the vault is back"]


def test_a_vault_emptied_by_hand_is_still_the_vault(bench: Bench) -> None:
    (bench.root / "a.md").unlink()
    bench.event("a.md")
    bench.pass_time(1)
    assert bench.synced[-1].paths == {"a.md"}
    assert bench.states == [WatchState.LIVE]


def test_a_replaced_folder_is_watched_anew(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(bench.root, other)
    bench.root.rename(tmp_path / "old")
    other.rename(bench.root)
    bench.pass_time(2)
    assert bench.reasons() == ["start-up", "the vault's folder was replaced"]
    assert len(bench.observers) == 2
    assert bench.states[-1] is WatchState.LIVE


def test_a_vault_that_goes_away_during_a_cycle_is_no_failure(bench: Bench, tmp_path: Path) -> None:
    def lose_root(_dirty: DirtySet) -> None:
        bench.root.rename(tmp_path / "away")
        raise FileNotFoundError(bench.root)

    bench.during_sync = lose_root
    bench.event("a.md")
    bench.pass_time(3)
    assert bench.notices == []
    assert bench.states[-1] is WatchState.PAUSED


def test_a_vault_missing_at_the_start_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "vault")
    bench.pass_time(10)
    assert bench.states == [WatchState.PAUSED]
    assert bench.synced == []
    bench.root.mkdir()
    bench.pass_time(2)
    assert bench.states[-1] is WatchState.LIVE
    assert len(bench.synced) == 1


def test_a_vault_that_vanishes_while_the_watch_is_armed(vault: Path) -> None:
    bench = Bench(vault, refuse=[FileNotFoundError(errno.ENOENT, "gone")])
    bench.pass_time(0)
    assert bench.synced == []
    bench.pass_time(2)
    assert bench.reasons() == ["start-up"]
    assert bench.states == [WatchState.LIVE]


def test_cancelling_wakes_a_sleeping_watch(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock stands still and the loop has an hour to sleep: only the token can wake it within the guard.
    monkeypatch.setattr("obsidian_indexer.watch.loop.ROOT_CHECK_S", 3600.0)
    bench = Bench(vault, rescan_s=1e9)
    live = threading.Event()
    thread = threading.Thread(target=bench.watcher.run)
    bench.during_sync = lambda _dirty: live.set()
    thread.start()
    assert live.wait(60)
    bench.cancel.cancel()
    thread.join(60)
    assert not thread.is_alive()
    assert bench.states[0] is WatchState.STARTING
    assert bench.states[-1] is WatchState.STOPPED
    assert not bench.observers[-1].alive


def test_cancelling_during_a_cycle_is_no_failure(vault: Path) -> None:
    bench = Bench(vault)

    def stop(_dirty: DirtySet) -> None:
        bench.cancel.cancel()
        raise Cancelled

    bench.during_sync = stop
    bench.watcher.run()
    assert bench.notices == []
    assert bench.states[-1] is WatchState.STOPPED


@pytest.mark.parametrize(
    ("root", "kind"),
    [
        ("/home/me/vault", None),
        ("/mnt/nas/vault", "nfs4"),
        ("/mnt/nas/local/vault", None),
        ("/mnt/nasty/vault", None),
        ("/mnt/c/vault", "9p"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/mnt/twice/vault", "cifs"),
    ],
)
def test_the_innermost_volume_decides_whether_there_are_events(root: str, kind: str | None) -> None:
    mounted = [
        ("/", "ext4"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/local", "btrfs"),
        ("/mnt/c", "9P"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/mnt/twice", "ext4"),
        ("/mnt/twice", "cifs"),
    ]
    assert network_file_system(Path(root), mounted) == kind
