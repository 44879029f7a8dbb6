"""How the index stands: counts, models, failures, and for every file why it is or is not indexed."""

from __future__ import annotations

from obsidian_indexer.options import Options
from obsidian_indexer.records import IgnoredFile, ModelStatus, NoteEntry, Status
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
    excluded = sum(state == "ignored" for _, state, _ in catalog.notes.states())
    return Status(
        vault=str(options.vault_path),
        data_dir=str(options.data_dir),
        notes=n_notes,
        chunks=n_chunks,
        pending=catalog.vectors.count_pending(active.id if active else None),
        failed=len(failures),
        ignored=int(catalog.meta("ignored") or 0) + excluded,
        models=models,
        store_kind=options.store.kind,
        store_vectors=catalog.vectors.count(active.id, stored=True) if active else 0,
        last_index=catalog.meta("last_index"),
        writer=writer,
        failures=failures,
        entries=tuple(_entries(catalog, options)) if notes else (),
    )


def _entries(catalog: Catalog, options: Options) -> list[NoteEntry]:
    states = {path: (state, reason) for path, state, reason in catalog.notes.states()}
    failed = {failure.path: failure.reason for failure in catalog.notes.failures()}
    active = catalog.vectors.active()
    waiting = set(catalog.vectors.pending_paths(active.id if active else None))
    entries = []
    for entry in scan(options.vault_path, options.vault, include_ignored=True):
        if isinstance(entry, IgnoredFile):
            entries.append(NoteEntry(entry.path, "ignored", entry.reason))
            continue
        state, reason = states.get(entry.path, ("pending", "new since the last run"))
        if entry.path in failed:
            state, reason = "failed", failed[entry.path]
        elif state == "indexed" and entry.path in waiting:
            state, reason = "pending", "not embedded yet"
        entries.append(NoteEntry(entry.path, state, reason))
    return entries
