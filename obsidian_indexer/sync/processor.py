"""The processor: one pass that makes the index equal to the vault.

    scan ─▶ compare ─▶ prepare ─▶ catalogue ─▶ pending chunks ─▶ vectors ─▶ store

The order of writes makes every point safe to stop at: a note's rows are replaced in one transaction, vectors follow,
then the store, and whatever is missing is found again by comparing. Only the holder of the writer lock runs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TextTokenizer, load_tokenizer
from obsidian_indexer.errors import Cancelled, IndexerError, VaultError
from obsidian_indexer.events import CancelToken, ChangeEvent, EventSink, FailureEvent, NoticeEvent, Progress, Stage
from obsidian_indexer.options import Options
from obsidian_indexer.records import Change, ChangeKind, Failure, IndexReport
from obsidian_indexer.store.ann import AnnIndex
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.notes import IndexedNote, StoredNote
from obsidian_indexer.store.vectors import StoredModel
from obsidian_indexer.sync.diff import Differences, compare
from obsidian_indexer.sync.prepare import Candidate, Preparer, PrepareFailure, Prepared, Recipe, chunk_limits, prepare_all
from obsidian_indexer.sync.vectorise import Vectorised, Vectoriser
from obsidian_indexer.vault import scan

_COMMIT_NOTES, _COMMIT_S = 512, 1.0
# Vectors of text that no note holds are kept for its return (an undo, a branch switched back) up to this many.
_KEEP_UNUSED = 20_000


class Machinery(Protocol):
    """What the processor borrows from the engine, which keeps it loaded between runs."""

    def embedder(self, spec: ModelSpec, dtype: str | None) -> Embedder:
        """The model, loaded. Raises ModelError."""

    def preload(self, spec: ModelSpec, dtype: str | None) -> None:
        """Start loading the model and the store's library in the background."""

    def ann(self, model: StoredModel) -> AnnIndex:
        """The vector store of a model, open."""


@dataclass(slots=True)
class _Tally:
    """Counts of one run."""

    added: int = 0
    modified: int = 0
    removed: int = 0
    renamed: int = 0
    ignored: int = 0
    warnings: int = 0
    failures: list[Failure] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("scan", "parse", "embed", "store"), 0.0))


