"""The processor: one pass that makes the index equal to the vault.

    scan ─▶ compare ─▶ prepare ─▶ catalogue ─▶ pending chunks ─▶ vectors ─▶ store

The order of writes makes every point safe to stop at: a note's rows are replaced in one transaction, vectors follow,
then the store, and whatever is missing is found again by comparing. Only the holder of the writer lock runs it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.errors import Cancelled, IndexerError, VaultError
from obsidian_indexer.events import ChangeEvent, EventSink, FailureEvent, NoticeEvent, Progress, Stage
from obsidian_indexer.options import Options
from obsidian_indexer.pace import Pace, give_memory_back
from obsidian_indexer.records import Change, ChangeKind, FileStat, IgnoredFile, IndexReport, Scope
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import held_version, rebuild, terms_version
from obsidian_indexer.store.live import Table
from obsidian_indexer.store.notes import StoredNote
from obsidian_indexer.store.vectors import PendingTexts, StoredModel
from obsidian_indexer.sync.boilerplate import Boilerplate
from obsidian_indexer.sync.diff import Differences, compare
from obsidian_indexer.sync.engine_facts import remember_engine
from obsidian_indexer.sync.intake import NoteIntake, tell_failure
from obsidian_indexer.sync.models import Machinery, known_model, pending_texts, sticky_dtype, workload
from obsidian_indexer.sync.prepare import Candidate, choose_candidates, make_recipe
from obsidian_indexer.sync.vectorise import CATALOG_CACHE_MIB, Vectorised, Vectoriser
from obsidian_indexer.sync.write import COMMIT_NOTES, NoteWriter, Tally
from obsidian_indexer.vault.scan import scan

# Vectors of text that no note holds are kept for its return (an undo, a branch switched back) up to this many.
_KEEP_UNUSED = 20_000
_MAX_ROUNDS = 4
_SHUFFLED_NOTES = 512
# Roughly: it tells, before the notes are read, whether an engine will be made.
_BYTES_PER_TOKEN = 4


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
        pace: Pace,
    ) -> None:
        self._options = options
        self._spec = spec
        self._catalog = catalog
        self._machinery = machinery
        self._on_event = on_event
        self._progress = progress
        self._pace = pace
        self._tally = Tally()
        self._model: StoredModel | None = None
        self._done, self._done_names = Vectorised(), Vectorised()
        self._n_read = 0
        self._recipe = make_recipe(options, spec)
        self._intake = NoteIntake(
            self._recipe,
            catalog,
            self._tally,
            on_event=on_event,
            progress=progress,
            pace=pace,
            retry_delay_s=options.embedding.retry_delay_s,
        )

    def run(self, *, full: bool = False, limit: int | None = None, scope: Scope | None = None) -> IndexReport:
        """Bring the index up to date, or a part of it; a cancelled run reports what it did.

        A paused run has written all that is done. Times are told without pauses. Raises VaultError, ModelError, or
        ConfigError when the settings ask for terms that cannot be made here.
        """
        started = self._progress.now()
        cancelled = False
        found = Differences()
        self._catalog.limit_cache(CATALOG_CACHE_MIB)
        try:
            self._renew_terms()
            found = self._scan(full, scope)
            self._read(found, full, limit)
            self._forget_failures(scope)
            self._embed(full)
            self._store()
        except Cancelled:
            cancelled = True
        self._progress.enter(Stage.DONE)
        with self._catalog.transaction():
            self._catalog.set_meta("last_index", datetime.now(UTC).isoformat(timespec="seconds"))
        return self._report(found, self._progress.now() - started, cancelled, whole=scope is None)

    def _renew_terms(self) -> None:
        """Make the full text hold the terms that the settings ask for, from the stored notes; nothing is embedded."""
        db, wanted = self._catalog.connection, terms_version(morphemes=self._options.search.korean_morphemes)
        if held_version(db) == wanted:
            return
        if any(self._catalog.notes.counts()):
            self._on_event(NoticeEvent("The words of all notes are stored anew, as search.korean_morphemes says."))
        with self._timed("parse"):
            rebuild(db, wanted, self._pace.check)

    # --- scan and compare

    def _scan(self, full: bool, scope: Scope | None) -> Differences:
        self._progress.enter(Stage.SCAN)
        with self._timed("scan"):
            stored = self._catalog.notes.within(scope) if scope else self._catalog.notes.stored()
            found = compare(self._counted(scope), stored, self._recipe.chunker, full=full)
        if stored and not found.seen and not full and scope is None:
            raise VaultError(
                f"The vault {self._options.vault_path} holds no notes, but {len(stored)} are indexed. Is its disk "
                "mounted? Nothing was removed; if the vault is meant to be empty, run 'index --full'."
            )
        self._pace.check()
        with self._catalog.transaction():
            self._catalog.attachments.update(found.attachments, scope, tuple(found.unreadable))
        return found

    def _counted(self, scope: Scope | None) -> Iterator[FileStat | IgnoredFile]:
        for entry in scan(self._options.vault_path, self._options.vault, include_ignored=True, scope=scope):
            self._progress.notes_seen += isinstance(entry, FileStat)
            self._pace.check()
            yield entry

    # --- files to rows

    def _read(self, found: Differences, full: bool, limit: int | None) -> None:
        """Prepare what may have changed and write it, then forget what is gone."""
        self._progress.enter(Stage.PARSE)
        with self._timed("parse"):
            stored = self._catalog.notes.stored(stat.path for stat in found.to_read)
            chunker = self._recipe.chunker
            candidates = choose_candidates(found.to_read, stored, chunker, full, limit)
            self._n_read, found.to_read = len(found.to_read), []
            self._progress.notes_total = len(candidates)
            boilerplate = Boilerplate(self._catalog, self._options.chunking.boilerplate_notes)
            if len(candidates) > _SHUFFLED_NOTES:
                # Folders hold notes of a kind; in any order, the first notes tell what the others will share.
                random.Random(0).shuffle(candidates)
            if candidates:
                dtype = sticky_dtype(self._catalog.vectors, self._spec, self._options.embedding)
                n_tokens = sum(candidate.stat.size for candidate in candidates) // _BYTES_PER_TOKEN
                self._machinery.preload(self._spec, dtype, n_tokens)
                writer = NoteWriter(
                    self._catalog,
                    chunker,
                    stored,
                    found.missing,
                    self._tally,
                    self._listed_change,
                    on_written=lambda: boilerplate.refresh(found.seen),
                )
                self._intake.take(candidates, writer, boilerplate)
                found.missing = writer.missing()
            self._forget(found.missing)
            self._cut_again(boilerplate)

    def _listed_change(self, change: Change) -> None:
        self._on_event(ChangeEvent(change))

    def _cut_again(self, boilerplate: Boilerplate) -> None:
        """Cut the notes anew that hold a block which has become boilerplate, or is none any more.

        A file that changed meanwhile can move the line again; what some rounds leave, the next run finds.
        """
        tried: frozenset[str] = frozenset()
        for _ in range(_MAX_ROUNDS):
            misfits = frozenset(boilerplate.misfits())
            if misfits == tried:
                return  # there are none, or none that can be read
            tried = misfits
            entries = scan(self._options.vault_path, self._options.vault, scope=Scope(misfits, frozenset()))
            candidates = [Candidate(entry) for entry in entries if isinstance(entry, FileStat)]
            if not candidates:
                return
            writer = NoteWriter(
                self._catalog,
                self._recipe.chunker,
                self._catalog.notes.stored(misfits),
                (),
                self._tally,
                self._listed_change,
                again=True,
            )
            self._intake.take(candidates, writer, boilerplate)

    def _forget(self, missing: Sequence[StoredNote]) -> None:
        for start in range(0, len(missing), COMMIT_NOTES):
            with self._catalog.transaction():
                for note in missing[start : start + COMMIT_NOTES]:
                    self._catalog.notes.remove(note.path)
            for note in missing[start : start + COMMIT_NOTES]:
                if note.state != "ignored":
                    self._tally.removed += 1
                self._on_event(ChangeEvent(Change(note.path, ChangeKind.REMOVED)))
            self._pace.check()

    def _forget_failures(self, scope: Scope | None) -> None:
        """A note that failed and is gone is no failure any more, though it never had a row of its own."""
        for failure in self._catalog.notes.failures():
            in_scope = failure.stage != "embed" and (scope is None or scope.holds(failure.path))
            if in_scope and not os.path.lexists(self._options.vault_path / failure.path):
                with self._catalog.transaction():
                    self._catalog.notes.remove(failure.path)

    # --- rows to vectors

    def _embed(self, full: bool) -> None:
        """Embed what the model has not read; without anything to read, it is not even loaded."""
        self._progress.enter(Stage.MODEL)
        with self._timed("embed"):
            vectors, options = self._catalog.vectors, self._options.embedding
            self._model = known_model(vectors, self._spec, options)
            if self._model is not None and full:
                with self._catalog.transaction():
                    vectors.forget_failures(self._model.id)
            chunks = self._catalog.notes.count_chunks()
            if self._model is None and not chunks:
                return
            pending = pending_texts(vectors, self._model)
            names = pending_texts(self._catalog.name_vectors, self._model)
            if (
                self._model is None
                or pending.keys
                or names.keys
                or not self._machinery.can_answer(self._spec, self._model.dtype)
            ):
                pending = self._vectorise(pending, names)
            self._progress.chunks_reused = chunks - len(pending.keys)
            if vectors.active() != self._model and self._model is not None:
                with self._catalog.transaction():
                    vectors.activate(self._model)

    def _vectorise(self, pending: PendingTexts, names: PendingTexts) -> PendingTexts:
        """Embed what is pending, which is all when the engine brings another number format; returns what that was."""
        vectors = self._catalog.vectors
        work = workload(vectors, pending, self._on_event, self._pace.check, self._building)
        dtype = self._model.dtype if self._model else sticky_dtype(vectors, self._spec, self._options.embedding)
        if pending.keys:
            self._machinery.start_store()
        embedder = self._machinery.embedder(self._spec, dtype, work)
        self._pace.check()
        if self._model is None or self._model.dtype != embedder.engine.dtype:
            self._model = self._add_model(embedder)
            pending = pending_texts(vectors, self._model)
            names = pending_texts(self._catalog.name_vectors, self._model)
        remember_engine(self._catalog, self._model, embedder.engine.name, embedder.engine.device)
        self._progress.chunks_total = len(pending.keys)
        self._progress.tokens_total = int(pending.n_tokens.sum() + names.n_tokens.sum())
        self._progress.enter(Stage.EMBED)
        self._read_all(pending, embedder, self._model, lambda catalog: catalog.vectors, self._done)
        self._read_all(names, embedder, self._model, lambda catalog: catalog.name_vectors, self._done_names)
        return pending

    def _read_all(
        self, left: PendingTexts, embedder: Embedder, model: StoredModel, table: Table, done: Vectorised
    ) -> None:
        """Have a model read texts of one kind, and those that are left after each pause."""
        vectoriser = Vectoriser(
            self._catalog, self._options.data_dir, embedder, model, table=table, on_event=self._listed_failure
        )
        while not vectoriser.run(left, self._options.embedding.window, self._progress, self._pace, done):
            self._pace.check()
            left = pending_texts(table(self._catalog), model)

    def _add_model(self, embedder: Embedder) -> StoredModel:
        """A model that is new here; the vectors of an older one answer searches until the new ones are whole."""
        spec, engine, vectors = self._spec, embedder.engine, self._catalog.vectors
        with self._catalog.transaction():
            model = vectors.add_model(
                spec.fingerprint(engine.dtype), spec.name, engine.dim, spec.identity, engine.dtype, source=spec.source
            )
            if vectors.active() is None:
                vectors.activate(model)
        return model

    @contextmanager
    def _building(self) -> Iterator[None]:
        """Around the making of an engine, once per model: its time is told apart from that of embedding."""
        start = self._progress.now()
        self._progress.enter(Stage.BUILD)
        try:
            yield
        finally:
            spent = self._progress.now() - start
            self._tally.seconds["build"] = self._tally.seconds.get("build", 0.0) + spent
            self._tally.seconds["embed"] -= spent
            self._progress.enter(Stage.MODEL)

    def _listed_failure(self, event: object) -> None:
        if isinstance(event, FailureEvent):
            self._tally.embed_failures.append(event.failure)
            tell_failure(event.failure, self._on_event)

    # --- vectors to the store

    def _store(self) -> None:
        """Fill the store; without one, searches compare every vector, so its failure is a notice."""
        model = self._model
        if model is None:
            return
        vectors = self._catalog.vectors
        self._progress.store_total = vectors.count_unstored(model.id)
        if not self._progress.store_total and not vectors.dead_in_store(model.id):
            return
        self._progress.enter(Stage.STORE)
        if self._progress.store_total >= self._options.store.write_batch:
            # What embedding has freed would be kept while the store's process grows to its largest.
            give_memory_back()

        def on_stored(rows: int) -> None:
            self._progress.stored += rows

        with self._timed("store"):
            try:
                self._machinery.ann(model).fill(self._catalog, on_stored, self._pace.check)
            except (Cancelled, IndexerError):
                raise
            except Exception as error:  # noqa: BLE001 - the store is a cache: the index is whole without it
                self._on_event(NoticeEvent(f"The vector store could not be written ({error}); it is filled next time."))
            with self._catalog.transaction():
                vectors.prune(model.id, _KEEP_UNUSED)
                self._catalog.name_vectors.prune(model.id, _KEEP_UNUSED)

    # --- the end

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = self._progress.now()
        try:
            yield
        finally:
            self._tally.seconds[stage] += self._progress.now() - start

    def _report(self, found: Differences, seconds: float, cancelled: bool, *, whole: bool) -> IndexReport:
        tally, done = self._tally, self._done
        excluded = self._catalog.notes.count_ignored() if whole else tally.excluded
        model = self._model or self._catalog.vectors.active()
        chunks = self._catalog.notes.count_chunks()
        pending = self._catalog.vectors.count_pending(model.id if model else None)
        return IndexReport(
            seen=found.seen,
            added=tally.added,
            modified=tally.modified,
            removed=tally.removed,
            renamed=tally.renamed,
            unchanged=max(0, found.seen - self._n_read + tally.unchanged - excluded + tally.excluded),
            ignored=found.ignored + excluded,
            chunks=chunks,
            embedded=done.texts,
            reused=max(0, chunks - done.texts - pending),
            tokens=done.tokens + self._done_names.tokens,
            failures=(*tally.failures, *tally.embed_failures),
            warnings=tally.warnings,
            seconds=round(seconds, 3),
            seconds_by_stage={stage: round(value, 3) for stage, value in tally.seconds.items()},
            chunks_per_second=round(self._progress.snapshot().chunks_per_second, 1),
            model=self._spec.name,
            dtype=model.dtype if model else None,
            cancelled=cancelled,
        )
