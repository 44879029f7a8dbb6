"""Prepared notes on their way into the catalogue: committed in large transactions, renames recognised by content."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from obsidian_indexer.records import Change, ChangeKind, Failure
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.notes import IndexedNote, StoredNote
from obsidian_indexer.sync.prepare import Prepared

# A commit rewrites most pages of the indexes by hash, however few notes it brings: 512 at a time cost a fifth more.
COMMIT_NOTES = 2048
# The first commits are small: what the vault's notes share is known from them.
_FIRST_COMMIT_NOTES = 16
_COMMIT_BYTES, _COMMIT_S = 4_000_000, 3.0


@dataclass(slots=True)
class Tally:
    """Counts of one run. `unchanged` are notes that were read and found as before; `failures` are notes, texts that
    could not be embedded are counted apart.
    """

    added: int = 0
    modified: int = 0
    removed: int = 0
    renamed: int = 0
    unchanged: int = 0
    excluded: int = 0
    warnings: int = 0
    failures: list[Failure] = field(default_factory=list)
    embed_failures: list[Failure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("scan", "parse", "embed", "store"), 0.0))


class NoteWriter:
    """Takes prepared notes and writes them; `on_change` hears of each change once it is committed.

    `stored` are the notes now under the paths that are read, `missing` those no longer on disk. `on_written` is called
    after each commit; `again` says that the run has written these notes once and counted their warnings.
    """

    def __init__(
        self,
        catalog: Catalog,
        chunker: str,
        stored: dict[str, StoredNote],
        missing: Sequence[StoredNote],
        tally: Tally,
        on_change: Callable[[Change], None],
        *,
        on_written: Callable[[], None] = lambda: None,
        again: bool = False,
    ) -> None:
        self._catalog = catalog
        self._chunker = chunker
        self._stored = stored
        self._missing = {note.path: note for note in missing}
        self._by_content: dict[str, list[str]] = {}
        for note in missing:
            self._by_content.setdefault(note.sha256, []).append(note.path)
        self._tally = tally
        self._on_change = on_change
        self._on_written = on_written
        self._again = again
        self._commit_notes = min(COMMIT_NOTES, _FIRST_COMMIT_NOTES)
        self._waiting: list[Prepared] = []
        self._waiting_bytes = 0
        self._since = time.monotonic()

    def add(self, prepared: Prepared) -> None:
        """Take one note; it is written with its neighbours."""
        self._waiting.append(prepared)
        self._waiting_bytes += prepared.stat.size
        full = len(self._waiting) >= self._commit_notes or self._waiting_bytes >= _COMMIT_BYTES
        if full or time.monotonic() - self._since >= _COMMIT_S:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        changes: list[Change] = []
        if waiting:
            with self._catalog.transaction():
                changes = [change for prepared in waiting if (change := self._write(prepared)) is not None]
            self._on_written()
            self._commit_notes = min(COMMIT_NOTES, 2 * self._commit_notes)
        self._since = time.monotonic()
        for change in changes:
            self._on_change(change)

    def missing(self) -> list[StoredNote]:
        """Stored notes that are gone and did not come back under another name."""
        return list(self._missing.values())

    def _write(self, prepared: Prepared) -> Change | None:
        notes, tally, rows = self._catalog.notes, self._tally, prepared.rows
        path = prepared.stat.path
        if rows is None:
            notes.touch(prepared.stat, prepared.read_ns)
            tally.unchanged += 1
            return None
        before = self._stored.get(path)
        old_path = self._renamed_from(rows.sha256, path) if before is None else None
        if old_path is not None:
            notes.rename(old_path, path)
        state = "ignored" if prepared.excluded else ("indexed" if rows.chunks else "empty")
        notes.replace(IndexedNote(prepared.stat, prepared.read_ns, self._chunker, rows, state, prepared.excluded))
        tally.warnings += 0 if self._again else rows.n_warnings
        if prepared.excluded:
            tally.excluded += 1
            return None
        if old_path is not None:
            tally.renamed += 1
            return Change(path, ChangeKind.RENAMED, old_path)
        if before is None:
            tally.added += 1
            return Change(path, ChangeKind.ADDED)
        if before.sha256 == rows.sha256 and before.state != "ignored":
            tally.unchanged += 0 if self._again else 1
            return None
        tally.modified += 1
        return Change(path, ChangeKind.MODIFIED)

    def _renamed_from(self, sha256: str, path: str) -> str | None:
        """A missing note with this content, rather one of the same file name."""
        candidates = [old for old in self._by_content.get(sha256, ()) if old in self._missing]
        if not candidates:
            return None
        name = path.rpartition("/")[2]
        best = min(candidates, key=lambda old: old.rpartition("/")[2] != name)
        del self._missing[best]
        return best
