"""How the index stands: counts, models, failures, and for every file why it is or is not indexed."""

from __future__ import annotations

from obsidian_indexer.options import Options
from obsidian_indexer.records import FileStat, IgnoredFile, ModelStatus, NoteEntry, Status
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.vault import scan


def read_status(catalog: Catalog, options: Options, *, writer: str | None, notes: bool) -> Status:
    """The health of an index; `notes` adds an entry for every file, which scans the vault."""
    n_notes, n_chunks = catalog.notes.counts()
    active = catalog.vectors.active()
    failures = tuple(catalog.notes.failures())
    models = tuple(
        ModelStatus(
            name=model.name,
            fingerprint=model.fingerprint,
            dim=model.dim,
            vectors=catalog.vectors.count(model.id),
            active=model == active,
        )
        for model in catalog.vectors.models()
    )
    return Status(
        vault=str(options.vault_path),
        data_dir=str(options.data_dir),
        notes=n_notes,
        chunks=n_chunks,
        pending=catalog.vectors.count_pending(active.id if active else None),
        failed=len(failures),
        ignored=int(catalog.meta("ignored") or 0) + catalog.notes.count_ignored(),
        models=models,
        store_kind=options.store.kind,
        store_vectors=catalog.vectors.count(active.id, stored=True) if active else 0,
        last_index=catalog.meta("last_index"),
        writer=writer,
        failures=failures,
        entries=tuple(_entries(catalog, options)) if notes else (),
    )


def _entries(catalog: Catalog, options: Options) -> list[NoteEntry]:
    stored = catalog.notes.stored()
    reasons = {path: reason for path, state, reason in catalog.notes.states() if state == "ignored"}
    failed = {failure.path: failure.reason for failure in catalog.notes.failures()}
    active = catalog.vectors.active()
    waiting = set(catalog.vectors.pending_paths(active.id if active else None))

    def state_of(entry: FileStat) -> tuple[str, str | None]:
        note = stored.get(entry.path)
        if entry.path in failed:
            return "failed", failed[entry.path]
        if note is None:
            return "pending", "new since the last run"
        if (note.mtime_ns, note.size) != (entry.mtime_ns, entry.size):
            return "pending", "changed since the last run"
        if note.state == "indexed" and entry.path in waiting:
            return "pending", "not embedded yet"
        return note.state, reasons.get(entry.path)

    return [
        NoteEntry(entry.path, "ignored", entry.reason)
        if isinstance(entry, IgnoredFile)
        else NoteEntry(entry.path, *state_of(entry))
        for entry in scan(options.vault_path, options.vault, include_ignored=True)
    ]
