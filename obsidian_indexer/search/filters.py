"""Filters to the notes that meet them, by exact look-up in the catalogue."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Sequence

from obsidian_indexer.search.query import Filter, FilterKind
from obsidian_indexer.store.rows import path_from_row


def matching_notes(connection: sqlite3.Connection, filters: Sequence[Filter]) -> list[int] | None:
    """Ids of the notes that meet every filter, or None when there is no filter."""
    if not filters:
        return None
    paths = {
        note_id: _fold(path_from_row(path))
        for note_id, path in connection.execute("SELECT id, path FROM notes WHERE state <> 'ignored'")
    }
    kept = set(paths)
    for condition in filters:
        met = _meeting(connection, condition, paths)
        kept = kept - met if condition.negated else kept & met
    return sorted(kept)


def _meeting(connection: sqlite3.Connection, condition: Filter, paths: dict[int, str]) -> set[int]:
    value = _fold(condition.value)
    match condition.kind:
        case FilterKind.TAG:
            tag = value.removeprefix("#").rstrip("/")
            rows = connection.execute(
                "SELECT DISTINCT note_id FROM tags WHERE tag = ? OR substr(tag, 1, ?) = ?",
                (tag, len(tag) + 1, f"{tag}/"),
            )
            return {row[0] for row in rows}
        case FilterKind.PATH:
            return {note_id for note_id, path in paths.items() if value in path}
        case FilterKind.FILE:
            return {note_id for note_id, path in paths.items() if value in path.rpartition("/")[2]}


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
