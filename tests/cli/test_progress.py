from __future__ import annotations

import re

import pytest
from rich.console import Console

from obsidian_indexer.cli import progress as shown
from obsidian_indexer.events import Progress, ProgressSnapshot, Stage


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_bar_shows_stage_amount_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.enter(Stage.EMBED)
    clock.now = 10.0
    progress.chunks_done, progress.chunks_total = 500, 2000
    progress.tokens_done, progress.tokens_total = 1000, 4000
    progress.failures, progress.current_note = 1, "Notes/[bold]\x1b[2J{odd}.md"
    console = Console(force_terminal=True, width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    bar = shown.Bar(progress)
    bar.tick()
    text = console.export_text()
    bar.close()
    console.file.close()
    last = text.rstrip("\n").splitlines()[-1]
    assert re.search(r"embed .*500/2,000 chunks  50\.0/s  ETA 0:30  1 failed  Notes/\[bold\]\{odd\}\.md", last)


def test_lines_follow_the_stages(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    lines = shown.Lines(progress)
    progress.notes_seen, progress.notes_total, progress.chunks_total, progress.store_total = 80, 68, 200, 200
    for stage in (Stage.SCAN, Stage.PARSE, Stage.MODEL, Stage.MODEL, Stage.EMBED, Stage.STORE, Stage.DONE):
        progress.enter(stage)
        lines.tick()
        progress.notes_done = 68
        progress.chunks_done = progress.stored = 200
    assert capsys.readouterr().err.splitlines() == [
        "scan: 80 files",
        "parse: 68/68 notes",
        "model: loading the model",
        "embed: 200/200 chunks",
        "store: 200/200 vectors",
    ]


def test_a_stage_with_nothing_to_do_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    lines = shown.Lines(progress)
    progress.notes_seen = 1
    for stage in (Stage.SCAN, Stage.PARSE, Stage.MODEL, Stage.STORE, Stage.DONE):
        progress.enter(stage)
        lines.tick()
    assert capsys.readouterr().err == "scan: 1 file\n"


def test_a_run_between_two_samples_is_still_told(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    lines = shown.Lines(progress)
    progress.notes_seen, progress.notes_done, progress.notes_total = 2, 1, 1
    progress.chunks_done = progress.chunks_total = 1500
    progress.enter(Stage.DONE)
    lines.tick()
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "scan: 2 files",
        "parse: 1/1 note",
        "1000 of 1500 chunks done",
        "embed: 1",
    ]


def test_lines_start_again_with_the_next_run_of_a_watch(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    lines = shown.Lines(progress, stages=False)
    for done in (1500, 0, 999, 1000):
        progress.chunks_done = done
        lines.tick()
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")])
def test_durations(seconds: float, text: str) -> None:
    assert shown.duration(seconds) == text


def test_every_stage_has_a_description() -> None:
    for stage in Stage:
        assert isinstance(shown.detail(ProgressSnapshot(stage=stage)), str)


def test_a_pause_is_told_of_once_and_so_is_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    lines = shown.Lines(progress)
    lines.tick()
    with progress.held("on battery"):
        lines.tick()
        lines.tick()
    lines.tick()
    lines.tick()
    assert capsys.readouterr().err.splitlines() == ["paused (on battery)", "goes on"]


def test_the_bar_says_that_it_is_paused_and_promises_nothing() -> None:
    now = ProgressSnapshot(stage=Stage.EMBED, chunks_done=5, chunks_total=20, eta_s=3.0, paused=True)
    assert shown.detail(now) == "paused  5/20 chunks"
