"""Vectors in the catalogue, by model and by the key of the text they were made from.

They outlive the chunks and the vector store: a text that comes back, under whatever path, is never embedded twice for
the same model, and a lost store is filled from here. What must still be embedded is a query, not a state.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.records import Failure
from obsidian_indexer.store.halves import Halves, Vectors, widen
from obsidian_indexer.store.rows import clean_text, marks, pages, path_from_row, path_to_row

# A sha256.
_KEY_BYTES = 32
_READ_ROWS = 1024


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that has vectors here.

    `identity` is all that shapes a vector save the number format, as JSON; `source` names the model in the settings.
    """

    id: int
    fingerprint: str
    name: str
    dim: int
    identity: str
    dtype: str
    source: str


@dataclass(frozen=True, slots=True)
class PendingTexts:
    """The texts that a model has still to read, longest first: row i of both arrays is one text.

    keys: bytes[32] each; n_tokens: int32[n].
    """

    keys: list[bytes]
    n_tokens: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TextKeys:
    """Every embedded text of a kind: ids, note_ids, n_tokens: int64[n]; `keys` are theirs, joined in the same order."""

    ids: NDArray[np.int64]
    note_ids: NDArray[np.int64]
    n_tokens: NDArray[np.int64]
    keys: bytes

    def key(self, i: int) -> bytes:
        """The key of the i-th text."""
        return self.keys[i * _KEY_BYTES : (i + 1) * _KEY_BYTES]

    @property
    def starts(self) -> NDArray[np.uint64]:
        """The beginning of each key: uint64[n]."""
        return key_starts(self.keys)


