"""The commands that write: `index` once, `watch` for as long as it is left running."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import click

from obsidian_indexer.cli.command import Command
from obsidian_indexer.cli.interrupt import INTERRUPTED, run_in_worker
from obsidian_indexer.cli.output import event_object, index_object, write_json
from obsidian_indexer.cli.progress import Display, Lines, Silence, open_display
from obsidian_indexer.cli.session import Session
from obsidian_indexer.cli.stream import OutputError, complain, emit
from obsidian_indexer.cli.text import event_text, index_summary, path_text
from obsidian_indexer.events import CancelToken, Event, Progress
from obsidian_indexer.priority import lower_process

DONE, WITH_FAILURES = 0, 1

Result = TypeVar("Result")

_cpu_fraction = click.option(
    "--cpu-fraction",
    type=click.FloatRange(0.1, 1.0),
    metavar="F",
    help="Use this share of all cores on average (0.1 to 1).",
)
_nice = click.option(
    "--nice", type=click.IntRange(0, 19), metavar="N", help="Let other programs go first (0 to 19; not on Windows)."
)


@click.command(cls=Command)
@click.option("--full", is_flag=True, help="Read every note again; what is already embedded is kept.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take up at most N changed notes.")
@click.option("--batch-size", type=click.IntRange(min=1), metavar="N", help="Most passages in one batch.")
@_cpu_fraction
@_nice
@click.pass_obj
def index(
    session: Session,
    full: bool,
    limit: int | None,
    batch_size: int | None,
    cpu_fraction: float | None,
    nice: int | None,
) -> int:
    """Bring the index up to date in one pass."""
    session = session.over(embedding__cpu_fraction=cpu_fraction, embedding__nice=nice)
    if batch_size is not None:
        # A budget in the settings, from tuning or by hand, must not cut the batches asked for here.
        session = session.over(embedding__batch_size=batch_size, embedding__token_budget=0)
    progress, cancel = Progress(), CancelToken()
    with session.open_quietly() as engine:
        lower_process(engine.options.embedding.nice)
        report = _shown(
            lambda: engine.index(full=full, limit=limit, progress=progress, cancel=cancel),
            open_display(progress, quiet=session.quiet),
            cancel,
            progress,
        )
        vault = engine.options
    for failure in report.failures:
        complain(f"failed: {path_text(failure.path)}: {failure.stage}: {failure.reason}")
    if session.as_json:
        write_json(index_object(report, vault))
    elif not session.quiet:
        emit(index_summary(report))
    if report.cancelled:
        complain("Stopped; run it again to go on from here.")
        return INTERRUPTED
    return WITH_FAILURES if report.failures else DONE


@click.command(cls=Command)
@_cpu_fraction
@_nice
@click.pass_obj
def watch(session: Session, cpu_fraction: float | None, nice: int | None) -> int:
    """Keep the index live until Ctrl+C; with --json one object per event."""
    session = session.over(embedding__cpu_fraction=cpu_fraction, embedding__nice=nice)
    progress, cancel = Progress(), CancelToken()
    lost: list[OutputError] = []

    def show_event(event: Event) -> None:
        if lost:
            return
        try:
            if session.as_json:
                write_json({**event_object(event), "at": datetime.now(UTC).isoformat(timespec="milliseconds")})
            elif line := event_text(event):
                emit(line)
        except OutputError as error:
            # The engine calls from the middle of its work: it is asked to stop, and what happened is told afterwards.
            lost.append(error)
            cancel.cancel()

    with session.open(show_event) as engine:
        lower_process(engine.options.embedding.nice)
        # No bar: it would run through the lines of the events, which go to the same terminal.
        display = Silence() if session.quiet else Lines(progress, stages=False)
        _shown(lambda: engine.watch(cancel=cancel, on_event=show_event, progress=progress), display, cancel, progress)
    if lost:
        raise lost[0]
    return INTERRUPTED if cancel.cancelled else DONE


def _shown(work: Callable[[], Result], display: Display, cancel: CancelToken, progress: Progress) -> Result:
    """Run `work` in a worker thread under the display."""
    try:
        return run_in_worker(
            work,
            cancel=cancel,
            on_tick=display.tick,
            on_interrupt=lambda: complain("Stopping…; Ctrl+C again stops at once."),
            stopped=progress.held,
        )
    finally:
        display.close()
