"""The catalogue: the one place that knows what is indexed.

A `Catalog` is one connection; every thread opens its own. Only the holder of the writer lock calls what writes, always
within `transaction()`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from obsidian_indexer.errors import DataDirError
from obsidian_indexer.store import fulltext
from obsidian_indexer.store.attachments import Attachments
from obsidian_indexer.store.links import LinkTable
from obsidian_indexer.store.names import NameTable
from obsidian_indexer.store.notes import Notes
from obsidian_indexer.store.schema import connect, prepare_folder
from obsidian_indexer.store.shared_blocks import SharedBlocks
from obsidian_indexer.store.vectors import NameVectors, VectorTable


class Catalog:
    """One connection to the catalogue of an index folder."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.notes = Notes(connection)
        self.attachments = Attachments(connection)
        self.blocks = SharedBlocks(connection)
        self.links = LinkTable(connection)
        self.names = NameTable(connection)
        self.vectors = VectorTable(connection)
        self.name_vectors = NameVectors(connection)

    @classmethod
    def open(cls, data_dir: Path) -> Catalog:
        """Open, creating folder and file when new. Raises DataDirError or CatalogError."""
        prepare_folder(data_dir)
        connection = connect(data_dir)
        try:
            fulltext.rebuild_if_stale(connection)
        except sqlite3.Error as error:
            connection.close()
            raise DataDirError(f"The catalogue in {data_dir} cannot be written ({error}).") from error
        return cls(connection)

    def limit_cache(self, mib: int) -> None:
        """Hold at most so many MiB of the file's pages; searches are quicker with more, writing is not."""
        self.connection.execute(f"PRAGMA cache_size=-{mib * 1024}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen together or not at all."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            # Readers compare this number to know whether what they hold in memory is still true.
            self.connection.execute(
                "INSERT INTO meta VALUES ('version', '1') "
                "ON CONFLICT(key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
            )
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def meta(self, key: str) -> str | None:
        """A remembered value, or None."""
        row = self.connection.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Remember a value."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    def bind_vault(self, vault: Path) -> None:
        """Tie the index folder to a vault. Raises DataDirError when it belongs to another one."""
        known = self.meta("vault")
        if known is None:
            with self.transaction():
                self.set_meta("vault", str(vault))
        elif known != str(vault) and Path(known).exists():
            raise DataDirError(
                f"This index folder belongs to the vault {known}. Choose another with --data-dir, or use that vault."
            )
        elif known != str(vault):
            # The old place is gone: the vault was moved, and its notes are recognised by content.
            with self.transaction():
                self.set_meta("vault", str(vault))

    def close(self) -> None:
        """Close the connection; the last one folds the write-ahead log into the file."""
        self.connection.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
