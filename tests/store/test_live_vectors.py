"""Vectors in memory: after any change they are those that the catalogue holds, and an earlier view stays as it was."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from obsidian_indexer.records import Chunk, FileStat, Note
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.halves import Codes
from obsidian_indexer.store.live import LiveVectors, ResidentVectors
from obsidian_indexer.store.note_rows import make_rows
from obsidian_indexer.store.notes import IndexedNote
from obsidian_indexer.store.vectors import StoredModel

DIM = 8


def vector_of(text: str, dim: int = DIM) -> NDArray[np.float32]:
    """A unit vector that float16 holds exactly enough, made from the text alone."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    vector = np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
    unit: NDArray[np.float32] = (vector / np.linalg.norm(vector)).astype(np.float16).astype(np.float32)
    return unit


def write(catalog: Catalog, path: str, texts: list[str]) -> None:
    """A note of these passages, the tokens of each as many as its letters."""
    chunks = tuple(
        Chunk(path, i, (), i + 1, i + 1, text, text, len(text), hashlib.sha256(text.encode()).hexdigest())
        for i, text in enumerate(texts)
    )
    with catalog.transaction():
        catalog.notes.replace(IndexedNote(FileStat(path, 1, 1), 1, "c", make_rows(Note(path, "00" * 32, path), chunks)))


def embed(catalog: Catalog, model: StoredModel) -> None:
    """Give every chunk its vector."""
    keys = catalog.vectors.pending(model.id).keys
    texts = [text for text, _ in (catalog.vectors.texts(keys)[key] for key in keys)]
    if keys:
        with catalog.transaction():
            catalog.vectors.add(model.id, keys, np.array([vector_of(text, model.dim) for text in texts]))


def seen(live: LiveVectors) -> dict[int, tuple[int, list[float]]]:
    """Note and vector of each chunk that can be found."""
    gone = set(live.gone.tolist())
    return {
        int(live.chunk_ids[i]): (int(live.note_ids[i]), live.vectors[i].tolist())
        for i in range(len(live.chunk_ids))
        if i not in gone
    }


def expected(catalog: Catalog, model: StoredModel) -> dict[int, tuple[int, list[float]]]:
    rows = catalog.connection.execute(
        "SELECT c.id, c.note_id, c.embedded_text FROM chunks c JOIN vectors v ON v.key = c.key AND v.model_id = ?",
        (model.id,),
    )
    return {chunk_id: (note_id, vector_of(text).tolist()) for chunk_id, note_id, text in rows}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path)


@pytest.fixture
def model(catalog: Catalog) -> StoredModel:
    with catalog.transaction():
        return catalog.vectors.add_model("f" * 64, "m", DIM, "{}", "float32")


TEXTS = st.lists(st.sampled_from("abcdefghijklmnop"), max_size=6)


@given(steps=st.lists(st.tuples(st.sampled_from(["a.md", "b.md", "c.md"]), TEXTS, st.booleans()), max_size=8))
@settings(max_examples=60, deadline=None)
def test_after_every_change_they_are_those_of_the_catalogue(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[str], bool]]
) -> None:
    with Catalog.open(tmp_path_factory.mktemp("index")) as catalog:
        with catalog.transaction():
            model = catalog.vectors.add_model("f" * 64, "m", DIM, "{}", "float32")
        resident = ResidentVectors()
        views = []
        for path, texts, embedded in steps:
            write(catalog, path, texts)
            if embedded:
                embed(catalog, model)
            live = resident.now(catalog, model)
            assert seen(live) == expected(catalog, model)
            views.append((live, seen(live)))
        assert all(seen(live) == before for live, before in views)


def test_one_edit_among_many_is_followed_without_moving_the_others(catalog: Catalog, model: StoredModel) -> None:
    for number in range(40):
        write(catalog, f"{number}.md", [f"{number} {i}" for i in range(5)])
    embed(catalog, model)
    resident = ResidentVectors()
    first = resident.now(catalog, model)
    write(catalog, "7.md", ["new", "7 1"])
    embed(catalog, model)
    second = resident.now(catalog, model)
    assert seen(second) == expected(catalog, model)
    assert np.shares_memory(first.vectors, second.vectors)
    assert resident.now(catalog, model) is second


def test_another_model_brings_its_own_vectors(catalog: Catalog, model: StoredModel) -> None:
    write(catalog, "a.md", ["one", "two"])
    embed(catalog, model)
    with catalog.transaction():
        other = catalog.vectors.add_model("e" * 64, "other", DIM, "{}", "float32")
    resident = ResidentVectors()
    assert len(seen(resident.now(catalog, model))) == 2
    assert seen(resident.now(catalog, other)) == {}


def brute_force(live: LiveVectors, query: NDArray[np.float32], rows: list[int], limit: int) -> list[int]:
    order = sorted(rows, key=lambda i: -float(live.vectors[i] @ query))
    return [int(live.chunk_ids[i]) for i in order[:limit]]


