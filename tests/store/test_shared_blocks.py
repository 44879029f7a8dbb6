"""Blocks counted by the notes that hold them, and rows that are left alone when nothing in them changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.records import Chunk, FileStat, Note
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import match_chunks
from obsidian_indexer.store.note_rows import make_rows, pack_keys, unpack_keys
from obsidian_indexer.store.notes import IndexedNote


def note(path: str, *blocks: int, left_out: tuple[int, ...] = (), embedded: str = "heron", **state: str) -> IndexedNote:
    key = embedded.encode().hex().ljust(64, "0")[:64]
    chunk = Chunk(path, 0, (), 1, 1, "heron footer", embedded, 2, key)
    rows = make_rows(Note(path, "ab" * 32, path), [chunk], blocks, left_out)
    return replace(IndexedNote(FileStat(path, 1, 2), 3, "c1", rows), **state)  # type: ignore[arg-type]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path)


def write(catalog: Catalog, *notes: IndexedNote) -> None:
    with catalog.transaction():
        for item in notes:
            catalog.notes.replace(item)


def test_keys_survive_packing() -> None:
    keys = (5, -(2**63), 2**63 - 1, 0)
    assert unpack_keys(pack_keys(keys)) == tuple(sorted(keys))


def test_counts_follow_edits_removals_and_exclusion(catalog: Catalog) -> None:
    write(catalog, note("a.md", 1, 2), note("b.md", 1, 3), note("c.md", 1, -4))
    assert (catalog.blocks.n_notes(), catalog.blocks.held_by(3)) == (3, {1})
    write(catalog, note("b.md", 2, 3))
    assert catalog.blocks.held_by(2) == {1, 2}
    write(catalog, note("c.md", state="ignored"))
    assert (catalog.blocks.n_notes(), catalog.blocks.held_by(2)) == (2, {2})
    with catalog.transaction():
        catalog.notes.rename("a.md", "z.md")
    assert catalog.blocks.held_by(2) == {2}
    with catalog.transaction():
        catalog.notes.remove("z.md")
        catalog.notes.remove("b.md")
    assert catalog.connection.execute("SELECT count(*) FROM block_counts").fetchone() == (0,)
    assert catalog.blocks.n_notes() == 0


def test_notes_cut_otherwise_are_those_whose_own_blocks_differ(catalog: Catalog) -> None:
    write(catalog, note("a.md", 1, 2, left_out=(1,)), note("b.md", 1, 2), note("c.md", 9))
    assert catalog.blocks.cut_otherwise(frozenset({1})) == ["b.md"]
    assert catalog.blocks.cut_otherwise(frozenset()) == ["a.md"]
    assert sorted(catalog.blocks.cut_otherwise(frozenset({2, 7}))) == ["a.md", "b.md"]


def test_a_passage_that_shows_the_same_keeps_its_row_when_the_model_reads_less(catalog: Catalog) -> None:
    write(catalog, note("a.md", 1, embedded="heron footer"))
    before = catalog.connection.execute("SELECT id, text FROM chunks").fetchall()
    write(catalog, note("a.md", 1, left_out=(1,), embedded="heron"))
    assert catalog.connection.execute("SELECT id, text FROM chunks").fetchall() == before
    assert catalog.connection.execute("SELECT embedded_text FROM chunks").fetchall() == [("heron",)]
    assert [hit.id for hit in match_chunks(catalog.connection, ['"footer"'], 10)] == [before[0][0]]
    write(catalog, note("a.md", state="ignored"))
    assert not match_chunks(catalog.connection, ['"heron"'], 10)
