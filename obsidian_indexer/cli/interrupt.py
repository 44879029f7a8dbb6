"""Long work that Ctrl+C stops cleanly and Ctrl+Z stops for a while; it runs in a worker thread.

So the main thread is free to hear signals.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Generic, TypeVar

from obsidian_indexer.events import CancelToken

INTERRUPTED = 130
TICK_S = 0.1
STDERR = 2
SHOW_CURSOR = b"\x1b[?25h\n"

Result = TypeVar("Result")
_Handler = Callable[[int, FrameType | None], None]


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
    stopped: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Result:
    """The result of `work`, or its exception; `on_tick` is called ten times a second and once at the end.

    The first Ctrl+C (or SIGTERM) sets `cancel`, and `on_interrupt` is called once. The second ends the process at once
    with status 130: a run may be cut at any step. Ctrl+Z stops the whole process, within `stopped`, until the shell
    lets it go on (`fg`, `bg`); it keeps its locks.
    """

    def hear(signum: int, frame: FrameType | None) -> None:
        # Nothing is printed here: the signal may have come in the middle of a print.
        if cancel.cancelled:
            if os.isatty(STDERR):
                os.write(STDERR, SHOW_CURSOR)
            os._exit(INTERRUPTED)
        cancel.cancel()

    def stop(signum: int, frame: FrameType | None) -> None:
        if os.isatty(STDERR):
            os.write(STDERR, SHOW_CURSOR)  # the terminal is the shell's meanwhile, and a bar has hidden its cursor
        with stopped():
            os.kill(os.getpid(), signal.SIGSTOP)

    worker = _Worker(work)
    told = False
    handlers: dict[int, _Handler] = {signal.SIGINT: hear, signal.SIGTERM: hear}
    # Where a shell has set it to be ignored, nobody can let the process go on.
    if hasattr(signal, "SIGTSTP") and signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
        handlers[signal.SIGTSTP] = stop
    with _signals(handlers):
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
def _signals(handlers: Mapping[int, _Handler]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
