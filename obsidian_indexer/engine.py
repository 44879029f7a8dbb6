"""The one object that surfaces talk to: open · index · search · similar · watch · status · close.

An `Engine` belongs to one index folder. Writing (index, watch) takes the writer lock and happens on the caller's
thread; reading works from any thread, also beside another process that writes, and never opens the vector store then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.build import Builds
from obsidian_indexer.embed.loaded import LoadedModel
from obsidian_indexer.embed.spec import ModelSpec, resolve_model
from obsidian_indexer.embed.tokens import TextTokenizer, load_tokenizer
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.errors import ModelError, NoteError, VaultError
from obsidian_indexer.events import CancelToken, Event, EventSink, PauseToken, Progress, SyncedEvent, ignore_event
from obsidian_indexer.options import Options
from obsidian_indexer.pace import Pace
from obsidian_indexer.priority import lower_libraries
from obsidian_indexer.records import IndexReport, Scope, SearchResult, Status, VaultLink
from obsidian_indexer.search.graph import LinkGraph
from obsidian_indexer.search.legs import LiveVectors
from obsidian_indexer.search.searcher import Meaning, Nearest, Searcher
from obsidian_indexer.store.ann import AnnIndex
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.lock import WriterLock
from obsidian_indexer.store.vectors import StoredModel
from obsidian_indexer.sync.health import read_status
from obsidian_indexer.sync.processor import Processor
from obsidian_indexer.tuning import Precision, TuneReport, TuneStep
from obsidian_indexer.vault import decode, list_attachments, obsidian_uri, read_file
from obsidian_indexer.watch import DirtySet, Watcher

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
        self._ann: AnnIndex | None = None
        self._writing = threading.RLock()
        self._writers = 0
        self._live: tuple[tuple[int, str | None], LiveVectors] | None = None
        self._live_lock = threading.Lock()

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
        and reports `cancelled`; a paused one has written what it did. Raises VaultError, ModelError or LockedError.
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
        """Measure engines, number formats and token budgets on a sample of the vault, within a time; changes nothing.

        The report's `settings` make its best trial the rule. An engine that has to be made once is made, and kept.
        `on_step` is called on this thread. Raises VaultError, ModelError or LockedError.
        """
        from obsidian_indexer.sync.tune import Tuner

        spec = self._wanted_model()
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
            return tuner.run(precision)

    def _process(
        self,
        progress: Progress,
        pace: Pace,
        on_event: EventSink,
        full: bool = False,
        limit: int | None = None,
        scope: Scope | None = None,
    ) -> IndexReport:
        spec = self._wanted_model()
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
                    self._close_ann()
                    self._lock.release()

    def _close_ann(self) -> None:
        if self._ann is not None:
            self._ann.close(self._catalog())
            self._ann = None

    # --- what the processor borrows

    def embedder(self, spec: ModelSpec, dtype: str | None, work: Workload) -> Embedder:
        """The model, loaded on the engine that serves the work best, and kept. Raises ModelError."""
        embedder = self._model.get(spec, dtype, work)
        lower_libraries(self.options.embedding.nice)
        return embedder

    def can_answer(self, spec: ModelSpec, dtype: str) -> bool:
        """Whether queries can be embedded in this number format as things are."""
        return self._model.can_answer(spec, dtype)

    def preload(self, spec: ModelSpec, dtype: str | None) -> None:
        """Start loading the model in the background."""
        self._model.preload(spec, dtype)

    def ann(self, model: StoredModel) -> AnnIndex:
        """The vector store of a model, open; only under the writer lock."""
        if self._ann is not None and self._ann.model != model:
            self._close_ann()
        if self._ann is None:
            self._ann = AnnIndex.open(self.options.data_dir, self._catalog(), model, self.options.store)
        return self._ann

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
    ) -> SearchResult:
        """The best notes for a query (passages, with `group='chunk'`), from any thread.

        With `plain`, query and mode are taken at their word: no operators, no leg that stands in for another.
        """
        result = self._searcher().search(
            query,
            k=k or self.options.search.k,
            mode=mode or self.options.search.mode,
            group=group,
            explain=explain,
            plain=plain,
        )
        if result.notice is None and result.mode != "keyword":
            return replace(result, notice=self._other_model())
        return result

    def search_many(
        self, queries: Iterable[tuple[str, str]], *, k: int | None = None, mode: str | None = None, group: str = "note"
    ) -> Iterator[tuple[str, SearchResult]]:
        """Answers to many (id, query) pairs, in order."""
        for name, query in queries:
            yield name, self.search(query, k=k, mode=mode, group=group)

    def similar(self, note: str, *, k: int | None = None) -> SearchResult:
        """Notes like this one, from stored vectors. Raises NoteError when it is unknown or has none."""
        return self._searcher().similar(note, k=k or self.options.search.k)

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
        follow = self.options.vault.follow_symlinks
        return list(list_attachments(self.options.vault_path, follow_symlinks=follow))

    def status(self, *, notes: bool = False) -> Status:
        """Counts and health; with `notes`, why each file is or is not indexed."""
        return read_status(self._catalog(), self.options, writer=self._lock.holder(), notes=notes)

    def check_model(self) -> None:
        """Raises ModelError when the model that the settings name cannot be used here."""
        self._wanted_model()

    def warm(self) -> None:
        """Load what the first query needs. Raises ModelError."""
        model = self._catalog().vectors.active()
        if model is not None:
            self._query_embedder(model).embed_query("warm")
            self._live_vectors(model)

    def note_text(self, path: str) -> str:
        """An indexed note as it is on disk now. Raises NoteError when it is unknown or cannot be read."""
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
        read_file(self.options.vault_path, note, self.options.vault)
        name = self.options.vault_path.name
        return obsidian_uri(name, note, heading=heading, block=block, line=line, advanced=advanced)

    def model_status(self) -> str:
        """The model in one line: name, engine, device and number format, and what is missing."""
        active, loaded = self._catalog().vectors.active(), self._model.now()
        line = f"{active.name} · {active.dtype}" if active is not None else ""
        if loaded is not None:
            engine = loaded.engine
            line = f"{loaded.spec.name} · {engine.name} on {engine.device} · {engine.dtype}"
        try:
            name = self._wanted_model().name
        except ModelError as error:
            return f"{line} · {error}" if line else str(error)
        if active is not None and active.name != name:
            return f"{line} · index again to change to {name}"
        return line or f"{name} · not loaded"

    def _searcher(self) -> Searcher:
        catalog = self._catalog()
        model = catalog.vectors.active()
        meaning = None
        if model is not None:
            meaning = Meaning(model, lambda: self._live_vectors(model), self._nearest(catalog, model))
        return Searcher(
            catalog,
            self.options.search,
            meaning=meaning,
            embedder=lambda: self._query_embedder(model),
            tokenizer=lambda: self._query_tokenizer(model),
            uri=self._passage_uri,
        )

    def _wanted_model(self) -> ModelSpec:
        """The model that the settings name; left at 'default', that of the index. Raises ModelError."""
        options = self.options.embedding
        active = self._catalog().vectors.active()
        if options.model == "default" and active is not None:
            options = replace(options, model=active.source)
        return resolve_model(options)

    def _other_model(self) -> str | None:
        """What to say when the settings name another model than the one that answers."""
        active = self._catalog().vectors.active()
        if active is None or self.options.embedding.model == "default":
            return None
        try:
            wanted = self._wanted_model().name
        except ModelError as error:
            return f"The index was made with {active.name}, which answers. {error}"
        if wanted == active.name:
            return None
        return f"The index was made with {active.name}, which answers. Run 'index --model {wanted}' to change to it."

    def _passage_uri(self, path: str, headings: Sequence[str]) -> str:
        return obsidian_uri(self.options.vault_path.name, path, heading=headings or None)

    def _query_embedder(self, model: StoredModel | None) -> Embedder:
        """The model that made the stored vectors, never another one."""
        assert model is not None
        return self._model.get(self._answering_model(model), model.dtype)

    def _query_tokenizer(self, model: StoredModel | None) -> TextTokenizer:
        """That model's tokenizer, without the model."""
        assert model is not None
        loaded = self._model.now()
        if loaded is not None and loaded.spec.identity == model.identity:
            return loaded.tokenizer
        return load_tokenizer(self._answering_model(model))

    def _answering_model(self, model: StoredModel) -> ModelSpec:
        spec = resolve_model(replace(self.options.embedding, model=model.source))
        if spec.identity != model.identity:
            raise ModelError(
                f"The index was made with {model.name}, whose files or prompts have changed. Run 'index' to renew it."
            )
        return spec

    def _nearest(self, catalog: Catalog, model: StoredModel) -> Nearest | None:
        """The store's search, where it is open and the vault too large to compare every vector."""
        ann = self._ann
        if ann is None or ann.model != model or catalog.vectors.count(model.id) <= self.options.search.exact_below:
            return None
        return ann.query

    def _live_vectors(self, model: StoredModel) -> LiveVectors:
        """Every live vector in memory, read again when the catalogue has changed."""
        catalog = self._catalog()
        stamp = (model.id, catalog.meta("version"))
        with self._live_lock:
            if self._live is None or self._live[0] != stamp:
                self._live = (stamp, LiveVectors(*catalog.vectors.live(model)))
            return self._live[1]

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
            self._close_ann()
            self._lock.release()
        self._model.close()
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