class TextVectors:
    """Texts of the catalogue and their vectors, of one connection. Writers call it inside a transaction.

    What differs from kind to kind of text: the table that holds the texts, the column that is embedded, and the table
    of the vectors.
    """

    _TEXTS: ClassVar[str]
    _EMBEDDED: ClassVar[str]
    _VECTORS: ClassVar[str]

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def pending(self, model_id: int) -> PendingTexts:
        """One list of every text of the vault that this model has not read, longest first.

        Texts that failed twice before are left out until they change or `forget_failures` is called.
        """
        rows = self._db.execute(
            f"SELECT key, max(n_tokens) AS n FROM {self._TEXTS} c WHERE key IS NOT NULL AND "
            f"NOT EXISTS (SELECT 1 FROM {self._VECTORS} v WHERE v.model_id=? AND v.key=c.key) AND "
            "NOT EXISTS (SELECT 1 FROM failures f WHERE f.model_id=? AND f.key=c.key) "
            "GROUP BY key ORDER BY n DESC, key",
            (model_id, model_id),
        ).fetchall()
        return PendingTexts([row[0] for row in rows], np.fromiter((row[1] for row in rows), np.int32, len(rows)))

    def count_pending(self, model_id: int | None) -> int:
        """How many texts have no vector of this model (all of them when there is no model yet)."""
        row = self._db.execute(
            f"SELECT count(*) FROM {self._TEXTS} c WHERE key IS NOT NULL AND NOT EXISTS "
            f"(SELECT 1 FROM {self._VECTORS} v WHERE v.model_id=? AND v.key=c.key)",
            (model_id,),
        ).fetchone()
        return int(row[0])

    def texts(self, keys: Sequence[bytes]) -> dict[bytes, tuple[str, str]]:
        """The text to embed for each key, and the path of a note that holds it; keys no longer used are missing."""
        found: dict[bytes, tuple[str, str]] = {}
        for page in pages(keys):
            for key, text, path in self._db.execute(
                f"SELECT c.key, c.{self._EMBEDDED}, n.path FROM {self._TEXTS} c JOIN notes n ON n.id = c.note_id "
                f"WHERE c.key IN ({marks(page)})",
                page,
            ):
                found[key] = (text, path_from_row(path))
        return found

    def add(self, model_id: int, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors[i] (float32[n, dim], unit length) for keys[i]; a key that is known keeps its vector."""
        halves = vectors.astype(np.float16)
        self._db.executemany(
            f"INSERT OR IGNORE INTO {self._VECTORS}(model_id, key, vector) VALUES (?,?,?)",
            [(model_id, key, half.tobytes()) for key, half in zip(keys, halves, strict=True)],
        )

    def fail(self, model_id: int, key: bytes, failure: Failure) -> None:
        """Set a text aside for this model."""
        self._db.execute(
            "INSERT INTO failures(path, stage, reason, key, model_id) VALUES (?,?,?,?,?)",
            (path_to_row(failure.path), failure.stage, clean_text(failure.reason), key, model_id),
        )

    def keys(self) -> TextKeys:
        """Every text that is embedded, with its key."""
        cursor = self._db.execute(f"SELECT id, note_id, n_tokens, key FROM {self._TEXTS} WHERE key IS NOT NULL")
        numbers, keys = [np.zeros((3, 0), np.int64)], []
        while rows := cursor.fetchmany(_READ_ROWS):
            *columns, page = zip(*rows, strict=True)
            numbers.append(np.array(columns, np.int64))
            keys.append(b"".join(page))
        ids, note_ids, n_tokens = np.concatenate(numbers, axis=1)
        return TextKeys(ids, note_ids, n_tokens, b"".join(keys))

    def pages(self, model: StoredModel) -> Iterator[tuple[NDArray[np.uint64], Halves]]:
        """All vectors of a model, also of texts that no note holds any more, with the starts of their keys."""
        # By an index, rows would be read in the order of their keys, in twice the time.
        cursor = self._db.execute(f"SELECT key, vector FROM {self._VECTORS} NOT INDEXED WHERE model_id=?", (model.id,))
        while rows := cursor.fetchmany(_READ_ROWS):
            keys, blobs = zip(*rows, strict=True)
            yield key_starts(b"".join(keys)), _halves(blobs, model.dim)

    def of_keys(self, model: StoredModel, keys: Sequence[bytes]) -> tuple[NDArray[np.int64], Halves]:
        """The vectors of some texts: float16[n, dim], row i for keys[found[i]]; those without one are left out."""
        blobs: dict[bytes, bytes] = {}
        for page in pages(keys):
            blobs.update(
                self._db.execute(
                    f"SELECT key, vector FROM {self._VECTORS} WHERE model_id=? AND key IN ({marks(page)})",
                    (model.id, *page),
                ).fetchall()
            )
        found = [i for i, key in enumerate(keys) if key in blobs]
        return np.array(found, np.int64), _halves([blobs[keys[i]] for i in found], model.dim)


class NameVectors(TextVectors):
    """Names of notes and their vectors."""

    _TEXTS, _EMBEDDED, _VECTORS = "names", "text", "name_vectors"

    def count(self, model_id: int) -> int:
        """Vectors kept for a model."""
        return int(self._db.execute("SELECT count(*) FROM name_vectors WHERE model_id=?", (model_id,)).fetchone()[0])

    def prune(self, model_id: int, keep: int) -> int:
        """Drop the oldest vectors of names that no note has any more beyond `keep` of them; returns how many went."""
        if self.count(model_id) <= keep:
            return 0
        cursor = self._db.execute(
            "DELETE FROM name_vectors WHERE id IN (SELECT id FROM name_vectors v WHERE model_id=? AND NOT EXISTS "
            "(SELECT 1 FROM names m WHERE m.key=v.key) ORDER BY id DESC LIMIT -1 OFFSET ?)",
            (model_id, keep),
        )
        return cursor.rowcount


class VectorTable(TextVectors):
    """Passages and their vectors, which the vector store has too, and the models."""

    _TEXTS, _EMBEDDED, _VECTORS = "chunks", "embedded_text", "vectors"

    def models(self) -> list[StoredModel]:
        """Every model that was used here."""
        rows = self._db.execute("SELECT id, fingerprint, name, dim, identity, dtype, source FROM models ORDER BY id")
        return [StoredModel(*row) for row in rows]

    def add_model(
        self, fingerprint: str, name: str, dim: int, identity: str, dtype: str, *, source: str = ""
    ) -> StoredModel:
        """The model with this fingerprint, made if it is new; `source` says where it was found, empty for its name."""
        self._db.execute(
            "INSERT INTO models(fingerprint, name, dim, identity, dtype, source) VALUES (?,?,?,?,?,?) "
            "ON CONFLICT(fingerprint) DO UPDATE SET source = excluded.source",
            (fingerprint, name, dim, identity, dtype, source or name),
        )
        row = self._db.execute(
            "SELECT id, fingerprint, name, dim, identity, dtype, source FROM models WHERE fingerprint=?", (fingerprint,)
        ).fetchone()
        return StoredModel(*row)

    def active(self) -> StoredModel | None:
        """The model whose vectors answer searches."""
        row = self._db.execute(
            "SELECT m.id, m.fingerprint, m.name, m.dim, m.identity, m.dtype, m.source FROM models m "
            "JOIN meta ON meta.key='active_model' AND meta.value = m.fingerprint"
        ).fetchone()
        return None if row is None else StoredModel(*row)

    def activate(self, model: StoredModel) -> None:
        """Let this model's vectors answer searches from now on."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('active_model', ?)", (model.fingerprint,))

    def pending_paths(self, model_id: int | None) -> list[str]:
        """Paths of the notes that have a chunk without a vector of this model."""
        rows = self._db.execute(
            "SELECT DISTINCT n.path FROM chunks c JOIN notes n ON n.id=c.note_id WHERE NOT EXISTS "
            "(SELECT 1 FROM vectors v WHERE v.model_id=? AND v.key=c.key)",
            (model_id,),
        )
        return [path_from_row(row[0]) for row in rows]

    def forget_failures(self, model_id: int) -> None:
        """Let texts that were set aside be tried again."""
        self._db.execute("DELETE FROM failures WHERE model_id=? AND key IS NOT NULL", (model_id,))

    def of_notes(self, model: StoredModel, note_ids: Sequence[int]) -> tuple[list[bytes], Vectors]:
        """Keys and vectors (float32[n, dim]) of the texts of some notes."""
        rows = self._db.execute(
            "SELECT DISTINCT v.key, v.vector FROM chunks c JOIN vectors v ON v.key=c.key AND v.model_id=? "
            "WHERE c.note_id IN (SELECT value FROM json_each(?))",
            (model.id, json.dumps(list(note_ids))),
        ).fetchall()
        return [row[0] for row in rows], _matrix([row[1] for row in rows], model.dim)

    def count(self, model_id: int, *, stored: bool = False) -> int:
        """Vectors kept for a model, or those of them that the store has."""
        sql = "SELECT count(*) FROM vectors WHERE model_id=?" + (" AND stored=1" if stored else "")
        return int(self._db.execute(sql, (model_id,)).fetchone()[0])

    def count_live(self, model_id: int) -> int:
        """Texts of the vault that have a vector of this model."""
        row = self._db.execute(
            "SELECT count(*) FROM vectors v WHERE model_id=? AND EXISTS (SELECT 1 FROM chunks c WHERE c.key=v.key)",
            (model_id,),
        ).fetchone()
        return int(row[0])

    def unstored(self, model: StoredModel, batch: int) -> Iterator[tuple[list[bytes], Vectors]]:
        """Live vectors that the store does not have, in batches; the caller marks each batch before the next."""
        while True:
            rows = self._db.execute(
                "SELECT key, vector FROM vectors v WHERE model_id=? AND stored=0 AND "
                "EXISTS (SELECT 1 FROM chunks c WHERE c.key=v.key) LIMIT ?",
                (model.id, batch),
            ).fetchall()
            if not rows:
                return
            yield [row[0] for row in rows], _matrix([row[1] for row in rows], model.dim)

    def count_unstored(self, model_id: int) -> int:
        """Live vectors that the store does not have."""
        row = self._db.execute(
            "SELECT count(*) FROM vectors v WHERE model_id=? AND stored=0 AND "
            "EXISTS (SELECT 1 FROM chunks c WHERE c.key=v.key)",
            (model_id,),
        ).fetchone()
        return int(row[0])

    def dead_in_store(self, model_id: int) -> list[bytes]:
        """Keys that the store has and no note holds any more."""
        rows = self._db.execute(
            "SELECT key FROM vectors v WHERE model_id=? AND stored=1 AND NOT EXISTS "
            "(SELECT 1 FROM chunks c WHERE c.key=v.key)",
            (model_id,),
        )
        return [row[0] for row in rows]

    def mark_stored(self, model_id: int, keys: Sequence[bytes], stored: bool) -> None:
        """Remember that the store has these keys, or has them no longer."""
        self._db.executemany(
            "UPDATE vectors SET stored=? WHERE model_id=? AND key=?", [(int(stored), model_id, key) for key in keys]
        )

    def forget_store(self, model_id: int) -> None:
        """Remember that the store has nothing of this model."""
        self._db.execute("UPDATE vectors SET stored=0 WHERE model_id=? AND stored=1", (model_id,))

    def sample_stored(self, model: StoredModel, count: int) -> tuple[list[bytes], Vectors]:
        """Some vectors that the store should have, spread over the table."""
        ids = [row[0] for row in self._db.execute("SELECT id FROM vectors WHERE model_id=? AND stored=1", (model.id,))]
        picked = ids[:: max(1, len(ids) // count)][:count]
        rows = self._db.execute(
            f"SELECT key, vector FROM vectors WHERE id IN ({marks(picked)}) ORDER BY id", picked
        ).fetchall()
        return [row[0] for row in rows], _matrix([row[1] for row in rows], model.dim)

    def prune(self, model_id: int, keep: int) -> int:
        """Drop the oldest vectors that no note uses beyond `keep` of them; returns how many went."""
        cursor = self._db.execute(
            "DELETE FROM vectors WHERE id IN (SELECT id FROM vectors v WHERE model_id=? AND stored=0 AND NOT EXISTS "
            "(SELECT 1 FROM chunks c WHERE c.key=v.key) ORDER BY id DESC LIMIT -1 OFFSET ?)",
            (model_id, keep),
        )
        return cursor.rowcount


def key_starts(keys: bytes) -> NDArray[np.uint64]:
    """The first eight bytes of each of the joined keys, as a number: enough to tell a million texts apart."""
    return np.ascontiguousarray(np.frombuffer(keys, np.uint64).reshape(-1, _KEY_BYTES // 8)[:, 0])


def _halves(blobs: Sequence[bytes], dim: int) -> Halves:
    return np.frombuffer(b"".join(blobs), np.float16).reshape(len(blobs), dim)


def _matrix(blobs: Sequence[bytes], dim: int) -> Vectors:
    vectors = np.empty((len(blobs), dim), np.float32)
    widen(_halves(blobs, dim), vectors)
    return vectors
