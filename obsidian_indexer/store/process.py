"""Chroma in a process of its own, and the handle on it.

The library keeps the interpreter lock for the whole of a call, imports hundreds of modules, and can crash on damaged
files. In its own process none of that is felt here: a screen goes on being drawn, and a crash is an error like others.
The process ends when the handle is closed and when this process ends, however it does.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer import child
from obsidian_indexer.options import StoreOptions
from obsidian_indexer.store.chroma import ChromaStore

# A guard against a store that hangs: 4,096 rows take a second, reading a graph of a million some ten.
_ANSWER_S = 120.0
_END_S = 10.0


class StoreError(Exception):
    """The vector store failed; the catalogue has all that it held."""


class StoreProcess:
    """One Chroma process at most; any thread may call, one call is served at a time.

    `lock_file` is held for as long as a store is open, so that a process whose parent was killed has ended before
    another one opens the same folder. Every call but `leave` and `close` may raise StoreError.
    """

    def __init__(self, lock_file: Path, nice: int = 0) -> None:
        self._lock_file = lock_file
        self._nice = nice
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._process: SpawnProcess | None = None
        self._has_opened = False

    def start(self) -> None:
        """Have the process come up in the background, if there is none; `open` does so too."""
        with self._turn:
            self._start()

    def open(self, folder: Path, collection: str, options: StoreOptions) -> None:
        """Open a collection in place of the one that is open."""
        with self._turn:
            self._start()
            self._has_opened = True
            self._call("open", folder, collection, options)

    def leave(self) -> None:
        """Close the collection, so that its folder can be removed."""
        with self._turn, suppress(StoreError):
            self._call("leave")

    def count(self) -> int:
        """Rows in the collection."""
        with self._turn:
            return int(self._call("count"))

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Add or replace vectors[i] (float32[n, dim]) under keys[i]."""
        with self._turn:
            self._call("put", keys, vectors)

    def delete(self, keys: Sequence[bytes]) -> None:
        """Remove rows; unknown keys are passed over."""
        with self._turn:
            self._call("delete", keys)

    def answers(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> bool:
        """Whether rows come back when asked for by their own vector; see `ChromaStore.answers`."""
        with self._turn:
            return bool(self._call("answers", keys, vectors))

    def query(self, vector: NDArray[np.float32], k: int) -> list[tuple[str, float]] | None:
        """The k nearest rows as (hex prefix of the key, cosine), nearest first; None while another call is served."""
        if not self._turn.acquire(blocking=False):
            return None
        try:
            found: list[tuple[str, float]] = self._call("query", vector, k)
            return found
        finally:
            self._turn.release()

    @property
    def alive(self) -> bool:
        """Whether calls can be answered; `open` brings a process that has ended back."""
        return self._connection is not None

    def close(self) -> None:
        """Close the store and wait for its process to end."""
        with self._turn:
            self._end()

    def _start(self) -> None:
        if self._connection is not None:
            return
        ours, theirs = multiprocessing.Pipe()
        try:
            process = spawn(theirs, self._lock_file, self._nice)
        except OSError as error:
            ours.close()
            raise StoreError("its process could not be started") from error
        self._connection, self._process, self._has_opened = ours, process, False

    def _call(self, name: str, *args: object) -> Any:
        """What the other side answers; after a silence or a crash its process is ended."""
        if self._connection is None:
            raise StoreError("its process has ended")
        try:
            self._connection.send((name, args))
            if not self._connection.poll(_ANSWER_S):
                raise EOFError
            fault, value = self._connection.recv()
        except (EOFError, OSError) as error:
            self._end(at_once=True)
            raise StoreError("its process ended early") from error
        except BaseException:  # Ctrl+C between question and answer: the next answer would be to this question
            self._end(at_once=True)
            raise
        if fault is not None:
            raise StoreError(fault)
        return value

    def _end(self, *, at_once: bool = False) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            if self._has_opened and not at_once:
                self._process.join(_END_S)
            self._process.kill()
            self._process.join()
        self._connection = self._process = None


def spawn(connection: Connection, lock_file: Path, nice: int) -> SpawnProcess:
    """Start a process that serves the other end of a connection. Raises OSError."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=run_store, args=(connection, lock_file, nice), name="vector-store", daemon=True)
    try:
        process.start()
    finally:
        connection.close()  # else its end would not be noticed here
    return process


def run_store(connection: Connection, lock_file: Path, nice: int) -> None:
    """Serve one handle until it is closed; the entry point of the process."""
    child.begin(nice)
    child.silence()
    # Before it is asked for anything: the import takes most of a second.
    import chromadb  # noqa: F401

    serve(connection, lock_file)
    # Whatever threads the library has left, all that was written is on disk.
    os._exit(0)


def serve(connection: Connection, lock_file: Path) -> None:
    """Answer (name, arguments) with (fault or None, value) until the other end is closed."""
    from filelock import FileLock

    store: ChromaStore | None = None
    lock = FileLock(lock_file, mode=0o600, timeout=_ANSWER_S / 2)
    try:
        while True:
            name, args = connection.recv()
            fault, value = None, None
            try:
                if name in ("open", "leave"):
                    if store is not None:
                        store.close()
                        store = None
                    if name == "open":
                        lock.acquire()
                        store = ChromaStore(*args)
                else:
                    value = getattr(store, name)(*args)
            except Exception as error:  # noqa: BLE001 - whatever the library raises goes to the caller by name
                fault = type(error).__name__
            connection.send((fault, value))
    except (EOFError, OSError):
        pass  # the other end is closed, or gone
    finally:
        if store is not None:
            store.close()
        lock.release(force=True)
