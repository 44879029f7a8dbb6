"""Text for the screens: numbers, times and rows as styled content, never as markup.

Everything that comes from a note or a file name passes the sanitiser here, once, on its way to the screen.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import PurePosixPath

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
from obsidian_indexer.tui.rows import DIM, Row, bar, fit, spread

STAGE_NAMES = {
    Stage.IDLE: "Starting",
    Stage.SCAN: "Looking through the vault",
    Stage.PARSE: "Reading notes",
    Stage.MODEL: "Loading the model",
    Stage.BUILD: "Building the engine",
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
LABEL_CELLS = 10


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


def moment(iso: str, now: datetime) -> str:
    """A moment given in ISO 8601 as local time: `today at 10:11`, `yesterday at 10:11`, `Thu 1 Feb 2024 at 10:11`."""
    try:
        at = datetime.fromisoformat(iso).astimezone()
    except ValueError:
        return clean_line(iso)
    match (now.date() - at.date()).days:
        case 0:
            day = "today"
        case 1:
            day = "yesterday"
        case _:
            day = f"{at:%a} {at.day} {at:%b %Y}"
    return f"{day} at {at:%H:%M}"


def rate(per_second: float) -> str:
    """Chunks per second with one decimal below 100."""
    if per_second <= 0:
        return "–"
    return f"{per_second:,.0f}/s" if per_second >= 100 else f"{per_second:.1f}/s"


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
    found = {word.casefold() for word in words if word not in {"OR", "AND", "NOT"}}
    return tuple(sorted(found, key=lambda word: (-len(word), word)))


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
    """A result as four lines of `width` cells: title and score, where, and two lines of snippet.

    The path is said once: the folder beside the title, or, where there is no heading to say, all of it below.
    """
    title = clean_line(hit.title) or clean_line(hit.path)
    fraction = hit.score / best if best > 0 else 0.0
    trail = breadcrumb(hit.title, hit.headings)
    # The folder alone says where a note is when the title is its file name.
    path = PurePosixPath(hit.path)
    folder = "" if path.parent == PurePosixPath() else f"{path.parent}/"
    where = clean_line(folder if path.stem == hit.title else hit.path) if trail else ""
    head = spread(Content.assemble((title, "bold"), (f"  {where}", DIM)), bar(fraction), width)
    trail = trail or (clean_line(hit.path) if clean_line(hit.title) else "")
    lines = Content.styled(f":{line_range(hit.start_line, hit.end_line)}", DIM)
    place = spread(Content.styled(trail, DIM), lines, width)
    snippet = mark_terms(Content(clean_line(hit.snippet)), terms, "bold $text-accent")
    wrapped = snippet.wrap(max(2, width)) if snippet.plain else [Content("")]
    shown = [line.rstrip() for line in wrapped[:2]]
    if len(wrapped) > 2:
        shown[1] = fit(Content.assemble(shown[1], " …"), width)
    return Content("\n").join([head, place, *shown])


def stage_share(snapshot: ProgressSnapshot) -> tuple[int, int]:
    """Done and total of the stage under way; the total is 0 where it is not known."""
    match snapshot.stage:
        case Stage.PARSE:
            return snapshot.notes_done, snapshot.notes_total
        case Stage.EMBED if snapshot.tokens_total:
            # Batches are sorted by length, so tokens move evenly and passages do not.
            return snapshot.tokens_done, snapshot.tokens_total
        case Stage.EMBED:
            return snapshot.chunks_done, snapshot.chunks_total
        case Stage.STORE:
            return snapshot.stored, snapshot.store_total
    return 0, 0


def pause_text(snapshot: ProgressSnapshot) -> str:
    """What a run that is to pause does."""
    if not snapshot.paused:
        return "Pausing after this batch…"
    reason = f" {clean_line(snapshot.pause_reason)}" if snapshot.pause_reason else ""
    return f"Paused{reason} – p continues; what was done is kept"


def activity(snapshot: ProgressSnapshot) -> str:
    """A run in a few words, for the top line of other screens."""
    if snapshot.paused:
        done, total = stage_share(snapshot)
        return f"indexing paused at {100 * done // total}%" if total else "indexing paused"
    match snapshot.stage:
        case Stage.EMBED if snapshot.chunks_total:
            done, total = stage_share(snapshot)
            share = f"{100 * done // total}%"
            left = f" · {duration(snapshot.eta_s)} left" if snapshot.eta_s is not None else ""
            return f"indexing {share} · {rate(snapshot.chunks_per_second)}{left}"
        case Stage.SCAN if snapshot.notes_seen:
            return f"indexing · {count(snapshot.notes_seen, 'note')} found"
        case Stage.PARSE if snapshot.notes_total:
            return f"indexing · note {snapshot.notes_done:,} of {snapshot.notes_total:,}"
        case stage:
            return f"indexing · {STAGE_NAMES[stage].lower()}"


def event_row(event: Event, time: str) -> Row:
    """A watch event with its time."""
    label, style, text = _event_parts(event)
    lead = Content.assemble((f"{time}  ", DIM), (f"{label:<{LABEL_CELLS}}", style))
    return Row(lead, Content.styled(text, DIM) if style == DIM else Content(text))


def _event_parts(event: Event) -> tuple[str, str, str]:
    match event:
        case ChangeEvent(change=change):
            path = clean_line(change.path)
            if change.old_path is not None:
                path = f"{clean_line(change.old_path)} → {path}"
            return change.kind.value, CHANGE_STYLES[change.kind], path
        case SyncedEvent():
            return "synced", DIM, f"{synced_counts(event)} · {event.seconds:.1f} s"
        case FailureEvent(failure=failure):
            return "failed", "$text-error", f"{clean_line(failure.path)}: {clean_line(failure.reason)}"
        case NoticeEvent(message=message):
            return "notice", "$text-warning", clean_line(message)
        case WatchStateEvent(state=state, reason=reason):
            return "watcher", DIM, f"{state.value}: {clean_line(reason)}" if reason else state.value


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
