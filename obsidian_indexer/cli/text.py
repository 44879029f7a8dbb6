"""The same answers for people. Text of notes is put into `Text` objects, never read as markup, and cleaned first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from obsidian_indexer.cli.progress import duration, plural
from obsidian_indexer.cli.stream import emit
from obsidian_indexer.events import ChangeEvent, Event, FailureEvent, NoticeEvent, SyncedEvent, WatchStateEvent
from obsidian_indexer.options import SettingRow
from obsidian_indexer.records import (
    ChangeKind,
    Chunk,
    Explanation,
    Hit,
    IndexReport,
    Note,
    SearchResult,
    Status,
)
from obsidian_indexer.sanitize import clean_block, clean_line

if TYPE_CHECKING:
    from rich.console import RenderableType

WHOLE_LINE = 10_000
"""Columns of an output that is not a terminal: no line is wrapped."""


def show(*renderables: RenderableType) -> None:
    """Print on stdout: wrapped to the terminal; in a file, lines are whole and end with their last letter."""
    from rich.console import Console

    on_terminal = Console().is_terminal
    # Rich would end the program in its own way when the reader of a pipe has left, so it only draws.
    drawn = StringIO()
    width = None if on_terminal else WHOLE_LINE
    console = Console(file=drawn, force_terminal=on_terminal, width=width, markup=False, highlight=False, emoji=False)
    for renderable in renderables:
        console.print(renderable)
        text = drawn.getvalue().removesuffix("\n")
        drawn.seek(0)
        drawn.truncate()
        emit(text if on_terminal else "\n".join(line.rstrip(" ") for line in text.split("\n")))


def path_text(path: str) -> str:
    """A path as it is; in quotes, with escapes, where a terminal would not show all of its characters."""
    return path if clean_line(path) == path else repr(path)


def index_summary(report: IndexReport) -> str:
    """What a run did, in two lines; in three where notes had warnings."""
    changes = [
        f"{count:,} {word}"
        for count, word in (
            (report.added, "added"),
            (report.modified, "modified"),
            (report.renamed, "renamed"),
            (report.removed, "removed"),
            (report.unchanged, "unchanged"),
            (sum(failure.stage != "embed" for failure in report.failures), "failed"),
            (report.ignored, "ignored"),
        )
        if count
    ]
    verb = "Stopped" if report.cancelled else "Indexed"
    rate = f", {report.chunks_per_second:.1f} chunks/s" if report.embedded else ""
    chunks = f"{plural(report.chunks, 'chunk')}, {report.embedded:,} embedded, {report.reused:,} reused"
    lines = [
        f"{verb}: {plural(report.seen, 'note')} seen ({', '.join(changes) or 'none'}); {chunks}.",
        f"{duration(report.seconds)} in all{rate}.{_model_text(report)}",
    ]
    if report.warnings:
        them = "it" if report.warnings == 1 else "them"
        lines.append(f"{plural(report.warnings, 'warning')}: 'status --notes' lists {them}.")
    return "\n".join(lines)


def _model_text(report: IndexReport) -> str:
    """The model and what is known of how it ran: a run that embedded nothing did not load it."""
    if report.model is None:
        return ""
    known = ", ".join(part for part in (report.engine, report.device, report.dtype) if part)
    return f" Model {clean_line(report.model)} ({known})." if known else f" Model {clean_line(report.model)}."


def search_text(result: SearchResult, *, explain: bool = False) -> Iterator[RenderableType]:
    """Each hit as path and lines, breadcrumb, snippet."""
    from rich.text import Text

    for rank, hit in enumerate(result.hits, 1):
        if rank > 1:
            yield Text("")
        yield from _hit(rank, hit, explain=explain)


def found_text(result: SearchResult) -> str:
    """How many results, from which legs, and how long the query took."""
    found = plural(len(result.hits), "result") if result.hits else "Nothing found"
    return f"{found} · {result.mode} · search {result.took_ms:.0f} ms"


def _hit(rank: int, hit: Hit, *, explain: bool) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.style import Style
    from rich.text import Text

    head = Text(f"{rank:>2}  ")
    head.append(path_text(hit.path), Style(bold=True, link=hit.uri or None))
    head.append(f":{hit.start_line}-{hit.end_line}  {hit.score:.3f}", "dim")
    yield head
    yield Padding(Text(_breadcrumb(hit.title, hit.headings), "cyan"), (0, 0, 0, 4), expand=False)
    yield Padding(Text(clean_line(hit.snippet)), (0, 0, 0, 4), expand=False)
    if explain and hit.explanation is not None:
        yield Padding(_explanation(hit.explanation), (0, 0, 0, 4), expand=False)


def _explanation(explanation: Explanation) -> RenderableType:
    """A line for each leg, in columns, and one for the terms that the hit holds."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    legs = Table.grid(padding=(0, 2))
    for found in explanation.legs:
        values = (found.leg, f"rank {found.rank}", f"score {found.score:.3f}", f"weight {found.weight:.2f}")
        legs.add_row(*(Text(clean_line(value), "dim") for value in (*values, found.detail or "")))
    if not explanation.terms:
        return legs
    terms = " · ".join(term.summary for term in explanation.terms)
    return Group(legs, Text(clean_line(f"terms (BM25): {terms}"), "dim"))


