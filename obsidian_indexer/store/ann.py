"""The vector store kept equal to the catalogue, at no embedding cost.

`AnnIndex.open` trusts a folder only if it is as this program left it; else it is tried out in a child process, which
may crash, and made anew from the catalogue when anything is amiss. `fill` brings in what is missing and takes out what
no note holds any more.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.options import StoreOptions
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.chroma import ChromaStore, key_prefix, library_version
from obsidian_indexer.store.vectors import StoredModel

_SELF_QUERIES = 32
_PROBE_TIMEOUT_S = 120


class AnnIndex:
    """The active model's vectors in Chroma."""

    def __init__(self, store: ChromaStore, folder: Path, model: StoredModel, options: StoreOptions) -> None:
        self._store = store
        self._folder = folder
        self.model = model
        self._options = options

    @classmethod
    def open(cls, data_dir: Path, catalog: Catalog, model: StoredModel, options: StoreOptions) -> AnnIndex:
        """Open the store of a model; one that does not answer for its own rows is dropped, to be filled again."""
        folder = _folder(data_dir, catalog)
        if not _trusted(folder, catalog, model, options):
            folder = _fresh_folder(data_dir, catalog)
        store = ChromaStore(folder, _collection_name(model), options)
        keys, vectors = catalog.vectors.sample_stored(model, _SELF_QUERIES)
        if store.count() < catalog.vectors.count(model.id, stored=True) or not store.answers(keys, vectors):
            store.close()
            folder = _fresh_folder(data_dir, catalog)
            store = ChromaStore(folder, _collection_name(model), options)
        with catalog.transaction():
            # Until `close` records how the folder was left, another start must not trust it blindly.
            catalog.set_meta("store_left_as", "")
        return cls(store, folder, model, options)

    def fill(self, catalog: Catalog, on_stored: Callable[[int], None], check: Callable[[], None]) -> None:
        """Write every missing vector in large batches and delete dead rows.

        `on_stored` hears how many rows each batch held; `check` may raise to stop between batches.
        """
        dead = catalog.vectors.dead_in_store(self.model.id)
        live = catalog.vectors.count_live(self.model.id)
        if dead:
            self._store.delete(dead)
            deleted = int(catalog.meta("store_deleted") or 0) + len(dead)
            with catalog.transaction():
                catalog.vectors.mark_stored(self.model.id, dead, stored=False)
                catalog.set_meta("store_deleted", str(deleted))
        if int(catalog.meta("store_deleted") or 0) > max(1000, self._options.rebuild_ratio * live):
            self._rebuild(catalog)
        for keys, vectors in catalog.vectors.unstored(self.model, self._options.write_batch):
            check()
            self._store.put(keys, vectors)
            with catalog.transaction():
                catalog.vectors.mark_stored(self.model.id, keys, stored=True)
            on_stored(len(keys))

    def _rebuild(self, catalog: Catalog) -> None:
        """Start an empty folder: deleted rows of an HNSW graph cost room and time for good."""
        self._store.close()
        self._folder = _fresh_folder(self._folder.parent.parent, catalog)
        self._store = ChromaStore(self._folder, _collection_name(self.model), self._options)

    def query(self, vector: NDArray[np.float32], k: int) -> list[tuple[bytes, float]]:
        """The k nearest texts as (first bytes of the key, cosine), nearest first. vector: float32[dim]."""
        return [(key_prefix(row_id), similarity) for row_id, similarity in self._store.query(vector, k)]

    def nearest_chunks(self, catalog: Catalog, vector: NDArray[np.float32], k: int) -> dict[int, float]:
        """Cosines of the chunks of the k nearest texts, by id; texts that no note holds any more fall away here."""
        chunks: dict[int, float] = {}
        for prefix, similarity in self.query(vector, k):
            rows = catalog.connection.execute(
                "SELECT id FROM chunks WHERE key >= ? AND key < ?", (prefix, prefix + b"\xff" * 17)
            )
            chunks.update({row[0]: similarity for row in rows})
        return chunks

    def close(self, catalog: Catalog) -> None:
        """Close the store and remember how its files were left."""
        self._store.close()
        with catalog.transaction():
            catalog.set_meta("store_left_as", _state(self._folder))
            catalog.set_meta("store_version", library_version())


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


def _state(folder: Path) -> str:
    """Names, sizes and dates of the store's files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return json.dumps([[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns] for f in files])


def _trusted(folder: Path, catalog: Catalog, model: StoredModel, options: StoreOptions) -> bool:
    """Whether the store may be opened in this process."""
    if not folder.exists():
        return catalog.vectors.count(model.id, stored=True) == 0
    if catalog.meta("store_version") not in (None, library_version()):
        return False
    if catalog.meta("store_left_as") == _state(folder):
        return True
    keys, vectors = catalog.vectors.sample_stored(model, _SELF_QUERIES)
    if not keys:
        return False
    # A damaged graph can end the process it is read in, so a child reads it first.
    request = {
        "folder": str(folder),
        "collection": _collection_name(model),
        "keys": [key.hex() for key in keys],
        "vectors": vectors.tolist(),
    }
    try:
        child = subprocess.run(
            [sys.executable, "-m", "obsidian_indexer.store.probe"],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return child.returncode == 0