class Processor:
    """One run over the vault. `catalog` is the writer's connection."""

    def __init__(
        self,
        options: Options,
        spec: ModelSpec,
        catalog: Catalog,
        machinery: Machinery,
        *,
        on_event: EventSink,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        self._options = options
        self._spec = spec
        self._catalog = catalog
        self._machinery = machinery
        self._on_event = on_event
        self._progress = progress
        self._cancel = cancel
        self._tally = _Tally()
        limits = chunk_limits(options.chunking, spec)
        self._recipe = Recipe(options.vault_path, options.vault, limits, spec)

    def run(self, *, full: bool = False, limit: int | None = None) -> IndexReport:
        """Bring the index up to date; a cancelled run reports what it did. Raises VaultError or ModelError."""
        started = time.monotonic()
        cancelled = False
        found, model, done, pending = Differences(), None, Vectorised(), 0
        try:
            found = self._scan(full)
            self._read(found, full, limit)
            model, done = self._embed(full)
            self._store(model)
        except Cancelled:
            cancelled = True
        self._progress.enter(Stage.DONE)
        with self._catalog.transaction():
            self._catalog.set_meta("last_index", datetime.now(UTC).isoformat(timespec="seconds"))
            self._catalog.set_meta("ignored", str(found.ignored))
        _, chunks = self._catalog.notes.counts()
        model = model or self._catalog.vectors.active()
        pending = self._catalog.vectors.count_pending(model.id if model else None)
        return self._report(found, model, done, chunks, pending, started, cancelled)

    # --- scan and compare

    def _scan(self, full: bool) -> Differences:
        self._progress.enter(Stage.SCAN)
        with self._timed("scan"):
            stored = self._catalog.notes.stored()
            found = compare(self._counted(), stored, self._recipe.chunker, full=full)
        if stored and not found.seen and not full:
            raise VaultError(
                f"The vault {self._options.vault_path} holds no notes, but {len(stored)} are indexed. Is its disk "
                "mounted? Nothing was removed; if the vault is meant to be empty, run 'index --full'."
            )
        self._cancel.check()
        return found

    def _counted(self) -> Iterable:  # type: ignore[type-arg]
        for entry in scan(self._options.vault_path, self._options.vault):
            self._progress.notes_seen += 1
            yield entry

    # --- files to rows

    def _read(self, found: Differences, full: bool, limit: int | None) -> None:
        """Prepare what may have changed and write it, then forget what is gone."""
        self._progress.enter(Stage.PARSE)
        with self._timed("parse"):
            stored = self._catalog.notes.stored(stat.path for stat in found.to_read)
            chunker = self._recipe.chunker
            candidates = []
            for stat in found.to_read[:limit]:
                note = stored.get(stat.path)
                same = not full and note is not None and note.chunker == chunker and note.state != "failed"
                candidates.append(Candidate(stat, note.sha256 if note is not None and same else None))
            self._progress.notes_total = len(candidates)
            if candidates:
                self._machinery.preload(self._spec, self._sticky_dtype())
                writer = _Writer(self, stored, found.missing)
                self._write_all(writer, candidates)
                found.missing = writer.missing()
            self._forget(found.missing)

    def _write_all(self, writer: _Writer, candidates: Sequence[Candidate]) -> None:
        tokenizer: TextTokenizer = load_tokenizer(self._spec)
        failed: list[PrepareFailure] = []
        try:
            for outcome in prepare_all(self._recipe, candidates, tokenizer):
                self._progress.current_note = outcome.stat.path
                if isinstance(outcome, PrepareFailure):
                    failed.append(outcome)
                else:
                    writer.add(outcome)
                    self._progress.notes_done += 1
                self._cancel.check()
        finally:
            writer.flush()
        if failed:
            self._cancel.wait(self._options.embedding.retry_delay_s)
            self._retry(writer, failed, tokenizer)
            writer.flush()

    def _retry(self, writer: _Writer, failed: Sequence[PrepareFailure], tokenizer: TextTokenizer) -> None:
        """A second try of each; what fails again is listed and the run goes on."""
        here = Preparer(self._recipe, tokenizer)
        for first in failed:
            self._cancel.check()
            outcome = here.prepare(Candidate(first.stat))
            self._progress.notes_done += 1
            if isinstance(outcome, Prepared):
                writer.add(outcome)
            elif (self._options.vault_path / outcome.stat.path).exists():
                self.fail(Failure(outcome.stat.path, outcome.stage, outcome.reason))

    def _forget(self, missing: Sequence[StoredNote]) -> None:
        for start in range(0, len(missing), _COMMIT_NOTES):
            with self._catalog.transaction():
                for note in missing[start : start + _COMMIT_NOTES]:
                    self._catalog.notes.remove(note.path)
            for note in missing[start : start + _COMMIT_NOTES]:
                if note.state != "ignored":
                    self._tally.removed += 1
                self.changed(Change(note.path, ChangeKind.REMOVED))
            self._cancel.check()

    def changed(self, change: Change) -> None:
        """Tell of a change that is in the catalogue now."""
        self._tally.changes.append(change)
        self._on_event(ChangeEvent(change))

    def fail(self, failure: Failure) -> None:
        """List a failure and go on."""
        with self._catalog.transaction():
            self._catalog.notes.fail(failure)
        self._tally.failures.append(failure)
        self._progress.failures += 1
        self._on_event(FailureEvent(failure))

    # --- rows to vectors

    def _sticky_dtype(self) -> str | None:
        """The number format of the vectors that this model already has here, if it is left to us."""
        if self._options.embedding.dtype != "auto":
            return None
        known = [m for m in self._catalog.vectors.models() if m.identity == self._spec.identity]
        active = self._catalog.vectors.active()
        if active is not None and active in known:
            return active.dtype
        return known[-1].dtype if known else None

    def _known_model(self) -> StoredModel | None:
        """The stored model that the settings mean, when that can be told without loading it."""
        wanted = self._options.embedding.dtype
        dtype = self._sticky_dtype() if wanted == "auto" else wanted
        if dtype is None:
            return None
        fingerprint = self._spec.fingerprint(dtype)
        return next((m for m in self._catalog.vectors.models() if m.fingerprint == fingerprint), None)

    def _embed(self, full: bool) -> tuple[StoredModel | None, Vectorised]:
        self._progress.enter(Stage.MODEL)
        model = self._known_model()
        with self._timed("embed"):
            if model is not None and full:
                with self._catalog.transaction():
                    self._catalog.vectors.forget_failures(model.id)
            if model is None or self._catalog.vectors.count_pending(model.id):
                _, chunks = self._catalog.notes.counts()
                if model is None and not chunks:
                    return None, Vectorised()
                model, done = self._vectorise()
            else:
                done = Vectorised()
            if self._catalog.vectors.active() != model:
                with self._catalog.transaction():
                    self._catalog.vectors.activate(model)
            return model, done

    def _vectorise(self) -> tuple[StoredModel, Vectorised]:
        embedder = self._machinery.embedder(self._spec, self._sticky_dtype())
        self._cancel.check()
        spec, engine = self._spec, embedder.engine
        with self._catalog.transaction():
            model = self._catalog.vectors.add_model(
                spec.fingerprint(engine.dtype), spec.name, engine.dim, spec.identity, engine.dtype
            )
            # The vectors of an older model answer until the new ones are whole.
            if self._catalog.vectors.active() is None:
                self._catalog.vectors.activate(model)
        pending = self._catalog.vectors.pending(model.id)
        self._progress.chunks_total = len(pending.keys)
        self._progress.tokens_total = int(pending.n_tokens.sum())
        self._progress.enter(Stage.EMBED)
        vectoriser = Vectoriser(
            self._catalog, self._options.data_dir, embedder, model, on_event=self._listed_failure
        )
        return model, vectoriser.run(pending, self._options.embedding.window, self._progress, self._cancel)

    def _listed_failure(self, event: object) -> None:
        if isinstance(event, FailureEvent):
            self._tally.failures.append(event.failure)
            self._on_event(event)

    # --- vectors to the store

    def _store(self, model: StoredModel | None) -> None:
        """Fill the store; without one, searches compare every vector, so its failure is a notice."""
        if model is None:
            return
        vectors = self._catalog.vectors
        self._progress.store_total = vectors.count_unstored(model.id)
        if not self._progress.store_total and not vectors.dead_in_store(model.id):
            return
        self._progress.enter(Stage.STORE)

        def on_stored(rows: int) -> None:
            self._progress.stored += rows

        with self._timed("store"):
            try:
                self._machinery.ann(model).fill(self._catalog, on_stored, self._cancel.check)
            except (Cancelled, IndexerError):
                raise
            except Exception as error:  # the store is a cache: the index is whole without it
                self._on_event(
                    NoticeEvent(f"The vector store could not be written ({type(error).__name__}); it is filled next time.")
                )
            with self._catalog.transaction():
                vectors.prune(model.id, _KEEP_UNUSED)

    # --- the end

    @contextmanager
    def _timed(self, stage: str):  # type: ignore[no-untyped-def]
        start = time.monotonic()
        try:
            yield
        finally:
            self._tally.seconds[stage] += time.monotonic() - start

    def _report(
        self,
        found: Differences,
        model: StoredModel | None,
        done: Vectorised,
        chunks: int,
        pending: int,
        started: float,
        cancelled: bool,
    ) -> IndexReport:
        tally = self._tally
        touched = tally.added + tally.modified + tally.renamed
        seconds = {stage: round(value, 3) for stage, value in tally.seconds.items()}
        return IndexReport(
            seen=found.seen,
            added=tally.added,
            modified=tally.modified,
            removed=tally.removed,
            renamed=tally.renamed,
            unchanged=max(0, found.seen - touched - tally.ignored - len([f for f in tally.failures if f.stage != "embed"])),
            ignored=found.ignored + tally.ignored,
            chunks=chunks,
            embedded=done.texts,
            reused=max(0, chunks - done.texts - pending),
            tokens=done.tokens,
            failures=tuple(tally.failures),
            warnings=tally.warnings,
            seconds=round(time.monotonic() - started, 3),
            seconds_by_stage=seconds,
            chunks_per_second=round(self._progress.snapshot().chunks_per_second, 1),
            model=self._spec.name,
            dtype=model.dtype if model else None,
            cancelled=cancelled,
        )


class _Writer:
    """Prepared notes on their way into the catalogue, committed by number or time, renames recognised by content."""

    def __init__(self, run: Processor, stored: dict[str, StoredNote], missing: Sequence[StoredNote]) -> None:
        self._run = run
        self._catalog = run._catalog
        self._stored = stored
        self._missing = {note.path: note for note in missing}
        self._by_content: dict[str, list[str]] = {}
        for note in missing:
            self._by_content.setdefault(note.sha256, []).append(note.path)
        self._waiting: list[Prepared] = []
        self._since = time.monotonic()

    def add(self, prepared: Prepared) -> None:
        """Take one note; it is written with its neighbours."""
        self._waiting.append(prepared)
        if len(self._waiting) >= _COMMIT_NOTES or time.monotonic() - self._since >= _COMMIT_S:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        changes: list[Change] = []
        if self._waiting:
            with self._catalog.transaction():
                for prepared in self._waiting:
                    change = self._write(prepared)
                    if change is not None:
                        changes.append(change)
        self._waiting = []
        self._since = time.monotonic()
        for change in changes:
            self._run.changed(change)

    def missing(self) -> list[StoredNote]:
        """Stored notes that are gone and did not come back under another name."""
        return list(self._missing.values())

    def _write(self, prepared: Prepared) -> Change | None:
        notes, tally, note = self._catalog.notes, self._run._tally, prepared.note
        path = prepared.stat.path
        if note is None:
            notes.touch(prepared.stat, prepared.read_ns)
            return None
        before = self._stored.get(path)
        old_path = self._renamed_from(note.sha256, path) if before is None else None
        if old_path is not None:
            notes.rename(old_path, path)
        state = "ignored" if prepared.excluded else ("indexed" if prepared.chunks else "empty")
        notes.replace(
            IndexedNote(
                prepared.stat, prepared.read_ns, self._run._recipe.chunker, note, prepared.chunks, state, prepared.excluded
            )
        )
        tally.warnings += len(note.warnings)
        if prepared.excluded:
            tally.ignored += 1
            return None
        if old_path is not None:
            tally.renamed += 1
            return Change(path, ChangeKind.RENAMED, old_path)
        if before is None:
            tally.added += 1
            return Change(path, ChangeKind.ADDED)
        if before.sha256 == note.sha256 and before.state != "ignored":
            return None
        tally.modified += 1
        return Change(path, ChangeKind.MODIFIED)

    def _renamed_from(self, sha256: str, path: str) -> str | None:
        """A missing note with this content, rather one of the same file name."""
        options = [old for old in self._by_content.get(sha256, ()) if old in self._missing]
        if not options:
            return None
        name = path.rpartition("/")[2]
        best = min(options, key=lambda old: old.rpartition("/")[2] != name)
        del self._missing[best]
        return best
