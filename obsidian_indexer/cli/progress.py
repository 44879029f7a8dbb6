"""How a run is shown while it lasts: a bar on a terminal, plain lines in a file, nothing when asked for quiet.

Each display samples a `Progress`; `tick` is called by the main thread about ten times a second and once at the end.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from obsidian_indexer.cli.stream import complain
from obsidian_indexer.events import Progress, ProgressSnapshot, Stage
from obsidian_indexer.sanitize import clean_line

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.status import Status as Spinner

CHUNKS_PER_LINE = 1000
_COUNTED = (Stage.SCAN, Stage.PARSE, Stage.EMBED, Stage.STORE)
_ORDER = tuple(Stage)


class Display(Protocol):
    """Something that shows a run."""

    def tick(self) -> None:
        """Show the counters as they are now."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


def open_display(progress: Progress, *, quiet: bool) -> Display:
    """The display that fits stderr."""
    if quiet:
        return Silence()
    if sys.stderr.isatty():
        return Bar(progress)
    return Lines(progress)


class Silence:
    """Shows nothing."""

    def tick(self) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Nothing to clear."""


class Lines:
    """One line for each stage that had something to do, when it ends, and one for every thousand chunks."""

    def __init__(self, progress: Progress, *, stages: bool = True) -> None:
        self._progress = progress
        self._due = list(_COUNTED) if stages else []
        self._says_waits = stages
        self._stage, self._untold = Stage.IDLE, False
        self._chunks = 0
        self._paused = False

    def tick(self) -> None:
        """Write the lines that have become due since the last call."""
        now = self._progress.snapshot()
        self._end_stages(now, before=Stage.EMBED)
        # A fast run may pass several thousands between two samples; each still gets its line.
        while now.chunks_done - self._chunks >= CHUNKS_PER_LINE:
            self._chunks += CHUNKS_PER_LINE
            complain(
                f"{self._chunks} of {now.chunks_total} chunks done, {now.failures} failed, "
                f"{now.chunks_per_second:.1f} chunks/s"
            )
        if now.chunks_done < self._chunks:
            self._chunks = 0  # the next run of a watch counts from the start
        self._end_stages(now, before=Stage.DONE)
        self._tell_wait(now)
        if now.paused != self._paused:
            self._paused = now.paused
            complain(_pause(now) if now.paused else "goes on")

    def close(self) -> None:
        """Nothing to clear."""

    def _end_stages(self, now: ProgressSnapshot, *, before: Stage) -> None:
        """What the stages that are over have done; a quick one may have come and gone between two samples."""
        while self._due and _ORDER.index(self._due[0]) < min(_ORDER.index(now.stage), _ORDER.index(before)):
            stage = self._due.pop(0)
            if amount := _amount(now, stage):
                complain(f"{stage}: {amount}")

    def _tell_wait(self, now: ProgressSnapshot) -> None:
        """A stage without a count is told of once it lasts: a run with nothing to embed only passes through it."""
        if now.stage is not self._stage:
            self._stage, self._untold = now.stage, self._says_waits and now.stage in (Stage.MODEL, Stage.BUILD)
        elif self._untold:
            self._untold = False
            complain(f"{now.stage}: {_amount(now)}")


class Bar:
    """One bar that follows the stage under way, with rate, time left and the note at hand."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bar = _rich_bar()
        self._task = self._bar.add_task("", total=None, detail="")
        self._bar.start()

    def tick(self) -> None:
        """Draw the counters as they are now."""
        now = self._progress.snapshot()
        done, total = _done_of_total(now, now.stage)
        self._bar.update(self._task, description=now.stage, completed=done, total=total or None, detail=detail(now))
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar off the screen and show the cursor again."""
        self._bar.stop()


class StatusLine:
    """Work that has no bar of its own: one changing line on a terminal, a line for each of its parts in a file."""

    def __init__(self, *, quiet: bool) -> None:
        self._part = ""
        self._quiet = quiet
        self._spinner: Spinner | None = None
        if not quiet and sys.stderr.isatty():
            from rich.console import Console

            self._spinner = Console(stderr=True, markup=False, highlight=False).status("")
            self._spinner.start()

    def show(self, part: str, *, before: str = "", after: str = "") -> None:
        """The part under way, with what stands before it and, where the line can change, after it."""
        if self._quiet:
            return
        if self._spinner is not None:
            self._spinner.update(clean_line(before + part + after))
        elif part != self._part:
            self._part = part
            complain(before + part)

    def close(self) -> None:
        """Leave the terminal as it was found."""
        if self._spinner is not None:
            self._spinner.stop()


def _rich_bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    return RichProgress(
        TextColumn("{task.description}", markup=False, table_column=Column(width=5, no_wrap=True)),
        BarColumn(bar_width=20),
        # Holds a path of the vault, so it is never read as markup.
        TextColumn(
            "{task.fields[detail]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        expand=True,
    )


def _done_of_total(now: ProgressSnapshot, stage: Stage) -> tuple[int, int]:
    match stage:
        case Stage.SCAN:
            return now.notes_seen, 0
        case Stage.PARSE:
            return now.notes_done, now.notes_total
        case Stage.EMBED:
            return now.chunks_done, now.chunks_total
        case Stage.STORE:
            return now.stored, now.store_total
        case _:
            return 0, 0


def _amount(now: ProgressSnapshot, stage: Stage | None = None) -> str:
    """How far a stage is, the one under way unless named; empty where it has no count or nothing to do."""
    stage = stage or now.stage
    done, total = _done_of_total(now, stage)
    match stage:
        case Stage.SCAN:
            return plural(done, "file")
        case Stage.PARSE if total:
            return f"{done:,}/{plural(total, 'note')}"
        case Stage.EMBED if total:
            return f"{done:,}/{plural(total, 'chunk')}"
        case Stage.STORE if total:
            return f"{done:,}/{plural(total, 'vector')}"
        case Stage.MODEL:
            return "loading the model"
        case Stage.BUILD:
            return "building the engine, once per model"
        case _:
            return ""


def detail(now: ProgressSnapshot) -> str:
    """What stands beside the bar: amount, rate, time left, failures and the current note; whether it is paused."""
    if now.paused:
        return "  ".join(part for part in (_pause(now), _amount(now)) if part)
    parts = [_amount(now)]
    if now.stage is Stage.EMBED:
        parts.append(f"{now.chunks_per_second:.1f}/s")
        if now.eta_s is not None:
            parts.append(f"ETA {duration(now.eta_s)}")
    if now.failures:
        parts.append(f"{now.failures:,} failed")
    if now.stage in (Stage.PARSE, Stage.EMBED):
        parts.append(clean_line(now.current_note))
    return "  ".join(part for part in parts if part)


def _pause(now: ProgressSnapshot) -> str:
    return f"paused ({now.pause_reason})" if now.pause_reason else "paused"


def plural(count: int, word: str) -> str:
    """A count and its word: `1 note`, `2,000 notes`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def duration(seconds: float) -> str:
    """Seconds as 0:07, 12:30 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
