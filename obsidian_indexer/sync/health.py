"""How the index stands: counts, models, failures, and for every file why it is or is not indexed."""

from __future__ import annotations

from collections import Counter

from obsidian_indexer.embed.build import Builds
from obsidian_indexer.embed.bundled import successor
from obsidian_indexer.options import Options
from obsidian_indexer.records import FileStat, IgnoredFile, ModelStatus, NoteEntry, Status
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.vectors import StoredModel
from obsidian_indexer.sync.engine_facts import engine_of, int8_check, tuned_status
from obsidian_indexer.vault.scan import scan


def read_status(catalog: Catalog, options: Options, builds: Builds, *, writer: str | None, notes: bool) -> Status:
    """The health of an index, files on disk compared by date and size; `notes` adds the entry of every file.

    `pending`, `failed` and `ignored` count entries, so they are files.
    """
    n_notes, n_chunks = catalog.notes.counts()
    active = catalog.vectors.active()
    entries = _entries(catalog, options, active)
    states = Counter(entry.state for entry in entries)
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
        pending=states["pending"],
        failed=states["failed"],
        ignored=states["ignored"],
        models=models,
        store_kind=options.store.kind,
        store_vectors=catalog.vectors.count(active.id, stored=True) if active else 0,
        last_index=catalog.meta("last_index"),
        writer=writer,
        failures=tuple(catalog.notes.failures()),
        entries=tuple(entries) if notes else (),
        engine=engine_of(catalog, active),
        int8=int8_check(builds, active),
        tuned=tuned_status(catalog),
        offered_model=successor(active.name) if active and options.embedding.model == "default" else None,
    )


def _entries(catalog: Catalog, options: Options, active: StoredModel | None) -> list[NoteEntry]:
    stored = catalog.notes.stored()
    remarks = catalog.notes.remarks()
    failed = {failure.path: failure.reason for failure in catalog.notes.failures()}
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
        return note.state, remarks.get(entry.path)

    return [
        NoteEntry(entry.path, "ignored", entry.reason)
        if isinstance(entry, IgnoredFile)
        else NoteEntry(entry.path, *state_of(entry))
        for entry in scan(options.vault_path, options.vault, include_ignored=True)
    ]
