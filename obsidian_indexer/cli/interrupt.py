"""Long work that Ctrl+C stops cleanly: it runs in a worker thread so that the main one is free to hear signals."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Generic, TypeVar

from obsidian_indexer.events import CancelToken

INTERRUPTED = 130
TICK_S = 0.1
STDERR = 2
SHOW_CURSOR = b"\x1b[?25h\n"

Result = TypeVar("Result")


class _Worker(threading.Thread, Generic[Result]):
    """A thread that keeps what its work returned or raised."""

    def __init__(self, work: Callable[[], Result]) -> None:
        # A daemon, so that an exception in the main thread cannot leave the process waiting for it.
        super().__init__(name="engine", daemon=True)
        self._work = work
        self._returned: list[Result] = []
        self._raised: BaseException | None = None

    def run(self) -> None:
        """Do the work and keep what it returned or raised."""
        try:
            self._returned.append(self._work())
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits, in `result`
            self._raised = error

    def result(self) -> Result:
        """What the work returned; raises what it raised."""
        if self._raised is not None:
            raise self._raised
        return self._returned[0]


def run_in_worker(
    work: Callable[[], Result],
    *,
    cancel: CancelToken,
    on_tick: Callable[[], None],
    on_interrupt: Callable[[], None],
) -> Result:
    """The result of `work`, or its exception; `on_tick` is called ten times a second and once at the end.

    The first Ctrl+C (or SIGTERM) sets `cancel`, and `on_interrupt` is called once. The second ends the process at once
    with status 130: a run may be cut at any step.
    """

    def hear(signum: int, frame: FrameType | None) -> None:
        # Nothing is printed here: the signal may have come in the middle of a print.
        if cancel.cancelled:
            if os.isatty(STDERR):
                os.write(STDERR, SHOW_CURSOR)
            os._exit(INTERRUPTED)
        cancel.cancel()

    worker = _Worker(work)
    told = False
    with _signals(hear):
        worker.start()
        while worker.is_alive():
            worker.join(TICK_S)
            on_tick()
            if cancel.cancelled and not told:
                told = True
                on_interrupt()
    on_tick()
    return worker.result()


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
