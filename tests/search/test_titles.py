"""Titles, aliases and opening headings find a note by what they mean, as made in the run that makes its passages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.records import Evidence, Hit
from obsidian_indexer.store.catalog import Catalog
from tests.kit import ScriptedEngine, forget_names, open_engine, options_for, write_vault

BODY = "Unrelated words fill this body. " * 20
NOTES = {
    "Grinder burrs.md": f"---\naliases: [coffee mill teeth]\n---\n# How steel wears\n\n{BODY}\n",
    "2026-01-05.md": f"{BODY} one\n",
    "Untitled 3.md": f"{BODY} two\n",
    "무제.md": f"{BODY} three\n",
    "2025년 3월 2일 일요일.md": f"{BODY} four\n",
    "p71.md": f"{BODY} six\n",
    "20260105T0930.md": f"{BODY} seven\n",
    "Kept.md": f"---\ntags: [private]\n---\n{BODY}\n",
    "Deep/Grinder burrs.md": f"{BODY} five\n",
}
EMBEDDED = {"Grinder burrs", "coffee mill teeth", "How steel wears"}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return write_vault(tmp_path / "vault", NOTES)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    engine = ScriptedEngine()
    monkeypatch.setattr("obsidian_indexer.embed.fake.FakeEngine", lambda dim: engine)
    return engine


@pytest.fixture
def engine(vault: Path, tmp_path: Path, scripted: ScriptedEngine) -> Iterator[Engine]:
    options = options_for(vault, tmp_path / "index")
    options = replace(options, vault=replace(options.vault, exclude_tags=("private",)))
    with Engine.open(options) as opened:
        yield opened


def titles_of(hit: Hit) -> Evidence | None:
    assert hit.explanation is not None
    return next((evidence for evidence in hit.explanation.legs if evidence.leg == "titles"), None)


def embedded_names(catalog: Catalog) -> set[str]:
    rows = catalog.connection.execute("SELECT m.text FROM names m JOIN name_vectors v ON v.key = m.key")
    return {row[0] for row in rows}


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("mill coffee teeth", 'alias "coffee mill teeth", cosine 1.000'),
        ("wears how steel", 'first heading "How steel wears", cosine 1.000'),
    ],
)
def test_a_name_in_other_order_finds_the_note_and_says_so(engine: Engine, mode: str, query: str, detail: str) -> None:
    engine.index()
    hit = engine.search(query, mode=mode, explain=True).hits[0]
    assert hit.path == "Grinder burrs.md"
    evidence = titles_of(hit)
    assert evidence is not None
    assert (evidence.rank, evidence.score, evidence.weight, evidence.detail) == (1, 1.0, 0.1, detail)
    total = sum(found.weight * found.score for found in hit.explanation.legs) if hit.explanation else 0.0
    assert total == pytest.approx(hit.score, abs=1e-3)


def test_titles_are_no_part_of_a_search_by_words(engine: Engine) -> None:
    engine.index()
    assert all(titles_of(hit) is None for hit in engine.search("mill coffee", mode="keyword", explain=True).hits)


def test_a_condition_leaves_the_note_out(engine: Engine) -> None:
    engine.index()
    hits = engine.search("path:deep teeth of a coffee mill", explain=True).hits
    assert [hit.path for hit in hits] == ["Deep/Grinder burrs.md"]


def test_dates_codes_and_what_stands_for_a_title_are_not_embedded(engine: Engine) -> None:
    engine.index()
    assert embedded_names(engine._catalog()) == EMBEDDED


def test_names_are_read_once_and_count_as_no_chunks(engine: Engine, scripted: ScriptedEngine) -> None:
    report = engine.index()
    assert report.embedded == report.chunks
    assert scripted.n_texts == report.chunks + len(EMBEDDED)
    assert engine.status().models[0].vectors == engine.status().store_vectors == report.chunks
    assert engine.index().embedded == 0
    assert engine.index(full=True).embedded == 0
    assert scripted.n_texts == report.chunks + len(EMBEDDED)


def test_a_moved_note_embeds_no_name_and_a_new_name_alone_is_read(
    engine: Engine, vault: Path, scripted: ScriptedEngine
) -> None:
    engine.index()
    read = scripted.n_texts
    (vault / "Deep").rename(vault / "Deeper")
    assert engine.index().renamed == 1
    assert scripted.n_texts == read
    note = vault / "Grinder burrs.md"
    note.write_text(note.read_text("utf-8").replace("mill teeth", "mill blades"), "utf-8")
    report = engine.index()
    assert scripted.n_texts == read + report.embedded + 1
    assert embedded_names(engine._catalog()) == EMBEDDED - {"coffee mill teeth"} | {"coffee mill blades"}
    assert engine.search("blades of a coffee mill", mode="semantic", explain=True).hits[0].path == "Grinder burrs.md"


def test_dead_names_are_pruned(engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("obsidian_indexer.sync.processor._KEEP_UNUSED", 0)
    engine.index()
    (vault / "Grinder burrs.md").unlink()
    engine.index()
    catalog = engine._catalog()
    assert catalog.name_vectors.count(catalog.vectors.models()[0].id) == len({"Grinder burrs"})


def test_an_index_made_before_gets_its_names_in_the_next_run(
    vault: Path, tmp_path: Path, scripted: ScriptedEngine
) -> None:
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
    forget_names(tmp_path / "index")
    with open_engine(vault, tmp_path / "index") as engine:
        assert engine.search("mill coffee teeth", mode="semantic").hits
        read = scripted.n_texts
        assert engine.index().embedded == 0
        assert embedded_names(engine._catalog()) >= EMBEDDED
        assert scripted.n_texts == read + len(embedded_names(engine._catalog()))


def test_each_model_has_names_of_its_own(vault: Path, tmp_path: Path) -> None:
    for model in ("fake", "fake:32", "fake"):
        with open_engine(vault, tmp_path / "index", model=model) as engine:
            engine.index()
            hit = engine.search("mill coffee teeth", mode="semantic", explain=True).hits[0]
            assert hit.path == "Grinder burrs.md"
            assert titles_of(hit) is not None
            assert "cosine 1.000" in str(titles_of(hit))
    with Catalog.open(tmp_path / "index") as catalog:
        first, second = (catalog.name_vectors.count(model.id) for model in catalog.vectors.models())
        assert first == second > 0


def test_a_name_that_cannot_be_embedded_is_listed_and_set_aside(engine: Engine, scripted: ScriptedEngine) -> None:
    def refuse(batch: object, vectors: object) -> object:
        from zlib import crc32

        # The name alone, between the two tokens around every text.
        if any(len(ids) == 5 and crc32(b"teeth") in ids for ids in batch):  # type: ignore[attr-defined]
            raise ValueError("no")
        return vectors

    scripted.fault = refuse  # type: ignore[assignment]
    report = engine.index()
    assert [(failure.path, failure.stage) for failure in report.failures] == [("Grinder burrs.md", "embed")]
    assert report.embedded == report.chunks
    tried = len(scripted.batches)
    assert engine.index().failures == ()
    assert len(scripted.batches) == tried
    assert [failure.path for failure in engine.status().failures] == ["Grinder burrs.md"]
