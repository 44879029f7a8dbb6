"""What answers a query: the model that made the stored vectors, never another one, and those vectors in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.loaded import LoadedModel
from obsidian_indexer.embed.rerank import LoadedReranker
from obsidian_indexer.embed.spec import ModelSpec, resolve_model
from obsidian_indexer.embed.tokens import load_tokenizer
from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import Options
from obsidian_indexer.pace import usable_cores
from obsidian_indexer.search.legs import NoteEvidence, Passages, find_titles
from obsidian_indexer.search.meaning import Cosines, Meaning
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.search.searcher import Searcher
from obsidian_indexer.search.spelling import ResidentVocabulary
from obsidian_indexer.search.terms import query_terms
from obsidian_indexer.store.ann import AnnIndex
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.live import ResidentVectors
from obsidian_indexer.store.vectors import StoredModel
from obsidian_indexer.vault.uri import obsidian_uri

if TYPE_CHECKING:
    from obsidian_indexer.embed.batch import Embedder
    from obsidian_indexer.embed.tokens import TextTokenizer

T = TypeVar("T")

# Legs of one search that more cores than these would run at once.
_MOST_LEGS = 5


class Answering:
    """Joins catalogue, vector store and model for searches, from any thread.

    `catalog` gives the calling thread's connection, `ann` the vector store while it is open in this process.
    """

    def __init__(
        self,
        options: Options,
        loaded: LoadedModel,
        catalog: Callable[[], Catalog],
        ann: Callable[[], AnnIndex | None],
    ) -> None:
        self._options = options
        self._loaded = loaded
        self._catalog = catalog
        self._ann = ann
        self._reranker = LoadedReranker(options.search.rerank_model, options.embedding)
        self._resident = ResidentVectors()
        self._resident_names = ResidentVectors(lambda catalog: catalog.name_vectors)
        self._vocabulary = ResidentVocabulary()
        # Legs run beside each other, the longest first, and none holds the interpreter for long. More threads than
        # cores would lengthen each of them. No work here waits for other work here.
        self._beside = ThreadPoolExecutor(min(_MOST_LEGS, max(2, usable_cores())), thread_name_prefix="search")
        # Resolving a model reads its small files; no query has to wait for that twice.
        self._answering_model = cache(self._resolve)

    def searcher(self) -> Searcher:
        """What answers queries now, on this thread."""
        catalog = self._catalog()
        model = catalog.vectors.active()
        meaning = None
        if model is not None:
            meaning = Meaning(
                model,
                live=lambda: self._resident.now(self._catalog(), model),
                nearest=partial(self._nearest, model),
                titles=partial(self._titles, model),
            )
        return Searcher(
            catalog,
            self._options.search,
            meaning=meaning,
            embedder=lambda: self._query_embedder(model),
            tokenizer=lambda: self._query_tokenizer(model),
            vocabulary=lambda: self._vocabulary.now(catalog),
            uri=self._passage_uri,
            beside=self._begin,
            reranker=self._reranker.get if self._options.search.rerank_model else None,
        )

    def wanted_model(self) -> ModelSpec:
        """The model that the settings name; left at 'default', that of the index. Raises ModelError."""
        options = self._options.embedding
        active = self._catalog().vectors.active()
        if options.model == "default" and active is not None:
            options = replace(options, model=active.source)
        return resolve_model(options)

    def other_model(self) -> str | None:
        """What to say when the settings name another model than the one that answers."""
        active = self._catalog().vectors.active()
        if active is None or self._options.embedding.model == "default":
            return None
        try:
            wanted = self.wanted_model().name
        except ModelError as error:
            return f"The index was made with {active.name}, which answers. {error}"
        if wanted == active.name:
            return None
        return f"The index was made with {active.name}, which answers. Run 'index --model {wanted}' to change to it."

    def _begin(self, work: Callable[[Catalog], T]) -> Callable[[], T]:
        return self._beside.submit(lambda: work(self._catalog())).result

    def _passage_uri(self, path: str, headings: Sequence[str]) -> str:
        return obsidian_uri(self._options.vault_path.name, path, heading=headings or None)

    def _query_embedder(self, model: StoredModel | None) -> Embedder:
        """The model that made the stored vectors, never another one."""
        assert model is not None
        return self._loaded.get(self._answering_model(model), model.dtype)

    def _query_tokenizer(self, model: StoredModel | None) -> TextTokenizer:
        """That model's tokenizer, without the model."""
        assert model is not None
        loaded = self._loaded.now()
        if loaded is not None and loaded.spec.identity == model.identity:
            return loaded.tokenizer
        return load_tokenizer(self._answering_model(model))

    def _resolve(self, model: StoredModel) -> ModelSpec:
        spec = resolve_model(replace(self._options.embedding, model=model.source))
        if spec.identity != model.identity:
            raise ModelError(
                f"The index was made with {model.name}, whose files or prompts have changed. Run 'index' to renew it."
            )
        return spec

    def _nearest(
        self, model: StoredModel, query: NDArray[np.float32], limit: int, scope: Scope
    ) -> tuple[Passages, Cosines]:
        """The chunks nearest to a query, and their notes: of a large vault those the store names, where it can now."""
        catalog, ann = self._catalog(), self._ann()
        live, found = self._resident.now(catalog, model), None
        if scope.everything and ann is not None and ann.model == model and len(live) > self._options.search.exact_below:
            found = ann.nearest_chunks(catalog, query, limit)
        if found is None:
            found = live.nearest(query, limit, scope.note_ids, scope.chunk_ids)
        note_of = live.notes_of(found)
        # The store may name a passage that has just gone, or come.
        passages = Passages({chunk_id: found[chunk_id] for chunk_id in note_of}, note_of)
        return passages, live.whole_notes(query, set(note_of.values()))

    def _titles(
        self, model: StoredModel, query: NDArray[np.float32], limit: int, scope: Scope
    ) -> Mapping[int, NoteEvidence]:
        """The notes whose names are nearest to a query."""
        catalog = self._catalog()
        return find_titles(catalog, self._resident_names.now(catalog, model).nearest(query, limit, scope.note_ids))

    def _read_vectors(self, model: StoredModel, *, prepared: bool) -> None:
        for resident in (self._resident, self._resident_names):
            read = resident.prepare if prepared else resident.now
            read(self._catalog(), model)

    def _load_morphemes(self) -> None:
        query_terms(self._catalog(), "말")

    def model_line(self) -> str:
        """The model in one line: name, engine, device and number format, and what is missing."""
        active, loaded = self._catalog().vectors.active(), self._loaded.now()
        line = f"{active.name} · {active.dtype}" if active is not None else ""
        if loaded is not None:
            engine = loaded.engine
            parts = (loaded.spec.name, f"{engine.name} on {engine.device}", engine.dtype, engine.detail)
            line = " · ".join(part for part in parts if part)
        try:
            name = self.wanted_model().name
        except ModelError as error:
            return f"{line} · {error}" if line else str(error)
        if active is not None and active.name != name:
            return f"{line} · index again to change to {name}"
        return line or f"{name} · not loaded"

    def warm(self, *, rerank: bool = True, once: bool = False) -> None:
        """Load what the first query needs, with `rerank` the reranker too where one is set. Raises ModelError.

        `once` leaves out what only later queries gain by.
        """
        morphemes = self._beside.submit(self._load_morphemes)
        model = self._catalog().vectors.active()
        if model is not None:
            vectors = self._beside.submit(self._read_vectors, model, prepared=not once)
            try:
                self._query_embedder(model).embed_query("warm")
            finally:
                vectors.result()
        morphemes.result()
        if rerank and self._options.search.rerank_model:
            with suppress(ModelError):  # each search says so, and is answered without
                self._reranker.get()

    def close(self) -> None:
        """Wait for searches under way and give the reranker's memory back."""
        self._beside.shutdown()
        self._reranker.close()
