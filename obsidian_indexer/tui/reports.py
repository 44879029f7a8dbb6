"""Longer facts as rows: the report of a run and the health of an index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from textual.content import Content

from obsidian_indexer.records import Failure, IndexReport, NoteEntry, Status
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.rows import DIM, Row, plain
from obsidian_indexer.tui.text import count, duration, moment, rate

LABEL_CELLS = 14
STAGE_CELLS = 8
SHOWN = 100


def fact(label: str, value: str | Content) -> Row:
    """A label in its column and a value."""
    return Row(Content.styled(f"{label:<{LABEL_CELLS}}", DIM), Content(value) if isinstance(value, str) else value)


def section(title: str) -> Row:
    """The title of a group of facts."""
    return plain(title, "bold $text-primary")


def report_rows(report: IndexReport) -> list[Row]:
    """What a run did, in a few lines."""
    changes = [
        f"{number:,} {word}"
        for number, word in (
            (report.added, "added"),
            (report.modified, "modified"),
            (report.renamed, "renamed"),
            (report.removed, "removed"),
            (report.unchanged, "unchanged"),
            (len({failure.path for failure in report.failures if failure.stage != "embed"}), "failed"),
            (report.ignored, "ignored"),
        )
        if number
    ]
    passages = f"{report.chunks:,} in all, {report.embedded:,} embedded, {report.reused:,} reused"
    if unread := sum(failure.stage == "embed" for failure in report.failures):
        passages += f", {unread:,} failed"
    rows = [fact("Notes", ", ".join(changes) or "none"), fact("Passages", passages)]
    speed = f" at {rate(report.chunks_per_second)}" if report.chunks_per_second else ""
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds_by_stage.items())
    rows.append(fact("Time", f"{duration(report.seconds)}{speed}" + (f" ({stages})" if stages else "")))
    engine = " · ".join(clean_line(part) for part in (report.model, report.engine, report.device, report.dtype) if part)
    if engine:
        rows.append(fact("Model", engine))
    if report.warnings:
        rows.append(fact("Warnings", f"{count(report.warnings, 'place')} could not be read as written"))
    return rows


def failure_rows(failures: Sequence[Failure], number: int) -> list[Row]:
    """The failures of a run, newest first, under their number; nothing where there are none."""
    if not failures:
        return []
    rows = [plain(count(number, "failure"), "bold $text-error")]
    for failure in list(reversed(failures))[:SHOWN]:
        reason = Content.styled(f"  {clean_line(failure.reason)}", "$text-error")
        lead = Content.styled(f"{clean_line(failure.stage):<{STAGE_CELLS}}", DIM)
        rows.append(Row(lead, Content.assemble(clean_line(failure.path), reason)))
    return rows


def status_rows(status: Status, model_line: str, now: datetime) -> list[Row]:
    """The health of an index, in groups; `now` is local time."""
    rows = [
        section("Index"),
        fact("Vault", clean_line(status.vault)),
        fact("Index folder", clean_line(status.data_dir)),
        fact("Notes", f"{status.notes:,}"),
        fact("Passages", f"{status.chunks:,}"),
        fact("Pending", _health(status.pending, "note", "not taken up yet", "$text-warning")),
        fact("Failed", _health(status.failed, "note", "could not be processed", "$text-error")),
        fact("Ignored", f"{status.ignored:,}"),
        fact("Last run", moment(status.last_index, now) if status.last_index else "never"),
        fact("Writer", clean_line(status.writer) if status.writer else "none"),
        plain(),
        section("Model"),
    ]
    if model_line:
        rows.append(plain(clean_line(model_line)))
    for model in status.models:
        active = Content.styled("  active", "$text-success") if model.active else Content("")
        text = f"{clean_line(model.name)} · {model.dim} dimensions · {count(model.vectors, 'vector')}"
        rows.append(Row(Content.styled("• ", "$text-accent"), Content.assemble(text, active)))
    if status.offered_model is not None:
        rows.append(fact("Offered", f"{status.offered_model}, with the setting embedding.model"))
    rows += _computing(status, now)
    rows += [plain(), section("Store"), fact("Kind", clean_line(status.store_kind))]
    rows.append(fact("Vectors", f"{status.store_vectors:,}"))
    if status.failures:
        rows += [plain(), *failure_rows(status.failures, len(status.failures))]
    return rows + _left_out(status.entries)


def _computing(status: Status, now: datetime) -> list[Row]:
    """What computes the vectors, how good its int8 form is, what tuning found."""
    rows = []
    if (engine := status.engine) is not None:
        told = f"{engine.name} on {engine.device} · {engine.dtype}" if engine.name else engine.dtype
        rows.append(fact("Engine", clean_line(told)))
    if status.int8 is not None:
        if status.int8.refused is not None:
            rows.append(fact("int8 engine", Content.styled(f"not used: {clean_line(status.int8.refused)}", DIM)))
        rows += [fact("int8 check", status.int8.figures), fact("", status.int8.circumstances)]
    if status.tuned is not None:
        rows += [fact("Tuned", clean_line(status.tuned.summary)), fact("", moment(status.tuned.at, now))]
    return rows


def _health(number: int, noun: str, meaning: str, style: str) -> Content:
    if not number:
        return Content.styled("none", "$text-success")
    return Content.styled(f"{count(number, noun)} {meaning}", style)


def _left_out(entries: Iterable[NoteEntry]) -> list[Row]:
    """Files that are not in the index, or have nothing to be found by, grouped by the reason."""
    entries = tuple(entries)
    return [
        *_grouped("ignored", "file", [entry for entry in entries if entry.state == "ignored"]),
        *_grouped("without text", "note", [entry for entry in entries if entry.state == "empty"]),
    ]


def _grouped(title: str, noun: str, entries: Sequence[NoteEntry]) -> list[Row]:
    """Entries under their number: the reasons, most frequent first, each with its number and the first paths."""
    if not entries:
        return []

    def reason_of(entry: NoteEntry) -> str:
        return clean_line(entry.reason or "")

    reasons = [(reason, list(group)) for reason, group in groupby(sorted(entries, key=reason_of), key=reason_of)]
    rows = [plain(), section(f"{count(len(entries), noun)} {title}")]
    for reason, group in sorted(reasons, key=lambda each: -len(each[1])):
        if reason:
            rows.append(Row(Content.styled(f"{len(group):>6,}  ", DIM), Content(reason)))
        rows += [Row(Content(" " * 8), Content.styled(clean_line(entry.path), DIM)) for entry in group[:SHOWN]]
        if len(group) > SHOWN:
            rows.append(Row(Content(" " * 8), Content.styled(f"and {len(group) - SHOWN:,} more", DIM)))
    return rows
