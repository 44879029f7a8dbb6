"""How fast a run may go: between batches it ends when cancelled, waits while paused, rests to keep to its CPU share.

What a run spends is measured, not reckoned from thread counts: the CPU time of this process and of those it started,
whatever library spends it. So one rule holds for every engine, for parsing and for the store.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from obsidian_indexer.events import CancelToken, PauseToken, Progress
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.priority import lower_libraries

ON_BATTERY = "on battery"
# While it rests or is paused, a run looks this often whether that has changed.
_LOOK_S = 0.25
# Shorter rests are put together: falling asleep and waking up cost more than they are worth.
_LEAST_REST_S = 0.005
# CPU time that was not used may be made up for, but for no more than this long.
_CREDIT_S = 0.5
# How often child processes and the power supply are looked at.
_CHILDREN_S, _POWER_S = 0.1, 5.0
# Libraries start their threads when they first compute; how often new ones are looked for.
_LOWER_S = 1.0


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def capped_cores(options: EmbedOptions) -> int:
    """Cores worth starting threads or processes for under the cap, at least one; what is too many, rests level out."""
    # A sliver is no core: .7 of ten is 7.000000000000001.
    return max(1, math.ceil(round(options.cpu_fraction * usable_cores(), 6)))


class CpuMeter:
    """CPU seconds spent so far by this process and the processes that it started through `multiprocessing`."""

    def __init__(self) -> None:
        self._children: dict[int, float] = {}
        self._ended_s = 0.0
        self._looked = float("-inf")

    def __call__(self) -> float:
        """Seconds of all threads of all these processes; they only grow."""
        if time.monotonic() - self._looked >= _CHILDREN_S:
            self._look_at_children()
            self._looked = time.monotonic()
        return time.process_time() + self._ended_s + sum(self._children.values())

    def _look_at_children(self) -> None:
        import multiprocessing

        import psutil

        living: dict[int, float] = {}
        for child in multiprocessing.active_children():
            try:
                times = psutil.Process(child.pid).cpu_times()
            except psutil.Error:
                continue
            living[int(child.pid or 0)] = times.user + times.system
        self._ended_s += sum(spent for pid, spent in self._children.items() if pid not in living)
        self._children = living


class CpuBudget:
    """CPU time as it is earned and spent. A debt stays until it is rested off; credit does not pile up."""

    def __init__(
        self,
        fraction: float,
        *,
        cores: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] | None = None,
    ) -> None:
        self._rate = fraction * (cores or usable_cores())
        self._clock = clock
        self._spent = spent or CpuMeter()
        self._seen = clock()
        self._seen_spent = self._spent()
        self._balance = 0.0

    def rest_s(self) -> float:
        """Seconds without work after which the CPU time spent is within its share again."""
        now, spent = self._clock(), self._spent()
        self._balance += (now - self._seen) * self._rate - (spent - self._seen_spent)
        self._balance = min(self._balance, _CREDIT_S * self._rate)
        self._seen, self._seen_spent = now, spent
        return max(0.0, -self._balance / self._rate)


class PowerGuard:
    """Pauses when the machine begins to run on battery and goes on when it is plugged in.

    Whoever goes on by hand meanwhile is left alone until the next change.
    """

    def __init__(self, pause: PauseToken, on_battery: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._pause = pause
        self._on_battery = on_battery
        self._clock = clock
        self._looked = float("-inf")
        self._was = False

    def look(self) -> None:
        """Pause or go on if the power supply has changed; a look now and then is enough."""
        now = self._clock()
        if now - self._looked < _POWER_S:
            return
        self._looked = now
        is_now = self._on_battery()
        if is_now and not self._was and not self._pause.paused:
            self._pause.pause(ON_BATTERY)
        elif self._was and not is_now and self._pause.reason == ON_BATTERY:
            self._pause.resume()
        self._was = is_now


def on_battery() -> bool:
    """Whether the machine runs on battery; False where it has none, or does not say."""
    import psutil

    sensors = getattr(psutil, "sensors_battery", None)
    battery = sensors() if sensors is not None else None
    return battery is not None and battery.power_plugged is False


def give_memory_back() -> None:
    """Hand freed memory to the system: 52 of 359 MiB in the midst of embedding (benchmarks/cpu_cap.py); glibc only."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


class Pace:
    """What a run asks between two batches; made once for a run, or for as long as a watch lasts."""

    def __init__(
        self,
        cancel: CancelToken,
        options: EmbedOptions,
        *,
        pause: PauseToken | None = None,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
        battery: Callable[[], bool] = on_battery,
    ) -> None:
        self.cancel = cancel
        self._pause = pause or PauseToken()
        self._progress = progress or Progress()
        self._budget = CpuBudget(options.cpu_fraction, clock=clock) if options.cpu_fraction < 1 else None
        self._power = PowerGuard(self._pause, battery, clock) if options.pause_on_battery else None
        self._nice = options.nice
        self._clock = clock
        self._lowered = float("-inf")

    @property
    def paused(self) -> bool:
        """Whether `check` would wait: what is under way is then to be put away first."""
        if self._power is not None:
            self._power.look()
        return self._pause.paused

    def check(self) -> None:
        """Wait while paused, then rest as the CPU share asks. Raises Cancelled, also while it waits."""
        self.cancel.check()
        if self._nice and self._clock() - self._lowered >= _LOWER_S:
            lower_libraries(self._nice)
            self._lowered = self._clock()
        if self.paused:
            self._wait()
        if self._budget is not None:
            self._rest(self._budget)

    def _wait(self) -> None:
        with self._progress.held(self._pause.reason):
            give_memory_back()
            while self.paused:
                self._pause.wait(_LOOK_S)
                self.cancel.check()

    def _rest(self, budget: CpuBudget) -> None:
        # In steps, so that a pause is told of as one.
        while (left_s := budget.rest_s()) >= _LEAST_REST_S and not self.paused:
            self.cancel.wait(min(left_s, _LOOK_S))
            self.cancel.check()
