"""The threads below the screens."""

from __future__ import annotations

import asyncio
import threading

import pytest

from obsidian_indexer.tui.lanes import Gate, Lane, close_all


@pytest.mark.timeout(30)
async def test_a_waiting_call_is_dropped_for_a_newer_one() -> None:
    lane = Lane("test")
    busy, gate = threading.Event(), threading.Event()

    def block() -> str:
        busy.set()
        gate.wait()
        return "first"

    first = asyncio.create_task(lane.run(block))
    while not busy.is_set():
        await asyncio.sleep(0)
    second = asyncio.create_task(lane.run(lambda: "second"))
    await asyncio.sleep(0)
    third = asyncio.create_task(lane.run(lambda: "third"))
    await asyncio.sleep(0)
    gate.set()
    assert await first == "first"
    assert await third == "third"
    with pytest.raises(asyncio.CancelledError):
        await second
    assert lane.close(10)


@pytest.mark.timeout(30)
async def test_a_call_that_raises_leaves_the_lane_alive() -> None:
    lane = Lane("test")

    def fail() -> None:
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        await lane.run(fail)
    assert await lane.run(lambda: 2) == 2
    assert lane.close(10)


@pytest.mark.timeout(30)
async def test_closing_reports_a_thread_that_does_not_end() -> None:
    lane, other = Lane("stuck"), Lane("free")
    busy, gate = threading.Event(), threading.Event()

    def block() -> None:
        busy.set()
        gate.wait()

    task = asyncio.create_task(lane.run(block))
    await other.run(lambda: None)
    while not busy.is_set():
        await asyncio.sleep(0)
    assert not close_all([lane, other], 0.05)
    gate.set()
    await task
    assert close_all([lane, other], 10)


@pytest.mark.timeout(30)
def test_changing_waits_for_the_users_and_keeps_new_ones_out() -> None:
    gate = Gate()
    order: list[str] = []
    waiting = threading.Event()

    def change() -> None:
        waiting.set()
        with gate.alone():
            order.append("changed")

    with gate.shared():
        thread = threading.Thread(target=change)
        thread.start()
        waiting.wait()
        order.append("used")
    thread.join()
    with gate.shared():
        order.append("used again")
    assert order == ["used", "changed", "used again"]
