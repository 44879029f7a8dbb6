"""The trials of a tuning run as rows with bars, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.reports import fact
from obsidian_indexer.tui.rows import DIM, Row, bar, plain
from obsidian_indexer.tui.runs import TuneRun
from obsidian_indexer.tui.text import rate
from obsidian_indexer.tuning import Trial

BAR_CELLS = 10


def tune_rows(run: TuneRun) -> list[Row]:
    """The trials so far, and the conclusion once there is one."""
    report = run.report
    trials: Sequence[Trial] = report.trials if report is not None else run.step.trials if run.step is not None else ()
    best = report.best if report is not None else None
    rows = trial_rows(trials, best)
    if run.error is not None:
        rows += [plain(), plain(clean_line(run.error), "$text-error")]
    if report is None:
        return rows
    rows += [plain(), fact("Model", clean_line(report.model))]
    rows.append(fact("Sample", f"{report.chunks:,} passages, {report.tokens:,} tokens of this vault"))
    if best is not None:
        text = f"{best.engine} in {best.dtype}, batches of {best.token_budget or 0:,} tokens"
        rows.append(fact("Best", Content.styled(text, "bold $text-success")))
    if report.reason:
        rows.append(fact("Why", clean_line(report.reason)))
    if run.kept is not None:
        rows.append(fact("Kept in", clean_line(str(run.kept.file))))
        rows += [fact("Overridden", Content.styled(clean_line(name), "$text-warning")) for name in run.kept.overridden]
    return rows


def trial_rows(trials: Sequence[Trial], best: Trial | None) -> list[Row]:
    """A line for each trial: what it was, its pace as number and bar, and how near it comes to float32."""
    if not trials:
        return []
    top = max(trial.tokens_per_second or 0.0 for trial in trials)
    pace = f"{'passages':>9}  "
    head = Content.styled(f"{'engine':<9}{'precision':<10}{'budget':>6}{pace}{'':<{BAR_CELLS}}  cosine worst", DIM)
    return [Row(Content(""), head), *(_row(trial, top, is_best=trial is best) for trial in trials)]


def _row(trial: Trial, top: float, *, is_best: bool) -> Row:
    budget = "" if trial.token_budget is None else f"{trial.token_budget:,}"
    style = "bold $text-success" if is_best else "" if trial.usable else DIM
    lead = Content.styled(f"{trial.engine:<9}{trial.dtype:<9}{budget:>7}", style)
    note = Content.styled("best" if is_best else clean_line(trial.note), style or DIM)
    if not trial.tokens_per_second:
        return Row(lead, Content.assemble("  ", note))
    cosine = f"{'':<15}" if trial.cosine_mean is None else f"{trial.cosine_mean:.4f} {trial.cosine_min:.4f}  "
    pace = f"{rate(trial.chunks_per_second or 0.0):>9}  "
    return Row(lead, Content.assemble(pace, bar(trial.tokens_per_second / top, BAR_CELLS), "  ", (cosine, DIM), note))
