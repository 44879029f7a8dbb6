"""What a run asks between two batches: pausing, its share of the CPU, the battery."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from obsidian_indexer.errors import Cancelled
from obsidian_indexer.events import CancelToken, PauseToken, Progress, Stage
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.pace import CpuBudget, Pace, capped_cores, usable_cores
from tests.kit import wait_until


@dataclass
class Machine:
    """A clock, and the CPU time that a program has used on it."""

    now: float = 0.0
    spent: float = 0.0

    def clock(self) -> float:
        return self.now

    def cpu(self) -> float:
        return self.spent


@dataclass
class Battery:
    """A power supply that is plugged in or not; told how often it was asked."""

    unplugged: bool = False
    now: float = 0.0
    asked: int = field(default=0)

    def __call__(self) -> bool:
        self.asked += 1
        return self.unplugged

    def clock(self) -> float:
        return self.now


@pytest.mark.parametrize(("fraction", "cores"), [(0.1, 2), (0.5, 2), (0.5, 8), (0.3, 1)])
def test_resting_as_told_keeps_the_share(fraction: float, cores: int) -> None:
    machine = Machine()
    budget = CpuBudget(fraction, cores=cores, clock=machine.clock, spent=machine.cpu)
    for batch in range(200):
        # Batches that take all cores or one of them, short and long ones.
        wall = 0.02 + 0.01 * (batch % 7)
        machine.now += wall
        machine.spent += wall * (cores if batch % 2 else 1)
        machine.now += budget.rest_s()
    assert machine.spent / (machine.now * cores) == pytest.approx(fraction, abs=0.01)


def test_idle_time_earns_no_long_burst() -> None:
    machine = Machine()
    budget = CpuBudget(0.5, cores=2, clock=machine.clock, spent=machine.cpu)
    machine.now += 3600
    assert budget.rest_s() == 0
    machine.now += 10
    machine.spent += 20
    # 20 CPU seconds are 20 s of this share; 10 s have passed, and idling gave no more than half a second.
    assert budget.rest_s() == pytest.approx(9.5)


def test_a_share_of_a_core_is_rounded_up_to_one() -> None:
    assert capped_cores(EmbedOptions(cpu_fraction=0.1)) >= 1
    assert capped_cores(EmbedOptions()) == usable_cores()


def test_a_pause_waits_until_it_is_over_and_the_clock_stands_still() -> None:
    machine = Machine(now=10.0)
    cancel, pause, progress = CancelToken(), PauseToken(), Progress(machine.clock)
    progress.enter(Stage.EMBED)
    machine.now = 20.0
    progress.chunks_done = 100
    pace = Pace(cancel, EmbedOptions(), pause=pause, progress=progress)
    pause.pause("on battery")
    thread = threading.Thread(target=pace.check, daemon=True)
    thread.start()
    wait_until(lambda: progress.snapshot().paused)
    machine.now = 5000.0
    shown = progress.snapshot()
    assert (shown.pause_reason, shown.elapsed_s, shown.chunks_per_second) == ("on battery", 10.0, 10.0)
    pause.resume()
    thread.join()
    machine.now = 5010.0
    shown = progress.snapshot()
    assert (shown.paused, shown.elapsed_s, shown.chunks_per_second) == (False, 20.0, 5.0)


def test_a_paused_run_can_be_cancelled() -> None:
    cancel, pause, progress = CancelToken(), PauseToken(), Progress()
    pace = Pace(cancel, EmbedOptions(), pause=pause, progress=progress)
    ended: list[BaseException] = []

    def work() -> None:
        try:
            pace.check()
        except Cancelled as error:
            ended.append(error)

    pause.pause()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    wait_until(lambda: progress.snapshot().paused)
    cancel.cancel()
    thread.join()
    assert ended
    assert not progress.snapshot().paused


def test_unplugging_pauses_and_plugging_in_goes_on() -> None:
    pause, battery = PauseToken(), Battery()
    options = EmbedOptions(pause_on_battery=True)
    pace = Pace(CancelToken(), options, pause=pause, clock=battery.clock, battery=battery)
    assert not pace.paused
    battery.unplugged = True
    battery.now += 60
    assert pace.paused
    assert pause.reason == "on battery"
    battery.unplugged = False
    battery.now += 60
    assert not pace.paused


def test_going_on_by_hand_holds_until_the_power_changes_again() -> None:
    pause, battery = PauseToken(), Battery(unplugged=True)
    options = EmbedOptions(pause_on_battery=True)
    pace = Pace(CancelToken(), options, pause=pause, clock=battery.clock, battery=battery)
    assert pace.paused
    pause.resume()
    battery.now += 60
    assert not pace.paused
    for battery.unplugged in (False, True):
        battery.now += 60
        paused = pace.paused
    assert paused


def test_plugging_in_does_not_end_a_pause_by_hand() -> None:
    pause, battery = PauseToken(), Battery(unplugged=True)
    pause.pause()
    pace = Pace(CancelToken(), EmbedOptions(pause_on_battery=True), pause=pause, clock=battery.clock, battery=battery)
    assert pace.paused
    battery.unplugged = False
    battery.now += 60
    assert pace.paused


def test_the_battery_is_not_asked_unless_the_settings_say_so() -> None:
    battery = Battery(unplugged=True)
    assert not Pace(CancelToken(), EmbedOptions(), battery=battery).paused
    assert not battery.asked
