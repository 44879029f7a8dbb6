"""The command `evaluate`: how well searches find what they should, as a table or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from obsidian_indexer.cli.command import Command
from obsidian_indexer.cli.interrupt import run_in_worker
from obsidian_indexer.cli.output import evaluate_object, write_json
from obsidian_indexer.cli.progress import StatusLine, detail
from obsidian_indexer.cli.session import Session
from obsidian_indexer.cli.stream import complain
from obsidian_indexer.cli.text import show
from obsidian_indexer.errors import VaultError
from obsidian_indexer.events import ignore_event
from obsidian_indexer.options import Options
from obsidian_indexer.sanitize import clean_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from obsidian_indexer.engine import Engine
    from obsidian_indexer.evaluate.metrics import Scores
    from obsidian_indexer.evaluate.run import Course, Report

DONE, WITH_FAILURES = 0, 1
VAULT_QUESTIONS = 300
Result = TypeVar("Result")


@click.command(cls=Command)
@click.option(
    "--set",
    "sets",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="A judged collection instead of the vault: corpus.jsonl, queries.jsonl, qrels.tsv. May be given again.",
)
@click.option("--model", "models", multiple=True, metavar="NAME", help="A model to measure. May be given again.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Ask at most N questions. By default {VAULT_QUESTIONS} of the vault's, or all of a collection's.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep what is made for measuring there: the next run embeds nothing again.",
)
@click.pass_obj
def evaluate(
    session: Session, sets: Sequence[Path], models: Sequence[str], limit: int | None, keep: Path | None
) -> int:
    """Measure how well searches find what they should: on your own notes, asking for them by what links, aliases and
    headings call them (which the measured copy hides), or on judged collections.
    """
    import tempfile

    options = _options(session, sets)
    with tempfile.TemporaryDirectory(prefix="obsidian-indexer-") as temporary:
        place = keep or Path(temporary)
        reports = [
            _measured(session, partial(_evaluate, session, folder, _with_model(options, model), place, limit))
            for model in models or (options.embedding.model,)
            for folder in sets or (None,)
        ]
    if session.as_json:
        write_json(evaluate_object(reports))
    else:
        show(*report_text(reports))
    failed = [report for report in reports if report.failed]
    for report in failed:
        complain(f"{report.name}, {report.model}: {report.failed:,} notes or passages could not be indexed.")
    return WITH_FAILURES if failed else DONE


def _options(session: Session, sets: Sequence[Path]) -> Options:
    """The settings to measure: those of the vault here, or else a person's own, since a collection needs no vault."""
    try:
        return session.settings().options
    except VaultError:
        if not sets or "vault.path" in session.overrides:
            raise
        return session.over(vault__path=sets[0].resolve()).settings().options


def _with_model(options: Options, model: str) -> Options:
    return replace(options, embedding=replace(options.embedding, model=model))


def _evaluate(
    session: Session, folder: Path | None, options: Options, keep: Path, limit: int | None, course: Course
) -> Report:
    from obsidian_indexer.evaluate.run import evaluate_set, evaluate_vault

    def open_engine(chosen: Options) -> Engine:
        return session.composition.open_engine(chosen, ignore_event)

    if folder is not None:
        return evaluate_set(folder, options, keep=keep, limit=limit, course=course, open_engine=open_engine)
    return evaluate_vault(options, keep=keep, limit=limit or VAULT_QUESTIONS, course=course, open_engine=open_engine)


def _measured(session: Session, work: Callable[[Course], Result]) -> Result:
    """The result of `work`, done in a worker thread under a line that says how far it is."""
    from obsidian_indexer.evaluate.run import Course

    course, line = Course(), StatusLine(quiet=session.quiet)
    try:
        return run_in_worker(
            lambda: work(course),
            cancel=course.cancel,
            on_tick=lambda: line.show(course.doing, after=_how_far(course)),
            on_interrupt=lambda: complain("Stopping…; Ctrl+C again stops at once."),
        )
    finally:
        line.close()


def _how_far(course: Course) -> str:
    if (indexing := course.indexing) is not None:
        now = indexing.snapshot()
        return f"  {now.stage} {detail(now)}"
    total = f"/{course.total:,}" if course.total else ""
    return f"  {course.done:,}{total}" if course.done or total else ""


def report_text(reports: Sequence[Report]) -> Iterator[RenderableType]:
    """A row for each mode of each result, the best in bold; below, the same for parts of the questions."""
    yield _table(("measured", "model"), [((report.name, report.model), report.modes) for report in reports])
    for group in dict.fromkeys(group for report in reports for group in report.groups):
        parts = [
            ((report.name, report.model, value), modes)
            for report in reports
            if len(values := report.groups.get(group, {})) > 1
            for value, modes in values.items()
        ]
        if parts:
            yield ""
            yield _table(("measured", "model", group), parts)


def _table(names: Sequence[str], rows: Iterable[tuple[Sequence[str], Mapping[str, Scores]]]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in (*names, "mode"):
        table.add_column(name, no_wrap=True)
    for name in ("questions", "nDCG@10", "MRR@10", "hit@1", "hit@5", "recall@10", "no result", "ms"):
        table.add_column(name, justify="right", no_wrap=True)
    before: Sequence[str] = ()
    for lead, modes in rows:
        best = max((scores.ndcg_at_10 for scores in modes.values()), default=0.0)
        for mode, scores in modes.items():
            means = (scores.ndcg_at_10, scores.mrr_at_10, scores.hit_at_1, scores.hit_at_5, scores.recall_at_10)
            table.add_row(
                *_where_changed(lead, before),
                mode,
                f"{scores.questions:,}",
                *(f"{mean:.3f}" for mean in means),
                f"{scores.unanswered:,}",
                f"{scores.median_ms:.0f}",
                style="bold" if scores.ndcg_at_10 == best else "",
            )
            before = lead
    return table


def _where_changed(lead: Sequence[str], before: Sequence[str]) -> list[str]:
    """The names of a row, those that stand above it already left out."""
    same = [tuple(lead[: i + 1]) == tuple(before[: i + 1]) for i in range(len(lead))]
    return ["" if known else clean_line(name) for known, name in zip(same, lead, strict=True)]
