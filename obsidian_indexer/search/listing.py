"""The order of what a query found, and all that a condition alone finds, best or newest first."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from obsidian_indexer.search.filters import Selection
from obsidian_indexer.search.query import Query
from obsidian_indexer.store.rows import path_from_row

_CREATED = (
    "coalesce(CAST(strftime('%s', n.created, 'utc') AS INTEGER) * 1000000000, "
    "min(coalesce(n.born_ns, n.mtime_ns), n.mtime_ns))"
)
DATES = f"n.mtime_ns, {_CREATED}"
"""When a note `n` was changed and when it was made, as columns: nanoseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that meets a condition. `place` is the chunk it is shown by, or what `bare_place` makes of a file without.

    Dates are nanoseconds since 1970.
    """

    file: int
    place: int
    modified: int
    created: int


@dataclass(frozen=True, slots=True)
class BareFile:
    """A file with a name and no passage: an attachment, or an empty note."""

    path: str
    title: str


def bare_place(row_id: int, *, attachment: bool) -> int:
    """What stands for the chunk of a file that has none: a negative number."""
    return -(2 * row_id + attachment)


def list_all(connection: sqlite3.Connection, selection: Selection) -> list[Listed]:
    """Everything that a condition let through, the last changed first."""
    scope = selection.scope
    chosen: dict[int, int] = {}
    if scope.chunk_ids is not None:
        rows = connection.execute(
            "SELECT note_id, id, min(seq) FROM chunks WHERE id IN (SELECT value FROM json_each(?)) GROUP BY note_id",
            (json.dumps(list(scope.chunk_ids)),),
        )
        chosen = {note_id: chunk_id for note_id, chunk_id, _ in rows}
    narrow = "" if scope.note_ids is None else "AND n.id IN (SELECT value FROM json_each(?))"
    bound = () if scope.note_ids is None else (json.dumps(list(scope.note_ids)),)
    found = [
        Listed(note_id, chosen.get(note_id, chunk_id or bare_place(note_id, attachment=False)), modified, created)
        for note_id, chunk_id, modified, created in connection.execute(
            f"SELECT n.id, c.id, {DATES} FROM notes n LEFT JOIN chunks c ON c.note_id = n.id AND c.seq = 0 "
            f"WHERE n.state <> 'ignored' {narrow}",
            bound,
        )
    ]
    found += [
        Listed(-row_id, bare_place(row_id, attachment=True), modified, modified)
        for row_id, modified in connection.execute(
            "SELECT id, mtime_ns FROM attachments WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(selection.attachment_ids)),),
        )
    ]
    return sorted(found, key=lambda listed: (-listed.modified, listed.file))


def in_order(
    query: Query, ranked: Sequence[int], file_of: Mapping[int, int], everything: Iterable[Listed]
) -> list[int]:
    """The places to show of a query whose condition alone decides: by date if it says so, else the ranked ones first.

    `ranked` are chunks, best first, and `file_of` their notes; `everything` comes the last changed first.
    """
    best: dict[int, int] = {}
    for chunk_id in ranked:
        best.setdefault(file_of[chunk_id], chunk_id)
    listed = list(everything)
    if query.sort is None:
        return [*ranked, *(found.place for found in listed if found.file not in best)]
    listed.sort(key=lambda found: date_key(query.sort, found.modified, found.created))
    return [best.get(found.file, found.place) for found in listed]


def date_key(sort: str | None, modified: int, created: int) -> int:
    """What to sort by: a smaller number comes first."""
    date = created if sort is not None and sort.startswith("created") else modified
    return date if sort is not None and sort.endswith("-asc") else -date


def bare_files(connection: sqlite3.Connection, places: Iterable[int]) -> dict[int, BareFile]:
    """The files that stand behind negative places."""
    found: dict[int, BareFile] = {}
    for place in places:
        row_id, attachment = divmod(-place, 2)
        table = "attachments" if attachment else "notes"
        row = connection.execute(f"SELECT path FROM {table} WHERE id = ?", (row_id,)).fetchone()
        if row is not None:
            path = path_from_row(row[0])
            name = path.rpartition("/")[2]
            found[place] = BareFile(path, name if attachment else name.rpartition(".")[0] or name)
    return found
