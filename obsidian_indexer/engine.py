"""The one object that surfaces talk to: open · index · search · similar · watch · status · close.

An `Engine` belongs to one index folder. Writing (index, watch) takes the writer lock and happens on the caller's
thread; reading works from any thread, also beside another process that writes, and never opens the vector store then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from obsidian_indexer.embed.loaded import LoadedModel
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.errors import NoteError, QueryError, VaultError
from obsidian_indexer.events import CancelToken, Event, EventSink, PauseToken, Progress, SyncedEvent, ignore_event
from obsidian_indexer.options import Options
from obsidian_indexer.pace import Pace
from obsidian_indexer.records import IndexReport, Scope, SearchResult, Status, VaultLink
from obsidian_indexer.search.answering import Answering
from obsidian_indexer.search.graph import LinkGraph
from obsidian_indexer.search.searcher import Searcher
from obsidian_indexer.store.ann import AnnIndex
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.lock import WriterLock
from obsidian_indexer.store.process import StoreError, StoreProcess
from obsidian_indexer.store.vectors import StoredModel
from obsidian_indexer.tuning import Precision, TuneReport, TuneStep
from obsidian_indexer.vault.uri import obsidian_uri

# What only writing needs is loaded by it: a search is often a process of its own.
if TYPE_CHECKING:
    from obsidian_indexer.embed.batch import Embedder
    from obsidian_indexer.watch import DirtySet

ENGINES = "engines"
"""Folder of the index in which engines that had to be made are kept."""


class Engine:
    """One vault's index, open. Use it as a context manager or call `close`."""

    def __init__(self, options: Options, on_event: EventSink) -> None:
        self.options = options
        self._on_event = on_event
        self._model = LoadedModel(options.embedding, options.data_dir / ENGINES)
        self._lock = WriterLock(options.data_dir)
        self._local = threading.local()
        self._catalogs: list[Catalog] = []
        self._store = StoreProcess(options.data_dir / "chroma.lock", options.embedding.nice)
        self._ann: AnnIndex | None = None
        self._writing = threading.RLock()
        self._writers = 0
        self._answering = Answering(options, self._model, self._catalog, lambda: self._ann)

    @classmethod
    def open(cls, options: Options, *, on_event: EventSink = ignore_event) -> Engine:
        """Open the index of a vault, creating its folder when new; loads no model.

        Raises VaultError, DataDirError or CatalogError.
        """
        if not options.vault_path.exists():
            raise VaultError(f"There is no vault at {options.vault_path}. Name a folder with --vault.")
        if not options.vault_path.is_dir():
            raise VaultError(f"{options.vault_path} is a file, not a folder. A vault is a folder of notes.")
        engine = cls(options, on_event)
        engine._catalog().bind_vault(options.vault_path)
        return engine

    # --- writing

    def index(
        self,
        *,
        full: bool = False,
        limit: int | None = None,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        pause: PauseToken | None = None,
    ) -> IndexReport:
        """Bring the index up to date on this thread.

        `full` parses every note again, `limit` reads at most so many changed notes. A cancelled run keeps what it did
        and reports `cancelled`; a paused one has written what it did. Raises VaultError, ModelError, ConfigError or
        LockedError.
        """
        shown = progress or Progress()
        pace = Pace(cancel or CancelToken(), self.options.embedding, pause=pause, progress=shown)
        with self._as_writer("index"):
            return self._process(shown, pace, self._on_event, full, limit)

    def watch(
        self,
        *,
        cancel: CancelToken,
        on_event: EventSink | None = None,
        progress: Progress | None = None,
        pause: PauseToken | None = None,
    ) -> None:
        """Bring the index up to date, then follow the disk until cancelled; blocks. Raises LockedError.

        While paused, changes are noticed and kept for later.
        """
        from obsidian_indexer.watch import Watcher

        sink = on_event or self._on_event
        shown = progress or Progress()
        pace = Pace(cancel, self.options.embedding, pause=pause, progress=shown)

        def sync(dirty: DirtySet) -> None:
            scope = None if dirty.everything else Scope(dirty.paths, dirty.prefixes)
            report = self._process(shown, pace, sink, scope=scope)
            touched = report.added + report.modified + report.removed + report.renamed
            if touched or report.embedded or dirty.reason == "start-up":
                sink(_synced(report))

        with self._as_writer("watch"):
            watcher = Watcher(
                self.options.vault_path,
                self.options.watch,
                sync,
                cancel=cancel,
                on_event=sink,
                ignore_file=self.options.vault.ignore_file,
            )
            watcher.run()

    def tune(
        self,
        *,
        seconds: float = 60.0,
        precision: Precision = Precision.WEIGH,
        on_step: Callable[[TuneStep], None] = lambda step: None,
        cancel: CancelToken | None = None,
    ) -> TuneReport:
        """Measure engines, number formats and token budgets on a sample of the vault, within a time.

        Settings stay as they are: the report's `settings` make its best trial the rule. An engine that has to be made
        once is made, and kept.
        `on_step` is called on this thread. Raises VaultError, ModelError or LockedError.
        """
        from obsidian_indexer.embed.build import Builds
        from obsidian_indexer.sync.engine_facts import remember_tuning
        from obsidian_indexer.sync.tune import Tuner

        spec = self._answering.wanted_model()
        with self._as_writer("tune"), self._writing:
            tuner = Tuner(
                self.options,
                spec,
                self._catalog(),
                Builds(self.options.data_dir / ENGINES),
                seconds=seconds,
                cancel=cancel or CancelToken(),
                on_event=self._on_event,
                on_step=on_step,
            )
            report = tuner.run(precision)
            remember_tuning(self._catalog(), report)
            return report

    def _process(
        self,
        progress: Progress,
        pace: Pace,
        on_event: EventSink,
        full: bool = False,
        limit: int | None = None,
        scope: Scope | None = None,
    ) -> IndexReport:
        from obsidian_indexer.sync.processor import Processor

        spec = self._answering.wanted_model()
        with self._writing:
            processor = Processor(
                self.options, spec, self._catalog(), self, on_event=on_event, progress=progress, pace=pace
            )
            report = processor.run(full=full, limit=limit, scope=scope)
        embedder = self._model.now()
        if embedder is not None:
            return replace(report, engine=embedder.engine.name, device=embedder.engine.device)
        return report

    @contextmanager
    def _as_writer(self, purpose: str) -> Iterator[None]:
        """Hold the writer lock; the last to leave closes the store and gives the lock back."""
        with self._writing:
            self._lock.acquire(purpose)
            self._writers += 1
        try:
            yield
        finally:
            with self._writing:
                self._writers -= 1
                if not self._writers:
                    self._close_store()
                    self._lock.release()

    def _close_store(self) -> None:
        self._ann = None
        self._store.close()

    # --- what the processor borrows

    def embedder(self, spec: ModelSpec, dtype: str | None, work: Workload) -> Embedder:
        """The model, loaded on the engine that serves the work best, and kept. Raises ModelError."""
        return self._model.get(spec, dtype, work)

    def can_answer(self, spec: ModelSpec, dtype: str) -> bool:
        """Whether queries can be embedded in this number format as things are."""
        return self._model.can_answer(spec, dtype)

    def preload(self, spec: ModelSpec, dtype: str | None, n_tokens: int) -> None:
        """Start loading the model in the background, for about so many tokens to come."""
        self._model.preload(spec, dtype, n_tokens)

    def ann(self, model: StoredModel) -> AnnIndex:
        """The vector store of a model, open; only under the writer lock. Raises StoreError."""
        if self._ann is None or self._ann.model != model or not self._store.alive:
            self._ann = None
            self._ann = AnnIndex.open(self._store, self.options.data_dir, self._catalog(), model, self.options.store)
        return self._ann

    def start_store(self) -> None:
        """Have the vector store's process come up in the background; `ann` says what keeps it from that."""
        with suppress(StoreError):
            self._store.start()

    # --- reading

    def search(
        self,
        query: str,
        *,
        k: int | None = None,
        mode: str | None = None,
        group: str = "note",
        explain: bool = False,
        plain: bool = False,
        sort: str | None = None,
        rerank: bool | None = None,
    ) -> SearchResult:
        """The best notes for a query (passages, with `group='chunk'`), from any thread.

        With `plain`, query and mode are taken at their word: no operators, no leg that stands in for another. `sort` is
        the order where the query names none. `rerank` is whether the reranker reads the best results; None leaves it to
        the settings, which rerank all but a search by keyword. Raises QueryError pointing at what in the query cannot
        be.
        """
        result = self.searcher().search(
            query,
            k=k or self.options.search.k,
            mode=mode or self.options.search.mode,
            group=group,
            explain=explain,
            plain=plain,
            sort=sort,
            rerank=rerank,
        )
        if result.notice is None and result.mode != "keyword":
            return replace(result, notice=self._answering.other_model())
        return result

    def searcher(self) -> Searcher:
        """What answers queries on this thread, for whoever weighs the legs in other ways than the settings'."""
        return self._answering.searcher()

    def search_many(
        self,
        queries: Iterable[tuple[str, str]],
        *,
        k: int | None = None,
        mode: str | None = None,
        group: str = "note",
        explain: bool = False,
        sort: str | None = None,
        rerank: bool | None = None,
    ) -> Iterator[tuple[str, SearchResult]]:
        """Answers to many (id, query) pairs, in order; a query that is in error is taken as plain words."""
        ask = partial(self.search, k=k, mode=mode, group=group, explain=explain, sort=sort, rerank=rerank)
        for name, query in queries:
            try:
                yield name, ask(query)
            except QueryError as error:
                result = ask(query, plain=True)
                yield name, replace(result, notice=f"Taken as plain words: {error}")

    def similar(self, note: str, *, k: int | None = None, hide_linked: bool = False) -> SearchResult:
        """Notes like this one, from stored vectors; `hide_linked` leaves out those it links to or is linked from.

        Raises NoteError when the note is unknown or has no vectors.
        """
        return self.searcher().similar(note, k=k or self.options.search.k, hide_linked=hide_linked)

    def backlinks(self, note: str) -> list[VaultLink]:
        """The links in other notes that lead to a file of the vault. Raises NoteError when there is no such file."""
        return self._link_graph(note).backlinks(note)

    def outgoing(self, note: str) -> list[VaultLink]:
        """The links in a note and where each leads. Raises NoteError when there is no such file."""
        return self._link_graph(note).outgoing(note)

    def unresolved_links(self) -> list[VaultLink]:
        """Every link that leads nowhere."""
        return LinkGraph(self._catalog(), self._linkable_files()).unresolved()

    def _link_graph(self, note: str) -> LinkGraph:
        files = self._linkable_files()
        if note not in files:
            raise NoteError(f"There is no file {note} in the vault.")
        return LinkGraph(self._catalog(), files)

    def _linkable_files(self) -> list[str]:
        from obsidian_indexer.vault.scan import list_attachments

        follow = self.options.vault.follow_symlinks
        return list(list_attachments(self.options.vault_path, follow_symlinks=follow))

    def status(self, *, notes: bool = False) -> Status:
        """Counts and health; with `notes`, why each file is or is not indexed."""
        from obsidian_indexer.embed.build import Builds
        from obsidian_indexer.sync.health import read_status

        builds = Builds(self.options.data_dir / ENGINES)
        return read_status(self._catalog(), self.options, builds, writer=self._lock.holder(), notes=notes)

    def check_model(self) -> None:
        """Raises ModelError when the model that the settings name cannot be used here."""
        self._answering.wanted_model()

    def warm(self, *, rerank: bool = True, once: bool = False) -> None:
        """Load what the first query needs, with `rerank` the reranker too where one is set. Raises ModelError.

        `once` leaves out what only later queries gain by.
        """
        self._answering.warm(rerank=rerank, once=once)

    def note_text(self, path: str) -> str:
        """An indexed note as it is on disk now. Raises NoteError when it is unknown or cannot be read."""
        from obsidian_indexer.vault.decode import decode
        from obsidian_indexer.vault.scan import read_file

        if path not in self._catalog().notes.stored([path]):
            raise NoteError(f"{path} is not in the index.")
        return decode(read_file(self.options.vault_path, path, self.options.vault))[0]

    def uri(
        self,
        note: str,
        *,
        heading: str | None = None,
        block: str | None = None,
        line: int | None = None,
        advanced: bool = False,
    ) -> str:
        """The `obsidian://` link that opens a note. Raises NoteError when there is no such note."""
        from obsidian_indexer.vault.scan import read_file

        read_file(self.options.vault_path, note, self.options.vault)
        name = self.options.vault_path.name
        return obsidian_uri(name, note, heading=heading, block=block, line=line, advanced=advanced)

    def model_status(self) -> str:
        """The model in one line: name, engine, device and number format, and what is missing."""
        return self._answering.model_line()

    def _catalog(self) -> Catalog:
        """This thread's connection."""
        catalog: Catalog | None = getattr(self._local, "catalog", None)
        if catalog is None:
            catalog = Catalog.open(self.options.data_dir)
            self._local.catalog = catalog
            self._catalogs.append(catalog)
        return catalog

    def close(self) -> None:
        """Release model, store, lock and files."""
        with self._writing:
            self._close_store()
            self._lock.release()
        self._model.close()
        self._answering.close()
        for catalog in self._catalogs:
            catalog.close()
        self._catalogs.clear()
        self._local = threading.local()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _synced(report: IndexReport) -> Event:
    return SyncedEvent(
        added=report.added,
        modified=report.modified,
        removed=report.removed,
        renamed=report.renamed,
        embedded=report.embedded,
        seconds=report.seconds,
    )
