"""Text for the screens: numbers, times and rows as styled content, never as markup.

Everything that comes from a note or a file name passes the sanitiser here, once, on its way to the screen.
"""

from __future__ import annotations

import re

from textual.content import Content

from obsidian_indexer.events import (
    ChangeEvent,
    Event,
    FailureEvent,
    NoticeEvent,
    ProgressSnapshot,
    Stage,
    SyncedEvent,
    WatchStateEvent,
)
from obsidian_indexer.records import ChangeKind, Hit
from obsidian_indexer.sanitize import clean_line

STAGE_NAMES = {
    Stage.IDLE: "Starting",
    Stage.SCAN: "Looking through the vault",
    Stage.PARSE: "Reading notes",
    Stage.MODEL: "Loading the model",
    Stage.EMBED: "Embedding passages",
    Stage.STORE: "Writing the vector store",
    Stage.DONE: "Done",
}
CHANGE_STYLES = {
    ChangeKind.ADDED: "$text-success",
    ChangeKind.MODIFIED: "$text-primary",
    ChangeKind.REMOVED: "$text-error",
    ChangeKind.RENAMED: "$text-warning",
}
BAR_CELLS = 6
EIGHTHS = " ▏▎▍▌▋▊▉█"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: `1 note`, `1,204 notes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float | None) -> str:
    """Seconds as `0:07` or `1:02:03`; a dash when unknown."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def rate(per_second: float) -> str:
    """Chunks per second with one decimal below 100."""
    if per_second <= 0:
        return "–"
    return f"{per_second:,.0f}/s" if per_second >= 100 else f"{per_second:.1f}/s"


def fit(content: Content, width: int) -> Content:
    """One line of at most `width` cells, ended by an ellipsis where cut; wide characters are never halved."""
    return content.truncate(max(1, width), ellipsis=True)


def spread(left: Content, right: Content, width: int) -> Content:
    """Left and right text on one line of `width` cells; the left gives way first."""
    if right.cell_length + 4 > width:
        return fit(left, width)
    left = fit(left, width - right.cell_length - 1)
    gap = width - left.cell_length - right.cell_length
    return Content.assemble(left, " " * gap, right)


def bar(fraction: float, cells: int = BAR_CELLS) -> str:
    """A horizontal bar in eighths of a cell, `cells` wide."""
    eighths = round(min(1.0, max(0.0, fraction)) * cells * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[part] if part else "")).ljust(cells)


def breadcrumb(title: str, headings: tuple[str, ...]) -> str:
    """`Title › Heading › Heading`, a first heading equal to the title said once; clean."""
    parts = [clean_line(part) for part in headings]
    if parts and parts[0] == clean_line(title):
        parts = parts[1:]
    return " › ".join(parts)


def line_range(start: int, end: int) -> str:
    """`12` or `12–18`."""
    return f"{start}" if end <= start else f"{start}–{end}"


def query_terms(query: str) -> tuple[str, ...]:
    """The words of a query that a snippet may show, without operators, longest first."""
    words = [word for word in re.findall(r"[^\s\"()|]+", query) if ":" not in word and not word.startswith("-")]
    return tuple(sorted({word.casefold() for word in words if word not in {"OR", "AND", "NOT"}}, key=len, reverse=True))


def mark_terms(content: Content, terms: tuple[str, ...], style: str) -> Content:
    """The content with each occurrence of a term styled, whatever its case."""
    plain = content.plain.casefold()
    if len(plain) != len(content.plain):
        plain = content.plain.lower()
        if len(plain) != len(content.plain):
            return content
    for term in terms:
        at = plain.find(term) if len(term) > 1 or not term.isascii() else -1
        while at >= 0:
            content = content.stylize(style, at, at + len(term))
            at = plain.find(term, at + len(term))
    return content


def hit_row(hit: Hit, best: float, terms: tuple[str, ...], width: int) -> Content:
    """A result as four lines of `width` cells: title and score, where, and two lines of snippet."""
    title = clean_line(hit.title) or clean_line(hit.path)
    fraction = hit.score / best if best > 0 else 0.0
    head = spread(
        Content.styled(title, "bold"), Content.styled(bar(fraction), "$text-accent on $foreground 10%"), width
    )
    lines = line_range(hit.start_line, hit.end_line)
    trail = breadcrumb(hit.title, hit.headings)
    where = f"{trail}  ·  {clean_line(hit.path)}" if trail else clean_line(hit.path)
    place = spread(Content.styled(where, "$foreground 62%"), Content.styled(f":{lines}", "$foreground 62%"), width)
    snippet = mark_terms(Content(clean_line(hit.snippet)), terms, "bold $text-accent")
    wrapped = snippet.wrap(max(2, width)) if snippet.plain else [Content("")]
    shown = [line.rstrip() for line in wrapped[:2]]
    if len(wrapped) > 2:
        shown[1] = fit(Content.assemble(shown[1], " …"), width)
    return Content("\n").join([head, place, *shown])


def activity(snapshot: ProgressSnapshot) -> str:
    """A run in a few words, for the top line of other screens."""
    match snapshot.stage:
        case Stage.EMBED if snapshot.chunks_total:
            share = f"{100 * snapshot.chunks_done // snapshot.chunks_total}%"
            left = f" · {duration(snapshot.eta_s)} left" if snapshot.eta_s is not None else ""
            return f"indexing {share} · {rate(snapshot.chunks_per_second)}{left}"
        case Stage.SCAN if snapshot.notes_seen:
            return f"indexing · {count(snapshot.notes_seen, 'note')} found"
        case Stage.PARSE if snapshot.notes_total:
            return f"indexing · note {snapshot.notes_done:,} of {snapshot.notes_total:,}"
        case stage:
            return f"indexing · {STAGE_NAMES[stage].lower()}"


def event_line(event: Event) -> Content:
    """A watch event as one line."""
    match event:
        case ChangeEvent(change=change):
            label = Content.styled(f"{change.kind.value:<9}", CHANGE_STYLES[change.kind])
            path = clean_line(change.path)
            if change.old_path is not None:
                path = f"{clean_line(change.old_path)} → {path}"
            return Content.assemble(label, path)
        case SyncedEvent():
            return Content.assemble(
                Content.styled(f"{'synced':<9}", "$foreground 62%"),
                Content.styled(f"{synced_counts(event)} · {event.seconds:.1f} s", "$foreground 62%"),
            )
        case FailureEvent(failure=failure):
            text = f"{clean_line(failure.path)}: {clean_line(failure.reason)}"
            return Content.assemble(Content.styled(f"{'failed':<9}", "$text-error"), text)
        case NoticeEvent(message=message):
            return Content.assemble(Content.styled(f"{'notice':<9}", "$text-warning"), clean_line(message))
        case WatchStateEvent(state=state, reason=reason):
            text = f"{state.value}: {clean_line(reason)}" if reason else state.value
            return Content.assemble(Content.styled(f"{'watcher':<9}", "$foreground 62%"), text)


def synced_counts(event: SyncedEvent) -> str:
    """What a watch cycle did, only the counts that are not zero."""
    parts = [
        f"{number:,} {word}"
        for number, word in (
            (event.added, "added"),
            (event.modified, "modified"),
            (event.removed, "removed"),
            (event.renamed, "renamed"),
        )
        if number
    ]
    return ", ".join([*parts, f"{event.embedded:,} embedded"])
