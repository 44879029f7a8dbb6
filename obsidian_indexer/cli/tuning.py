"""The command `tune`: measures what runs the model best here, shows it, keeps the best; `--restore` undoes that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from obsidian_indexer.cli.command import Command
from obsidian_indexer.cli.interrupt import INTERRUPTED, run_in_worker
from obsidian_indexer.cli.output import tune_object, write_json
from obsidian_indexer.cli.progress import StatusLine
from obsidian_indexer.cli.session import Session
from obsidian_indexer.cli.stream import complain, emit
from obsidian_indexer.cli.text import show
from obsidian_indexer.events import CancelToken
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tuning import KeptSettings, Precision, Trial, TuneReport, TuneStep

if TYPE_CHECKING:
    from rich.console import RenderableType

DONE, WITH_FAILURES = 0, 1
BAR_CELLS = 30


@click.command(cls=Command)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1.0),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Time for measuring. An engine that is made first, once per model, may take as long again.",
)
@click.option(
    "--keep-precision",
    "precision",
    flag_value=Precision.KEEP.value,
    help="Never leave the index's number format. By default it is left where another one is 1.5 times as fast.",
)
@click.option(
    "--any-precision", "precision", flag_value=Precision.ANY.value, help="Take the fastest, whatever the index has."
)
@click.option("--dry-run", is_flag=True, help="Measure and show, change nothing.")
@click.option("--restore", is_flag=True, help="Bring the settings back as they were before tuning.")
@click.pass_obj
def tune(session: Session, seconds: float, precision: str | None, dry_run: bool, restore: bool) -> int:
    """Measure engines and batch budgets on this vault and keep the best in its settings."""
    if restore:
        return _restore(session)
    cancel, steps = CancelToken(), _Steps(StatusLine(quiet=session.quiet))
    chosen = Precision(precision or Precision.WEIGH)
    with session.open_quietly() as engine:
        try:
            report = run_in_worker(
                lambda: engine.tune(seconds=seconds, precision=chosen, on_step=steps.take, cancel=cancel),
                cancel=cancel,
                on_tick=steps.tick,
                on_interrupt=lambda: complain("Stopping…; Ctrl+C again stops at once."),
            )
        finally:
            steps.close()
    kept = None
    if report.best is not None and not dry_run:
        kept = session.composition.keep_tuned(session.overrides, report.settings)
    if session.as_json:
        write_json(tune_object(report, kept))
    elif not session.quiet:
        show(*tune_text(report, kept))
    if report.cancelled:
        complain("Stopped; the settings are as they were.")
        return INTERRUPTED
    return DONE if report.best is not None else WITH_FAILURES


def _restore(session: Session) -> int:
    restored = session.composition.restore_tuned(session.overrides)
    if restored.aside is not None:
        session.say(f"It had been changed since; what it was is in {restored.aside}")
    if session.as_json:
        write_json({"restored": True, "settings_file": restored.file, "aside": restored.aside})
    elif not session.quiet:
        emit(f"Restored {restored.file}")
    return DONE


class _Steps:
    """What the run does, on stderr."""

    def __init__(self, line: StatusLine) -> None:
        self._line = line
        self._step: TuneStep | None = None

    def take(self, step: TuneStep) -> None:
        """Keep what the run tells; called on its thread."""
        self._step = step

    def tick(self) -> None:
        """Show the step under way."""
        if (step := self._step) is not None:
            self._line.show(step.doing, before=f"{step.elapsed_s:.0f} of {step.limit_s:.0f} s  ")

    def close(self) -> None:
        """Leave the terminal as it was found."""
        self._line.close()


def tune_text(report: TuneReport, kept: KeptSettings | None) -> Iterator[RenderableType]:
    """The trials as a table with bars, and what came of them."""
    from rich.text import Text

    if report.trials:
        yield _table(report.trials, report.best)
    made = f", after {report.build_seconds:.0f} s of making an engine" if report.build_seconds else ""
    sample = f"{report.chunks:,} passages of this vault, {report.tokens:,} tokens"
    if report.chunks:
        yield Text(f"{report.model}: {sample}, in {report.seconds:.0f} s{made}.", "dim")
    if report.best is not None:
        best = report.best
        yield Text(f"Best: {best.engine} in {best.dtype}, batches of {best.token_budget:,} tokens.", "bold")
    if report.reason:
        yield Text(clean_line(report.reason))
    if kept is not None:
        yield Text(f"Kept in {clean_line(str(kept.file))}; 'tune --restore' undoes it.")
        for name in kept.overridden:
            yield Text(f"It has no effect while this is set: {clean_line(name)}", "yellow")


def _table(trials: Sequence[Trial], best: Trial | None) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("engine", "precision"):
        table.add_column(name, no_wrap=True)
    for name in ("budget", "chunks/s", "tokens/s", "cosine", "worst"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    top = max((trial.tokens_per_second or 0.0 for trial in trials), default=0.0)
    for trial in trials:
        cells = [
            trial.engine,
            trial.dtype,
            _number(trial.token_budget),
            _number(trial.chunks_per_second, 1),
            _number(trial.tokens_per_second),
            _number(trial.cosine_mean, 4),
            _number(trial.cosine_min, 4),
        ]
        length = round(BAR_CELLS * trial.tokens_per_second / top) if trial.tokens_per_second and top else 0
        bar = Text("█" * max(1, length) if trial.tokens_per_second else "", "green" if trial is best else "cyan")
        mark = "  best" if trial is best else f"  {clean_line(trial.note)}" if trial.note else ""
        bar.append(mark if bar.plain else mark.lstrip(), "bold green" if trial is best else "dim")
        table.add_row(*cells, bar, style="" if trial.usable else "dim")
    return table


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
