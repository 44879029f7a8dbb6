"""The catalogue: one file that survives damage, newer versions and names that are not text."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from obsidian_indexer.errors import CatalogError, DataDirError
from obsidian_indexer.records import Chunk, FileStat, Note
from obsidian_indexer.store import schema
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import match_chunks
from obsidian_indexer.store.note_rows import make_rows
from obsidian_indexer.store.notes import IndexedNote
from obsidian_indexer.store.schema import CATALOG_NAME
from obsidian_indexer.store.vectors import VectorTable


def chunk(text: str, seq: int = 0, path: str = "a.md") -> Chunk:
    import hashlib

    key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Chunk(path, seq, ("H",), seq + 1, seq + 1, text, text, len(text.split()), key)


def note(*texts: str, path: str = "a.md", title: str = "A", state: str = "indexed") -> IndexedNote:
    chunks = tuple(chunk(text, seq, path) for seq, text in enumerate(texts))
    return IndexedNote(FileStat(path, 1, 2), 3, "c1", make_rows(Note(path, "ab" * 32, title), chunks), state)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path)


def test_the_folder_and_the_file_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    before = os.umask(0o022)
    try:
        Catalog.open(folder).set_meta("k", "v")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_unchanged_chunks_keep_their_id_when_a_note_is_edited(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.notes.replace(note("one heron", "two otters", "three moles"))
    before = dict(catalog.connection.execute("SELECT text, id FROM chunks"))
    with catalog.transaction():
        catalog.notes.replace(note("new first", "one heron", "three moles"))
    after = dict(catalog.connection.execute("SELECT text, id FROM chunks ORDER BY seq"))
    assert list(after) == ["new first", "one heron", "three moles"]
    assert after["one heron"] == before["one heron"]
    assert after["three moles"] == before["three moles"]


def test_full_text_follows_every_edit_and_leaves_nothing_behind(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.notes.replace(note("heron by the lake", "otter"))
        catalog.notes.replace(note("heron in the reeds"))
    assert len(match_chunks(catalog.connection, ['"heron"'], 10)) == 1
    assert not match_chunks(catalog.connection, ['"lake"'], 10)
    assert not match_chunks(catalog.connection, ['"otter"'], 10)
    with catalog.transaction():
        catalog.notes.rename("a.md", "b.md")
        catalog.notes.remove("b.md")
    assert not match_chunks(catalog.connection, ['"heron"'], 10)
    assert catalog.connection.execute("SELECT count(*) FROM chunks").fetchone() == (0,)


@pytest.mark.parametrize("again", [False, True], ids=["new", "edited"])
def test_the_words_of_a_transaction_are_written_once_not_note_by_note(catalog: Catalog, again: bool) -> None:
    def segments() -> int:
        row = catalog.connection.execute("SELECT max(segid) FROM note_terms_idx").fetchone()
        return int(row[0] or 0)

    if again:
        with catalog.transaction():
            catalog.notes.replace(note("heron", path="0.md"))
    before = segments()
    with catalog.transaction():
        for number in range(3):
            catalog.notes.replace(note(f"otter {number}", path=f"{number}.md"))
    assert segments() == before + 1


def test_a_name_that_is_not_text_is_kept_as_it_is(catalog: Catalog) -> None:
    odd = "caf\udce9.md"
    with catalog.transaction():
        catalog.notes.replace(note("words", path=odd))
    assert list(catalog.notes.stored()) == [odd]
    assert list(catalog.notes.stored([odd])) == [odd]


def test_text_with_a_lone_surrogate_does_not_stop_the_write(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.notes.replace(note("half \ud83d of an emoji"))
    assert catalog.connection.execute("SELECT text FROM chunks").fetchone() == ("half \ufffd of an emoji",)


def test_a_failed_transaction_changes_nothing(catalog: Catalog) -> None:
    def write_and_fail() -> None:
        with catalog.transaction():
            catalog.notes.replace(note("heron"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert catalog.notes.counts() == (0, 0)


def test_vectors_outlive_the_note_and_serve_it_again(catalog: Catalog) -> None:
    with catalog.transaction():
        model = catalog.vectors.add_model("f" * 64, "m", 4, "{}", "float32")
        catalog.notes.replace(note("heron", "otter"))
    pending = catalog.vectors.pending(model.id)
    with catalog.transaction():
        catalog.vectors.add(model.id, pending.keys, np.eye(2, 4, dtype=np.float32))
        catalog.notes.remove("a.md")
        catalog.notes.replace(note("otter", path="elsewhere.md"))
    assert not catalog.vectors.pending(model.id).keys
    keys, vectors = catalog.vectors.of_notes(model, [catalog.notes.stored()["elsewhere.md"].id])
    assert len(keys) == 1
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors[0]) == pytest.approx(1.0)


def test_pending_is_one_list_longest_first_without_repeats(catalog: Catalog) -> None:
    with catalog.transaction():
        model = catalog.vectors.add_model("f" * 64, "m", 4, "{}", "float32")
        catalog.notes.replace(note("a b c", "a", "a b", path="a.md"))
        catalog.notes.replace(note("a b", path="b.md"))
    assert catalog.vectors.pending(model.id).n_tokens.tolist() == [3, 2, 1]


def test_pruning_keeps_the_newest_unused_vectors(catalog: Catalog) -> None:
    with catalog.transaction():
        model = catalog.vectors.add_model("f" * 64, "m", 4, "{}", "float32")
        catalog.notes.replace(note("a", "b", "c"))
        catalog.vectors.add(model.id, catalog.vectors.pending(model.id).keys, np.eye(3, 4, dtype=np.float32))
        catalog.notes.replace(note("a"))
        gone = catalog.vectors.prune(model.id, keep=1)
    assert gone == 1
    assert catalog.vectors.count(model.id) == 2
    assert catalog.vectors.count_live(model.id) == 1


def test_a_newer_catalogue_is_refused_and_left_alone(tmp_path: Path) -> None:
    Catalog.open(tmp_path).close()
    with sqlite3.connect(tmp_path / CATALOG_NAME) as db:
        db.execute("PRAGMA user_version=9999")
    with pytest.raises(CatalogError, match="newer version"):
        Catalog.open(tmp_path)


def test_a_damaged_catalogue_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / CATALOG_NAME).write_bytes(b"this is no database, however long it may be" * 100)
    with pytest.raises(CatalogError, match="damaged"):
        Catalog.open(tmp_path)


def test_an_index_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataDirError, match="--data-dir"):
        Catalog.open(tmp_path / "file")


def test_an_index_folder_serves_one_vault(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Catalog.open(tmp_path / "index") as catalog:
        catalog.bind_vault(tmp_path / "one")
        with pytest.raises(DataDirError, match="belongs to the vault"):
            catalog.bind_vault(tmp_path / "two")
        (tmp_path / "one").rename(tmp_path / "moved")
        catalog.bind_vault(tmp_path / "moved")
        assert catalog.meta("vault") == str(tmp_path / "moved")


def test_a_change_in_how_text_is_split_rebuilds_the_full_text(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.transaction():
        catalog.notes.replace(note("heron"))
        catalog.connection.execute("INSERT INTO chunk_terms(chunk_terms) VALUES ('delete-all')")
        catalog.set_meta("terms_version", "older")
    with Catalog.open(tmp_path) as again:
        assert len(match_chunks(again.connection, ['"heron"'], 10)) == 1


def test_an_older_layout_is_brought_up_to_date_and_keeps_its_vectors(tmp_path: Path, monkeypatch: Any) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        with closing(schema.connect(tmp_path)) as old:
            vectors = VectorTable(old)
            model = vectors.add_model("f", "m", 2, "{}", "float32")
            vectors.add(model.id, [b"k" * 32], np.ones((1, 2), np.float32))
            old.execute(
                "INSERT INTO notes(path, mtime_ns, size, sha256, read_ns, chunker, title, kind, state) "
                "VALUES ('a.md', 1, 1, 'x', 1, 'c', 'a', 'markdown', 'indexed')"
            )
    with Catalog.open(tmp_path) as catalog:
        assert catalog.vectors.count(1) == 1
        assert catalog.notes.stored()["a.md"].chunker == "", "the note is to be parsed again"
        with catalog.transaction():
            catalog.notes.replace(note("heron"))
        assert catalog.connection.execute("SELECT folded_path FROM notes").fetchall() == [("a.md",)]
