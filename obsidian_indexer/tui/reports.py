"""Longer facts as lines: the report of a run and the health of an index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from textual.content import Content

from obsidian_indexer.records import Failure, IndexReport, NoteEntry, Status
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.text import count, duration, rate

LABEL_CELLS = 12
ENTRIES_SHOWN = 100


def fact(label: str, value: str | Content) -> Content:
    """A label in its column and a value."""
    return Content.assemble(Content.styled(f"{label:<{LABEL_CELLS}}", "$foreground 62%"), value)


def section(title: str) -> Content:
    """The title of a group of facts."""
    return Content.styled(title, "bold $text-primary")


def report_lines(report: IndexReport) -> list[Content]:
    """What a run did, in a few lines."""
    changes = [
        f"{number:,} {word}"
        for number, word in (
            (report.added, "added"),
            (report.modified, "modified"),
            (report.renamed, "renamed"),
            (report.removed, "removed"),
            (report.unchanged, "unchanged"),
            (report.ignored, "ignored"),
        )
        if number
    ]
    lines = [
        fact("Notes", ", ".join([f"{report.seen:,} seen", *changes])),
        fact("Passages", f"{report.chunks:,} in all, {report.embedded:,} embedded, {report.reused:,} reused"),
    ]
    speed = f" at {rate(report.chunks_per_second)}" if report.chunks_per_second else ""
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds_by_stage.items())
    lines.append(fact("Time", f"{duration(report.seconds)}{speed}" + (f" ({stages})" if stages else "")))
    engine = " · ".join(clean_line(part) for part in (report.model, report.engine, report.device, report.dtype) if part)
    if engine:
        lines.append(fact("Model", engine))
    if report.warnings:
        lines.append(fact("Warnings", f"{count(report.warnings, 'place')} could not be read as written"))
    return lines


def status_lines(status: Status, model_line: str) -> list[Content]:
    """The health of an index, in groups."""
    lines = [
        section("Index"),
        fact("Vault", clean_line(status.vault)),
        fact("Index folder", clean_line(status.data_dir)),
        fact("Notes", f"{status.notes:,}"),
        fact("Passages", f"{status.chunks:,}"),
        fact("Pending", _health(status.pending, "passage", "waiting for a vector", "$text-warning")),
        fact("Failed", _health(status.failed, "note", "could not be processed", "$text-error")),
        fact("Ignored", f"{status.ignored:,}"),
        fact("Last run", clean_line(status.last_index).replace("T", " ") if status.last_index else "never"),
        fact("Writer", clean_line(status.writer) if status.writer else "none"),
        Content(""),
        section("Model"),
    ]
    if model_line:
        lines.append(Content(clean_line(model_line)))
    for model in status.models:
        active = Content.styled("  active", "$text-success") if model.active else Content("")
        text = f"{clean_line(model.name)} · {model.dim} dimensions · {count(model.vectors, 'vector')}"
        lines.append(Content.assemble(Content.styled("• ", "$text-accent"), text, active))
    lines += [Content(""), section("Store"), fact("Kind", clean_line(status.store_kind))]
    lines.append(fact("Vectors", f"{status.store_vectors:,}"))
    lines += _failures(status.failures)
    lines += _left_out(status.entries)
    return lines


def _health(number: int, noun: str, meaning: str, style: str) -> Content:
    if not number:
        return Content.styled("none", "$text-success")
    return Content.styled(f"{count(number, noun)} {meaning}", style)


def _failures(failures: Iterable[Failure]) -> list[Content]:
    shown = list(failures)[:ENTRIES_SHOWN]
    if not shown:
        return []
    return [
        Content(""),
        section("Failures"),
        *(
            Content.assemble(clean_line(each.path), Content.styled(f"  {clean_line(each.reason)}", "$text-error"))
            for each in shown
        ),
    ]


def _left_out(entries: Iterable[NoteEntry]) -> list[Content]:
    """Files that are not indexed: how many for each reason, then their names."""
    out = [entry for entry in entries if entry.state in {"ignored", "empty"}]
    if not out:
        return []
    reasons = Counter(entry.reason or entry.state for entry in out)
    lines = [Content(""), section("Left out")]
    lines += [fact(f"{number:,}", clean_line(reason)) for reason, number in reasons.most_common()]
    lines.append(Content(""))
    for entry in out[:ENTRIES_SHOWN]:
        reason = clean_line(entry.reason or entry.state)
        lines.append(Content.assemble(clean_line(entry.path), Content.styled(f"  {reason}", "$foreground 62%")))
    if len(out) > ENTRIES_SHOWN:
        lines.append(Content.styled(f"and {len(out) - ENTRIES_SHOWN:,} more", "$foreground 62%"))
    return lines