def _breadcrumb(title: str, headings: Sequence[str]) -> str:
    """Title and headings; a first heading that only repeats the title is left out."""
    below = headings[1:] if headings and headings[0] == title else headings
    return clean_line(" > ".join((title, *below)))


def status_text(status: Status, *, notes: bool = False) -> Iterator[RenderableType]:
    """The index at a glance, and with `notes` each file's state."""
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(status):
        facts.add_row(Text(name, "dim"), Text(clean_line(value), overflow="fold"))
    yield facts
    for failure in status.failures:
        yield Text(clean_line(f"failed: {path_text(failure.path)}: {failure.stage}: {failure.reason}"), "red")
    if notes:
        for entry in status.entries:
            reason = f" ({clean_line(entry.reason)})" if entry.reason else ""
            yield Text(f"{entry.state:<8} {path_text(entry.path)}{reason}")


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    yield "vault", path_text(status.vault)
    yield "index", path_text(status.data_dir)
    yield "notes", f"{status.notes:,}"
    yield "chunks", f"{status.chunks:,}"
    yield "pending", f"{plural(status.pending, 'note')} not taken up yet" if status.pending else "none"
    yield "failed", f"{status.failed:,}"
    yield "ignored", f"{status.ignored:,}"
    for model in status.models:
        active = " (active)" if model.active else ""
        yield "model", f"{model.name}{active}: {plural(model.vectors, 'vector')} of {model.dim}"
    if status.offered_model is not None:
        yield "offered", f"{status.offered_model}: 'index --model {status.offered_model}' changes to it"
    if status.engine is not None:
        engine = status.engine
        yield "engine", f"{engine.name} on {engine.device}, {engine.dtype}" if engine.name else engine.dtype
    if status.int8 is not None:
        if status.int8.refused is not None:
            yield "int8 engine", f"not used: {status.int8.refused}"
        yield "int8 check", f"{status.int8.figures} ({status.int8.circumstances})"
    if status.tuned is not None:
        yield "tuned", f"{status.tuned.summary} ({status.tuned.at})"
    yield "store", f"{status.store_kind}, {plural(status.store_vectors, 'vector')}"
    yield "last index", status.last_index or "never"
    yield "writer", status.writer or "none"


def parse_text(note: Note, chunks: Sequence[Chunk]) -> Iterator[RenderableType]:
    """A note's outline and its passages."""
    from rich.padding import Padding
    from rich.text import Text

    yield Text(f"{path_text(note.path)}: {clean_line(note.title)}", "bold")
    counts = ((note.headings, "heading"), (note.links, "link"), (note.tags, "tag"), (chunks, "chunk"))
    yield Text(" · ".join((note.kind, *(plural(len(found), word) for found, word in counts))), "dim")
    for warning in note.warnings:
        yield Text(clean_line(f"line {warning.line}: {warning.message} [{warning.code}]"), "yellow")
    for chunk in chunks:
        crumb = _breadcrumb(note.title, chunk.headings)
        tokens = plural(chunk.n_tokens, "token")
        yield Text(f"lines {chunk.start_line}-{chunk.end_line} · {tokens} · {crumb}", "cyan")
        yield Padding(Text(clean_block(chunk.text)), (0, 0, 1, 4), expand=False)


def files_text(user_file: Path, vault_file: Path | None) -> Iterator[RenderableType]:
    """Where settings can be written, and whether anything is there yet."""
    from rich.text import Text

    for label, path in (("user's file: ", user_file), ("vault's file:", vault_file)):
        if path is None:
            yield Text(f"{label} (no vault)")
        else:
            yield Text(f"{label} {path_text(str(path))} ({'exists' if path.exists() else 'not there yet'})")
    yield Text("")


def settings_text(rows: Iterable[SettingRow]) -> RenderableType:
    """Every setting, its value and where it came from, as TOML-like sections."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            table.add_row(Text(f"[{section}]", "bold"))
        changed = row.source != "default"
        table.add_row(
            Text(row.name),
            Text(clean_line(setting_value(row.value)), "bold" if changed else "", overflow="fold"),
            Text(clean_line(row.source), "" if changed else "dim", overflow="fold"),
        )
    return table


def setting_value(value: object) -> str:
    """A setting's value in a word or two."""
    match value:
        case None:
            return "(unset)"
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value)) or "(none)"
        case "":
            return '""'
        case _:
            return str(value)


def event_text(event: Event) -> str | None:
    """One line of `watch`, or None for what is not worth a line."""
    match event:
        case ChangeEvent(change) if change.kind is ChangeKind.RENAMED:
            line = f"renamed   {path_text(change.old_path or '')} -> {path_text(change.path)}"
        case ChangeEvent(change):
            line = f"{change.kind:<9} {path_text(change.path)}"
        case SyncedEvent():
            line = f"up to date: {plural(event.embedded, 'chunk')} embedded in {event.seconds:.1f} s"
        case WatchStateEvent(state, reason):
            line = f"{state}: {reason}" if reason else str(state)
        case FailureEvent(failure):
            line = f"failed    {path_text(failure.path)}: {failure.stage}: {failure.reason}"
        case NoticeEvent(message):
            line = message
    return clean_line(line)
