"""The vector store kept equal to the catalogue, at no embedding cost.

`AnnIndex.open` takes a folder only if it answers for its own rows; it is made anew from the catalogue when anything is
amiss. `fill` brings in what is missing and takes out what no note holds any more.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.options import StoreOptions
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.chroma import key_prefix, library_version
from obsidian_indexer.store.process import StoreError, StoreProcess
from obsidian_indexer.store.vectors import StoredModel

_SELF_QUERIES = 32
# So few deleted rows are never worth a new graph.
_LEAST_DELETED = 1000


class AnnIndex:
    """The active model's vectors in Chroma. Only the holder of the writer lock may open it."""

    def __init__(self, store: StoreProcess, data_dir: Path, model: StoredModel, options: StoreOptions) -> None:
        self._store = store
        self._data_dir = data_dir
        self.model = model
        self._options = options

    @classmethod
    def open(
        cls, store: StoreProcess, data_dir: Path, catalog: Catalog, model: StoredModel, options: StoreOptions
    ) -> AnnIndex:
        """Open the store of a model; one that does not answer for its own rows is dropped, to be filled again.

        Raises StoreError.
        """
        ann = cls(store, data_dir, model, options)
        store.start()
        if not ann._open_as_it_is(catalog):
            ann._open_anew(catalog)
        return ann

    def _open_as_it_is(self, catalog: Catalog) -> bool:
        """Open the folder as it lies, if it can be trusted."""
        vectors, folder = catalog.vectors, _folder(self._data_dir, catalog)
        # Rows that were never acknowledged may be all that a run left that was killed.
        if not any(vectors.count(model.id, stored=True) for model in vectors.models()):
            return False
        if not folder.exists() or catalog.meta("store_version") != library_version():
            return False
        try:
            self._store.open(folder, _collection_name(self.model), self._options)
            whole = self._store.count() >= vectors.count(self.model.id, stored=True)
            return whole and self._store.answers(*vectors.sample_stored(self.model, _SELF_QUERIES))
        except StoreError:
            return False

    def _open_anew(self, catalog: Catalog) -> None:
        """Start an empty folder."""
        self._store.leave()
        self._store.open(_fresh_folder(self._data_dir, catalog), _collection_name(self.model), self._options)

    def fill(self, catalog: Catalog, on_stored: Callable[[int], None], check: Callable[[], None]) -> None:
        """Write every missing vector in large batches and delete dead rows.

        `on_stored` hears how many rows each batch held; `check` may raise to stop between batches.
        """
        dead = catalog.vectors.dead_in_store(self.model.id)
        if dead:
            self._store.delete(dead)
            deleted = int(catalog.meta("store_deleted") or 0) + len(dead)
            with catalog.transaction():
                catalog.vectors.mark_stored(self.model.id, dead, stored=False)
                catalog.set_meta("store_deleted", str(deleted))
        if self._is_worn(catalog):
            # Deleted rows of an HNSW graph cost room and time for good.
            self._open_anew(catalog)
        for keys, vectors in catalog.vectors.unstored(self.model, self._options.write_batch):
            check()
            self._store.put(keys, vectors)
            with catalog.transaction():
                catalog.vectors.mark_stored(self.model.id, keys, stored=True)
            on_stored(len(keys))

    def _is_worn(self, catalog: Catalog) -> bool:
        """Whether so many rows were deleted that a new graph is due; the living are counted only where that decides."""
        deleted = int(catalog.meta("store_deleted") or 0)
        if deleted <= _LEAST_DELETED:
            return False
        return deleted > self._options.rebuild_ratio * catalog.vectors.count_live(self.model.id)

    def nearest_chunks(self, catalog: Catalog, vector: NDArray[np.float32], k: int) -> dict[int, float] | None:
        """Cosines of the chunks of the k nearest texts, by id; texts that no note holds any more fall away here.

        None when the store cannot answer now: while it is written, and after a failure. vector: float32[dim].
        """
        try:
            found = self._store.query(vector, k)
        except StoreError:
            return None
        if found is None:
            return None
        chunks: dict[int, float] = {}
        for row_id, similarity in found:
            prefix = key_prefix(row_id)
            rows = catalog.connection.execute(
                "SELECT id FROM chunks WHERE key >= ? AND key < ?", (prefix, prefix + b"\xff" * 17)
            )
            chunks.update({row[0]: similarity for row in rows})
        return chunks


def _folder(data_dir: Path, catalog: Catalog) -> Path:
    return data_dir / "chroma" / (catalog.meta("store_generation") or "0")


def _fresh_folder(data_dir: Path, catalog: Catalog) -> Path:
    """Switch to an empty folder and remove every older one."""
    generation = int(catalog.meta("store_generation") or 0) + 1
    with catalog.transaction():
        for model in catalog.vectors.models():
            catalog.vectors.forget_store(model.id)
        catalog.set_meta("store_generation", str(generation))
        catalog.set_meta("store_deleted", "0")
        catalog.set_meta("store_version", library_version())
    folder = data_dir / "chroma" / str(generation)
    for old in (data_dir / "chroma").glob("*"):
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _collection_name(model: StoredModel) -> str:
    return f"v-{model.fingerprint[:32]}"
