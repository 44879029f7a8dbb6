"""Which rows BM25 finds best where many match, and that leaving frequent words aside changes no score."""

from __future__ import annotations

import hashlib

import pytest

from obsidian_indexer.records import Chunk, FileStat, Note
from obsidian_indexer.store import fulltext
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.fulltext import TermHit, match_chunks, match_notes
from obsidian_indexer.store.note_rows import make_rows
from obsidian_indexer.store.notes import IndexedNote

# Every chunk says `often`, every second `usual`, every tenth `seldom`, every fiftieth `rare`.
PHRASES = ['"often"', '"usual"', '"seldom"', '"rare"']


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog.open(tmp_path_factory.mktemp("index"))
    with catalog.transaction():
        for number in range(100):
            catalog.notes.replace(note(number))
    return catalog


def note(number: int) -> IndexedNote:
    path = f"{number}.md"
    chunks = []
    for seq in range(5):
        at = number * 5 + seq
        words = ["often"] * (1 + at % 3) + ["usual"] * (at % 2 == 0) + ["seldom"] * (at % 10 == 0)
        text = " ".join([*words, *["rare"] * (at % 50 == 0), *(f"filler{at}{i}" for i in range(at % 7))])
        chunks.append(Chunk(path, seq, (), 1, 1, text, text, 9, hashlib.sha256(f"{at}{text}".encode()).hexdigest()))
    rows = make_rows(Note(path, f"{number:064d}", path), tuple(chunks))
    return IndexedNote(FileStat(path, 1, 1), 1, "c", rows)


def everything(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, **scope: list[int]) -> list[TermHit]:
    with monkeypatch.context() as patch:
        patch.setattr(fulltext, "_SCORED_ROWS", 10**9)
        return match_chunks(catalog.connection, PHRASES, 1000, **scope)


def test_scores_are_the_same_when_frequent_words_are_left_aside(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {hit.id: hit.score for hit in everything(catalog, monkeypatch)}
    monkeypatch.setattr(fulltext, "_SCORED_ROWS", 60)
    best = match_chunks(catalog.connection, PHRASES, 40)
    assert len(best) == 40
    assert {hit.id: hit.score for hit in best} == pytest.approx({hit.id: whole[hit.id] for hit in best})
    assert [hit.score for hit in best] == sorted((hit.score for hit in best), reverse=True)
    texts = catalog.connection.execute("SELECT id, text FROM chunks").fetchall()
    telling = [chunk_id for chunk_id, text in texts if "seldom" in text or "rare" in text]
    assert {hit.id for hit in best} <= set(telling)
    assert {hit.id for hit in match_chunks(catalog.connection, PHRASES, 10)} == {
        chunk_id for chunk_id, text in texts if "rare" in text
    }


def test_where_rare_words_find_too_few_frequent_ones_still_count(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fulltext, "_SCORED_ROWS", 60)
    assert len(match_chunks(catalog.connection, PHRASES, 300)) == 300
    assert len(match_chunks(catalog.connection, ['"often"'], 300)) == 300


@pytest.mark.parametrize("scored", [20, 10**9])
def test_a_scope_lets_in_its_rows_and_no_others(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, scored: int) -> None:
    monkeypatch.setattr(fulltext, "_SCORED_ROWS", scored)
    rows = catalog.connection.execute("SELECT id, note_id FROM chunks").fetchall()
    notes = [note_id for _, note_id in rows[::35]]
    of_notes = {chunk_id for chunk_id, note_id in rows if note_id in notes}
    assert {hit.id for hit in match_chunks(catalog.connection, PHRASES, 1000, notes)} == of_notes
    chunks = [chunk_id for chunk_id, _ in rows[::9]]
    assert {hit.id for hit in match_chunks(catalog.connection, PHRASES, 1000, None, chunks)} == set(chunks)
    assert {hit.id for hit in match_notes(catalog.connection, PHRASES, 1000, notes)} == set(notes)
    assert match_chunks(catalog.connection, PHRASES, 10, []) == []
