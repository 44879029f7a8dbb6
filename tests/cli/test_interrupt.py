"""Ctrl+C as a user presses it: in a child process, with real signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import psutil
import pytest

from obsidian_indexer.cli.interrupt import run_in_worker
from obsidian_indexer.events import CancelToken
from tests.kit import wait_until

CHILD = """
import sys, threading
from obsidian_indexer.cli.interrupt import run_in_worker
from obsidian_indexer.errors import Cancelled
from obsidian_indexer.events import CancelToken

heeds = sys.argv[1] == "heeds"
cancel = CancelToken()

def work():
    print("started", flush=True)
    if heeds:
        cancel.wait(60)
        return "stopped cleanly"
    threading.Event().wait(60)

print(run_in_worker(
    work, cancel=cancel, on_tick=lambda: None, on_interrupt=lambda: print("stopping", flush=True),
))
sys.exit(130)
"""


def start(kind: str) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", CHILD, kind], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    return child


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_cleanly(number: signal.Signals) -> None:
    with start("heeds") as child:
        child.send_signal(number)
        assert child.stdout is not None
        # The line may be missed when the work ends between two looks at the flag; the clean end may not.
        assert child.stdout.read().splitlines()[-1] == "stopped cleanly"
    assert child.returncode == 130


def test_the_second_signal_ends_work_that_does_not_heed() -> None:
    with start("deaf") as child:
        child.send_signal(signal.SIGINT)
        assert child.stdout is not None
        assert child.stdout.readline() == "stopping\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == ""
    assert child.returncode == 130


@pytest.mark.skipif(not hasattr(signal, "SIGTSTP"), reason="no job control here")
def test_ctrl_z_stops_the_process_until_it_may_go_on() -> None:
    with start("heeds") as child:
        process = psutil.Process(child.pid)
        child.send_signal(signal.SIGTSTP)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
        child.send_signal(signal.SIGCONT)
        child.send_signal(signal.SIGINT)
        assert child.stdout is not None
        assert child.stdout.read().splitlines()[-1] == "stopped cleanly"
    assert child.returncode == 130


def test_an_exception_of_the_worker_reaches_the_caller_and_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        assert threading.current_thread() is not threading.main_thread()
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        run_in_worker(work, cancel=CancelToken(), on_tick=lambda: None, on_interrupt=lambda: None)
    assert signal.getsignal(signal.SIGINT) is before
