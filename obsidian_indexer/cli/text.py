"""The same answers for people. Text of notes is put into `Text` objects, never read as markup, and cleaned first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from obsidian_indexer.cli.progress import duration
from obsidian_indexer.events import ChangeEvent, Event, FailureEvent, NoticeEvent, SyncedEvent, WatchStateEvent
from obsidian_indexer.options import SettingRow
from obsidian_indexer.records import ChangeKind, Chunk, Hit, IndexReport, Note, SearchResult, Status
from obsidian_indexer.sanitize import clean_block, clean_line

if TYPE_CHECKING:
    from rich.console import RenderableType

WHOLE_LINE = 10_000
"""Columns of an output that is not a terminal: no line is wrapped."""


def show(*renderables: RenderableType) -> None:
    """Print on stdout: wrapped to the terminal, each line whole where stdout is a file."""
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = WHOLE_LINE
    for renderable in renderables:
        console.print(renderable)


def index_summary(report: IndexReport) -> str:
    """What a run did, in two lines."""
    changes = [
        f"{count:,} {word}"
        for count, word in (
            (report.added, "added"),
            (report.modified, "modified"),
            (report.renamed, "renamed"),
            (report.removed, "removed"),
            (report.unchanged, "unchanged"),
            (report.ignored, "ignored"),
        )
        if count
    ]
    verb = "Stopped" if report.cancelled else "Indexed"
    rate = f", {report.chunks_per_second:.1f} chunks/s" if report.embedded else ""
    return (
        f"{verb}: {report.seen:,} notes ({', '.join(changes) or 'none'}); {report.chunks:,} chunks, "
        f"{report.embedded:,} embedded, {report.reused:,} reused.\n"
        f"{duration(report.seconds)} in all{rate}. "
        f"Model {report.model or '-'} ({report.engine or '-'}, {report.device or '-'}, {report.dtype or '-'})."
    )


def search_text(result: SearchResult, *, explain: bool = False) -> Iterator[RenderableType]:
    """Each hit as path and lines, breadcrumb, snippet."""
    from rich.text import Text

    for rank, hit in enumerate(result.hits, 1):
        yield from _hit(rank, hit, explain=explain)
    count = len(result.hits)
    found = f"{count} result{'' if count == 1 else 's'}" if count else "Nothing found"
    yield Text(f"{found} · {result.mode} · {result.took_ms:.0f} ms", style="dim")


def _hit(rank: int, hit: Hit, *, explain: bool) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.style import Style
    from rich.text import Text

    head = Text(f"{rank:>2}  ")
    head.append(clean_line(hit.path), Style(bold=True, link=hit.uri or None))
    head.append(f":{hit.start_line}-{hit.end_line}  {hit.score:.3f}", "dim")
    yield head
    yield Padding(Text(_breadcrumb(hit.title, hit.headings), "cyan"), (0, 0, 0, 4), expand=False)
    yield Padding(Text(clean_line(hit.snippet)), (0, 0, 0, 4), expand=False)
    if explain:
        legs = f"keyword rank {hit.keyword_rank or '-'} · semantic rank {hit.semantic_rank or '-'} · similarity "
        legs += "-" if hit.similarity is None else f"{hit.similarity:.3f}"
        yield Padding(Text(legs, "dim"), (0, 0, 0, 4), expand=False)
        for name, value in (hit.explanation or {}).items():
            yield Padding(Text(clean_line(f"{name}: {value}"), "dim"), (0, 0, 0, 4), expand=False)
    yield Text("")


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
        yield Text(clean_line(f"failed: {failure.path}: {failure.stage}: {failure.reason}"), "red")
    if notes:
        for entry in status.entries:
            yield Text(clean_line(f"{entry.state:<8} {entry.path}" + (f" ({entry.reason})" if entry.reason else "")))


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    yield "vault", status.vault
    yield "index", status.data_dir
    yield "notes", f"{status.notes:,}"
    yield "chunks", f"{status.chunks:,} ({status.pending:,} waiting to be embedded)"
    yield "failed", f"{status.failed:,}"
    yield "ignored", f"{status.ignored:,}"
    for model in status.models:
        active = " (active)" if model.active else ""
        yield "model", f"{model.name}{active}: {model.vectors:,} vectors of {model.dim}"
    yield "store", f"{status.store_kind}, {status.store_vectors:,} vectors"
    yield "last index", status.last_index or "never"
    yield "writer", status.writer or "none"


def parse_text(note: Note, chunks: Sequence[Chunk]) -> Iterator[RenderableType]:
    """A note's outline and its passages."""
    from rich.padding import Padding
    from rich.text import Text

    yield Text(clean_line(f"{note.path}: {note.title}"), "bold")
    yield Text(
        f"{note.kind} · {len(note.headings)} headings · {len(note.links)} links · {len(note.tags)} tags · "
        f"{len(chunks)} chunks",
        "dim",
    )
    for warning in note.warnings:
        yield Text(clean_line(f"line {warning.line}: {warning.message} [{warning.code}]"), "yellow")
    for chunk in chunks:
        crumb = _breadcrumb(note.title, chunk.headings)
        yield Text(f"lines {chunk.start_line}-{chunk.end_line} · {chunk.n_tokens} tokens · {crumb}", "cyan")
        yield Padding(Text(clean_block(chunk.text)), (0, 0, 1, 4), expand=False)


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
            line = f"renamed   {change.old_path} -> {change.path}"
        case ChangeEvent(change):
            line = f"{change.kind:<9} {change.path}"
        case SyncedEvent():
            line = f"up to date: {event.embedded:,} chunks embedded in {event.seconds:.1f} s"
        case WatchStateEvent(state, reason):
            line = f"{state}: {reason}" if reason else str(state)
        case FailureEvent(failure):
            line = f"failed    {failure.path}: {failure.stage}: {failure.reason}"
        case NoticeEvent(message):
            line = message
    return clean_line(line)
