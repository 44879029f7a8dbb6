"""Threads for blocking calls: one daemon thread per lane, which keeps only the latest request.

Typing asks faster than a search answers; a lane never piles up work, it drops what nobody waits for any more. The
threads are daemons, so a call that never returns cannot keep the program alive.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Lane:
    """Runs blocking calls one after another; a waiting call is dropped when a newer one comes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._condition = threading.Condition()
        self._waiting: tuple[Callable[[], Any], Future[Any]] | None = None
        self._running = False
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a call is running or waiting."""
        with self._condition:
            return self._running or self._waiting is not None

    async def run(self, call: Callable[[], T]) -> T:
        """The call's result. Raises what the call raised, or CancelledError when a newer call took its place."""
        result: T = await asyncio.wrap_future(self._submit(call))
        return result

    def close(self, timeout_s: float) -> bool:
        """Take no more calls and wait for the one under way; returns whether the thread ended in time."""
        with self._condition:
            self._closed = True
            if self._waiting is not None:
                self._waiting[1].cancel()
                self._waiting = None
            self._condition.notify_all()
            thread = self._thread
        if thread is None:
            return True
        thread.join(max(0.0, timeout_s))
        return not thread.is_alive()

    def _submit(self, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._condition:
            if self._closed:
                future.cancel()
                return future
            if self._waiting is not None:
                self._waiting[1].cancel()
            self._waiting = (call, future)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=f"tui-{self._name}", daemon=True)
                self._thread.start()
            self._condition.notify_all()
        return future

    def _serve(self) -> None:
        while True:
            with self._condition:
                self._running = False
                while self._waiting is None and not self._closed:
                    self._condition.wait()
                if self._waiting is None:
                    return
                call, future = self._waiting
                self._waiting = None
                self._running = True
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - carried to whoever awaits the call
                future.set_exception(error)
                del error
            else:
                future.set_result(result)
            # A finished answer must not stay referenced until the next call comes.
            del call, future


def close_all(lanes: list[Lane], timeout_s: float) -> bool:
    """Close every lane within one shared time limit; returns whether all threads ended."""
    deadline = time.monotonic() + timeout_s
    ended = [lane.close(deadline - time.monotonic()) for lane in lanes]
    return all(ended)


class Gate:
    """Many users, or one who changes what they use."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._users = 0
        self._changing = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the gate as one of many; waits while it is being changed."""
        with self._condition:
            while self._changing:
                self._condition.wait()
            self._users += 1
        try:
            yield
        finally:
            with self._condition:
                self._users -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the gate alone; waits for the users there are, and keeps new ones out."""
        with self._condition:
            while self._changing:
                self._condition.wait()
            self._changing = True
            while self._users:
                self._condition.wait()
        try:
            yield
        finally:
            with self._condition:
                self._changing = False
                self._condition.notify_all()
