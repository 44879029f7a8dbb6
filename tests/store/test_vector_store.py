"""Chroma, the real one: filled from the catalogue, checked, and made anew without embedding anything."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.options import StoreOptions
from obsidian_indexer.records import Chunk, FileStat, Note
from obsidian_indexer.store.ann import AnnIndex
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.chroma import key_prefix
from obsidian_indexer.store.note_rows import make_rows
from obsidian_indexer.store.notes import IndexedNote
from obsidian_indexer.store.process import StoreProcess
from obsidian_indexer.store.vectors import StoredModel

DIM = 16


def put_texts(catalog: Catalog, path: str, texts: list[str]) -> StoredModel:
    chunks = tuple(
        Chunk(path, i, (), 1, 1, text, text, 1, hashlib.sha256(text.encode()).hexdigest())
        for i, text in enumerate(texts)
    )
    with catalog.transaction():
        model = catalog.vectors.add_model("f" * 64, "m", DIM, "{}", "float32")
        catalog.notes.replace(IndexedNote(FileStat(path, 1, 1), 1, "c", make_rows(Note(path, "00" * 32, path), chunks)))
        keys = catalog.vectors.pending(model.id).keys
        rng = np.random.default_rng(len(texts))
        vectors = rng.standard_normal((len(keys), DIM)).astype(np.float32)
        catalog.vectors.add(model.id, keys, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return model


def vectors_of(catalog: Catalog, model: StoredModel) -> tuple[list[bytes], NDArray[np.float32]]:
    return catalog.vectors.of_notes(model, [note.id for note in catalog.notes.stored().values()])


def fill(ann: AnnIndex, catalog: Catalog) -> int:
    rows: list[int] = []
    ann.fill(catalog, rows.append, lambda: None)
    return sum(rows)


def nearest(store: StoreProcess, vector: NDArray[np.float32], k: int) -> list[tuple[bytes, float]]:
    return [(key_prefix(row_id), similarity) for row_id, similarity in store.query(vector, k) or ()]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path) as catalog:
        yield catalog


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    process = StoreProcess(tmp_path / "chroma.lock")
    yield process
    process.close()


def test_every_vector_is_its_own_nearest_neighbour(catalog: Catalog, store: StoreProcess, tmp_path: Path) -> None:
    model = put_texts(catalog, "a.md", [f"text {i}" for i in range(300)])
    ann = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions(write_batch=64))
    assert fill(ann, catalog) == 300
    keys, vectors = vectors_of(catalog, model)
    for key, vector in zip(keys[::30], vectors[::30], strict=True):
        (prefix, similarity), *_ = nearest(store, vector, 3)
        assert key.startswith(prefix)
        assert similarity == pytest.approx(1.0, abs=1e-3)
    store.close()


def test_a_second_fill_writes_nothing_and_dead_rows_go(catalog: Catalog, store: StoreProcess, tmp_path: Path) -> None:
    model = put_texts(catalog, "a.md", ["one", "two", "three"])
    ann = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    assert fill(ann, catalog) == 3
    assert fill(ann, catalog) == 0
    put_texts(catalog, "a.md", ["one"])
    fill(ann, catalog)
    assert catalog.vectors.count(model.id, stored=True) == 1
    keys, vectors = vectors_of(catalog, model)
    assert [prefix == keys[0][:16] for prefix, _ in nearest(store, vectors[0], 5)] == [True]
    store.close()


@pytest.mark.store_process
@pytest.mark.parametrize("damage", ["remove", "truncate", "zero"])
def test_a_damaged_store_is_made_anew_from_the_catalogue(
    catalog: Catalog, store: StoreProcess, tmp_path: Path, damage: str
) -> None:
    model = put_texts(catalog, "a.md", [f"text {i}" for i in range(1200)])
    ann = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    fill(ann, catalog)
    store.close()
    folder = next((tmp_path / "chroma").iterdir())
    files = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size > 1000]
    if damage == "remove":
        shutil.rmtree(folder)
    else:
        for file in files:
            size = file.stat().st_size
            file.write_bytes(file.read_bytes()[: size // 3] if damage == "truncate" else bytes(size))
    again = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    fill(again, catalog)
    assert catalog.vectors.count(model.id, stored=True) == 1200
    keys, vectors = vectors_of(catalog, model)
    assert all(keys[i].startswith(nearest(store, vectors[i], 1)[0][0]) for i in range(0, 1200, 100))


def test_another_version_of_the_library_rebuilds_the_store(
    catalog: Catalog, store: StoreProcess, tmp_path: Path
) -> None:
    model = put_texts(catalog, "a.md", ["one", "two"])
    ann = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    fill(ann, catalog)
    store.close()
    with catalog.transaction():
        catalog.set_meta("store_version", "0.0.1")
    again = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    assert fill(again, catalog) == 2


def test_the_store_does_not_grow_with_churn(catalog: Catalog, store: StoreProcess, tmp_path: Path) -> None:
    def size() -> int:
        return sum(file.stat().st_size for file in (tmp_path / "chroma").rglob("*") if file.is_file())

    sizes = []
    for round_number in range(4):
        model = put_texts(catalog, "a.md", [f"round {round_number} text {i}" for i in range(1500)])
        ann = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
        fill(ann, catalog)
        store.close()
        sizes.append(size())
    assert sizes[-1] <= 2 * sizes[0]


def test_more_rows_than_sqlite_takes_variables(catalog: Catalog, store: StoreProcess, tmp_path: Path) -> None:
    model = put_texts(catalog, "a.md", [f"t{i}" for i in range(33_000)])
    ann = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions(write_batch=5000))
    assert fill(ann, catalog) == 33_000
    put_texts(catalog, "a.md", ["t1"])
    fill(ann, catalog)
    assert catalog.vectors.count(model.id, stored=True) == 1
    store.close()


def test_many_rows_alike_do_not_make_a_whole_store_anew_at_every_start(
    catalog: Catalog, store: StoreProcess, tmp_path: Path
) -> None:
    model = put_texts(catalog, "a.md", [f"text {i}" for i in range(64)])
    with catalog.transaction():
        vector = np.zeros(DIM, np.float16)
        vector[0] = 1.0
        catalog.connection.execute("UPDATE vectors SET vector=?", (vector.tobytes(),))
    ann = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    assert fill(ann, catalog) == 64
    store.close()
    again = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    assert fill(again, catalog) == 0


def test_a_store_that_answers_with_other_rows_is_made_anew(
    catalog: Catalog, store: StoreProcess, tmp_path: Path
) -> None:
    model = put_texts(catalog, "a.md", [f"text {i}" for i in range(64)])
    ann = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    fill(ann, catalog)
    store.close()
    with catalog.transaction():
        # The vectors of the catalogue move from text to text; the store's stay where they were.
        rows = catalog.connection.execute("SELECT id, vector FROM vectors ORDER BY id").fetchall()
        moved = [(vector, row_id) for (row_id, _), (_, vector) in zip(rows, rows[1:] + rows[:1], strict=True)]
        catalog.connection.executemany("UPDATE vectors SET vector=? WHERE id=?", moved)
    again = AnnIndex.open(store, tmp_path, catalog, model, StoreOptions())
    assert fill(again, catalog) == 64