@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_the_nearest_are_those_of_a_plain_comparison_within_any_scope(
    catalog: Catalog, model: StoredModel, share: float
) -> None:
    for number in range(50):
        write(catalog, f"{number}.md", [f"{number} {i}" for i in range(6)])
    embed(catalog, model)
    resident = ResidentVectors()
    resident.now(catalog, model)
    write(catalog, "0.md", [])
    live = resident.now(catalog, model)
    notes = sorted(set(live.note_ids.tolist()))[: max(2, int(50 * share))]
    query = vector_of("a query")
    rows = [i for i in range(len(live.chunk_ids)) if int(live.note_ids[i]) in notes and i not in live.gone]
    found = live.nearest(query, 5, note_ids=notes)
    assert set(found) == set(brute_force(live, query, rows, 5))
    by_id = {int(live.chunk_ids[i]): float(live.vectors[i] @ query) for i in rows}
    assert found == pytest.approx({chunk_id: by_id[chunk_id] for chunk_id in found}, abs=1e-6)
    chunks = [int(live.chunk_ids[i]) for i in rows[::3]]
    assert set(live.nearest(query, 400, chunk_ids=chunks)) == set(chunks)
    assert live.nearest(query, 5, note_ids=[]) == {}


def test_a_whole_note_is_the_mean_of_its_passages_by_their_length(catalog: Catalog, model: StoredModel) -> None:
    write(catalog, "long.md", ["a", "bbb"])
    write(catalog, "short.md", ["cc"])
    write(catalog, "other.md", ["dddd"])
    embed(catalog, model)
    live = ResidentVectors().now(catalog, model)
    ids = dict(catalog.connection.execute("SELECT text, id FROM chunks"))
    notes = dict(catalog.connection.execute("SELECT path, id FROM notes"))
    query = vector_of("query")
    found = live.whole_notes(query, live.notes_of([ids["bbb"], ids["cc"]]).values())
    cosines = {text: float(vector_of(text) @ query) for text in ids}
    assert found == pytest.approx(
        {notes["long.md"]: (cosines["a"] + 3 * cosines["bbb"]) / 4, notes["short.md"]: cosines["cc"]}, abs=1e-3
    )


def test_a_passage_that_is_gone_counts_for_no_whole_note(catalog: Catalog, model: StoredModel) -> None:
    resident = ResidentVectors()
    for name in "abcdefghijkl":
        write(catalog, f"{name}.md", [name * 3])
    write(catalog, "note.md", ["first", "second"])
    embed(catalog, model)
    resident.now(catalog, model)
    write(catalog, "note.md", ["first"])
    live = resident.now(catalog, model)
    (left,) = catalog.connection.execute("SELECT id FROM chunks WHERE text='first'").fetchone()
    query = vector_of("query")
    assert list(live.whole_notes(query, live.notes_of([left]).values()).values()) == pytest.approx(
        [float(vector_of("first") @ query)], abs=1e-3
    )


@pytest.mark.parametrize("coded", [5000, 6000])
def test_codes_find_the_same_as_comparing_all(coded: int) -> None:
    rng = np.random.default_rng(1)
    about = np.repeat(rng.standard_normal((120, 384)), 50, axis=0)
    vectors = (about + 0.8 * rng.standard_normal(about.shape)).astype(np.float32)
    halves = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    rows = np.arange(len(halves))
    plain = LiveVectors(halves, rows + 7, rows // 3, np.ones_like(rows), rows[5::100])
    sifting = replace(plain, codes=Codes.of(halves[:coded]))
    for topic in rows[::500]:
        query = halves[topic].astype(np.float32)
        every = plain.nearest(query, 12)
        assert sifting.nearest(query, 12) == pytest.approx(every, abs=1e-6)
        assert not set(every) & set((plain.gone + 7).tolist())
        half = plain.note_ids[::2].tolist()
        assert sifting.nearest(query, 12, half) == pytest.approx(plain.nearest(query, 12, half), abs=1e-6)


def test_codes_spare_most_comparisons() -> None:
    halves = np.random.default_rng(1).standard_normal((6000, 384)).astype(np.float16)
    rows = np.arange(len(halves))
    backwards = Codes.of(-halves)
    sifting = LiveVectors(halves, rows, rows, rows, rows[:0], backwards)
    # Codes that say the opposite of the vectors hide even the vector itself.
    assert 3 not in sifting.nearest(halves[3].astype(np.float32), 10)


def test_what_comes_after_the_codes_is_found(catalog: Catalog) -> None:
    with catalog.transaction():
        wide = catalog.vectors.add_model("e" * 64, "wide", 256, "{}", "float32")
    resident = ResidentVectors()
    write(catalog, "a.md", [f"text {number}" for number in range(200)])
    embed(catalog, wide)
    resident.prepare(catalog, wide)
    write(catalog, "b.md", ["second"])
    embed(catalog, wide)
    live = resident.now(catalog, wide)
    assert live.codes is not None
    assert (len(live.codes), len(live)) == (200, 201)
    for text in ("second", "text 150"):
        (chunk_id,) = catalog.connection.execute("SELECT id FROM chunks WHERE text=?", (text,)).fetchone()
        assert list(live.nearest(vector_of(text, 256), 1)) == [chunk_id]
