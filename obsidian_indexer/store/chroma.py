"""Chroma as a vector store: keys and vectors, nothing else.

Ids are the hex of a chunk's key, so a row can never hold another text's vector, and adding twice is harmless. No
documents, no metadata, no embedding function: text and filters live in the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.options import StoreOptions

# 128 bits of the sha256 name a text; the rest only costs room.
_ID_BYTES = 16
# 128 take half as long again; 4,096 are no faster and take 45 MiB more.
_ROWS_IN_ONE_CALL = 1024
# Below the rounding of 16-bit numbers, two directions are one.
_SAME_DISTANCE = 1e-4
# Of 32 rows of a whole graph of 42,000 short texts, many alike, one was passed over; a damaged graph loses most.
_MOST_MISSED = 1 / 8


def library_version() -> str:
    """The installed version, without importing the library."""
    from importlib.metadata import version

    return version("chromadb")


class ChromaStore:
    """One collection of one Chroma folder, in this process. Indexes go through `StoreProcess`."""

    def __init__(self, folder: Path, collection: str, options: StoreOptions) -> None:
        import chromadb
        from chromadb.config import Settings

        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        self._collection: Any = self._client.get_or_create_collection(
            collection,
            embedding_function=None,
            configuration={
                "hnsw": {
                    "space": "cosine",
                    "ef_construction": options.ef_construction,
                    "ef_search": options.ef_search,
                    "max_neighbors": options.m,
                }
            },
        )
        self._batch = min(options.write_batch, int(self._client.get_max_batch_size()))

    def count(self) -> int:
        """Rows in the collection."""
        return int(self._collection.count())

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Add or replace vectors[i] (float32[n, dim]) under keys[i]."""
        rows = min(self._batch, _ROWS_IN_ONE_CALL)
        for start in range(0, len(keys), rows):
            part = slice(start, start + rows)
            self._collection.upsert(ids=[_row_id(key) for key in keys[part]], embeddings=vectors[part])

    def delete(self, keys: Sequence[bytes]) -> None:
        """Remove rows; unknown keys are passed over."""
        for start in range(0, len(keys), self._batch):
            self._collection.delete(ids=[_row_id(key) for key in keys[start : start + self._batch]])

    def query(self, vector: NDArray[np.float32], k: int) -> list[tuple[str, float]]:
        """The k nearest rows as (hex prefix of the key, cosine), nearest first."""
        count = self.count()
        if count == 0:
            return []
        answer = self._collection.query(
            query_embeddings=vector[np.newaxis, :], n_results=min(k, count), include=["distances"]
        )
        return [
            (row_id, 1.0 - float(distance))
            for row_id, distance in zip(answer["ids"][0], answer["distances"][0], strict=True)
        ]

    def answers(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> bool:
        """Whether rows come back when asked for by their own vector, unless more are as near than were asked for.

        The search is approximate: among many rows that are nearly alike it may pass one over, so a few may be missed.
        """
        if not keys:
            return True
        answer = self._collection.query(query_embeddings=vectors, n_results=5, include=["distances"])
        missed: int = sum(
            _row_id(key) not in ids and max(distances, default=1.0) > _SAME_DISTANCE
            for key, ids, distances in zip(keys, answer["ids"], answer["distances"], strict=True)
        )
        return missed <= len(keys) * _MOST_MISSED

    def close(self) -> None:
        """Release the folder."""
        self._client.close()


def _row_id(key: bytes) -> str:
    return key[:_ID_BYTES].hex()


def key_prefix(row_id: str) -> bytes:
    """The first bytes of the key that a row id stands for."""
    return bytes.fromhex(row_id)
