"""What holds for every test: a home folder of its own, no settings from outside, and no network."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from obsidian_indexer.store import process

# No test depends on how long an example takes: a first one may import a library.
hypothesis.settings.register_profile("timeless", deadline=None)
hypothesis.settings.load_profile("timeless")


@pytest.fixture(scope="session", autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing a test does, in this process or a child, reads or writes the user's own folders."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("OBSIDIAN_INDEXER_")]:
            patch.delenv(variable)
        patch.setenv("HOME", str(home))
        for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
            patch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("TRANSFORMERS_OFFLINE", "1")
        patch.setenv("ANONYMIZED_TELEMETRY", "False")
        yield


class NetworkDenied(AssertionError):
    """A test tried to reach another machine."""


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Any connection other than to a local socket file fails the test that tries it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None):
            raise NetworkDenied(f"connect to {address}")
        connect(self, address)

    def no_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        raise NetworkDenied(f"look-up of {host}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded)
        patch.setattr(socket, "getaddrinfo", no_lookup)
        yield


class StoreThread(threading.Thread):
    """What serves a vector store, in this process: Chroma is then imported once and not for every test.

    It has what a handle needs of its process.
    """

    def __init__(self, connection: Connection, lock_file: Path, nice: int) -> None:
        super().__init__(target=process.serve, args=(connection, lock_file), daemon=True)
        self.start()

    def kill(self) -> None:
        """A thread ends when its connection is closed."""


@pytest.fixture(autouse=True)
def store_in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tests marked `store_process` start the vector store's process."""
    if request.node.get_closest_marker("store_process") is None:
        monkeypatch.setattr(process, "spawn", StoreThread)
