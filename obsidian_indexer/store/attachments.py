"""Files of the vault that are no notes: known by name only, so that filters can list them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from obsidian_indexer.records import FileStat, Scope
from obsidian_indexer.store.rows import fold, path_from_row, path_to_row


class Attachments:
    """The attachment table of one connection. Writers call it inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def update(self, found: Iterable[FileStat], scope: Scope | None = None, unreadable: tuple[str, ...] = ()) -> None:
        """Make the table equal to what a scan of the vault, or of a part of it, found.

        What lies below an `unreadable` folder is kept.
        """
        stored = {
            path_from_row(path): mtime_ns
            for path, mtime_ns in self._db.execute("SELECT path, mtime_ns FROM attachments")
            if scope is None or scope.holds(path_from_row(path))
        }
        for stat in found:
            if stored.pop(stat.path, None) != stat.mtime_ns:
                folded = fold(stat.path)
                self._db.execute(
                    "INSERT INTO attachments(path, folded_path, folded_name, mtime_ns) VALUES (?,?,?,?) "
                    "ON CONFLICT(path) DO UPDATE SET mtime_ns = excluded.mtime_ns",
                    (path_to_row(stat.path), folded, folded.rpartition("/")[2], stat.mtime_ns),
                )
        gone = [(path_to_row(path),) for path in stored if not path.startswith(unreadable)]
        self._db.executemany("DELETE FROM attachments WHERE path = ?", gone)
