"""Korean morphemes beside pairs of syllables: what they find, and that an index holds them as its settings say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import ConfigError
from obsidian_indexer.events import CancelToken, Event, NoticeEvent
from obsidian_indexer.options import SearchOptions
from obsidian_indexer.store import morphemes
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.morphemes import MARK, marked_morphemes
from tests.kit import options_for, write_vault

NOTES = {
    "강.md": "# 강가\n\n어제는 강가를 오래 걸었다.\n\nThe river was quiet.\n",
    "산.md": "# 산길\n\n내일은 산길을 오른다. [[강|강가 산책]]\n",
    "Heron.md": "# Heron\n\nA grey bird stands and waits.\n",
}
TAKEN_APART = {
    "걸었다": [("걷", "VV-I"), ("었", "EP"), ("다", "EF")],
    "걷는": [("걷", "VV-I"), ("는", "ETM")],
    "강가를": [("강가", "NNG"), ("를", "JKO")],
}


def fake_analyser(text: str) -> Sequence[tuple[str, str]]:
    """Knows some words; every other one is a noun."""
    return [found for word in text.split() for found in TAKEN_APART.get(word.strip(".#"), [(word, "NNG")])]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str | None], None]]:
    """An analyser of this version is installed, or none; of version 1 to begin with."""
    monkeypatch.setattr(morphemes, "load_analyser", lambda: fake_analyser)
    real_version = metadata.version

    def install(version: str | None) -> None:
        def version_of(package: str) -> str:
            if not package.startswith("kiwipiepy"):
                return real_version(package)
            if version is None:
                raise metadata.PackageNotFoundError(package)
            return version

        monkeypatch.setattr(metadata, "version", version_of)

    install("1")
    morphemes.take_apart.cache_clear()
    yield install
    morphemes.take_apart.cache_clear()


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return write_vault(tmp_path / "vault", NOTES)


def opened(vault: Path, data_dir: Path, *, on: bool, events: list[Event] | None = None) -> Engine:
    options = replace(options_for(vault, data_dir), search=SearchOptions(korean_morphemes=on))
    return Engine.open(options, on_event=(events if events is not None else []).append)


def found(engine: Engine, query: str) -> list[str]:
    return [hit.path for hit in engine.search(query, mode="keyword").hits]


def held(data_dir: Path) -> dict[str, list[tuple[str, int, int]]]:
    """Every term of each full-text table, with the rows that hold it and how often they do; each table is sound."""
    tables = ("chunk_terms", "note_terms", "note_words", "anchor_terms")
    with Catalog.open(data_dir) as catalog:
        db, terms = catalog.connection, {}
        for table in tables:
            db.execute(f"INSERT INTO {table}({table}) VALUES ('integrity-check')")
            db.execute(f"CREATE VIRTUAL TABLE temp.{table}_seen USING fts5vocab(main, {table}, row)")
            terms[table] = db.execute(f"SELECT term, doc, cnt FROM temp.{table}_seen ORDER BY term").fetchall()
    return terms


def marked(data_dir: Path) -> set[str]:
    """The morphemes that the passages' table holds."""
    return {term for term, _, _ in held(data_dir)["chunk_terms"] if term.startswith(MARK)}


@pytest.mark.usefixtures("installed")
def test_an_inflected_verb_is_found_by_another_form(vault: Path, tmp_path: Path) -> None:
    with opened(vault, tmp_path / "pairs", on=False) as engine:
        engine.index()
        assert found(engine, "걷는") == []
    with opened(vault, tmp_path / "index", on=True) as engine:
        engine.index()
        assert found(engine, "걷는") == ["강.md"]
        assert found(engine, "heron bird") == ["Heron.md"]


@pytest.mark.usefixtures("installed")
def test_an_explanation_shows_each_morpheme_once_and_without_its_mark(vault: Path, tmp_path: Path) -> None:
    with opened(vault, tmp_path / "index", on=True) as engine:
        engine.index()
        (hit,) = engine.search("강가를 걷는", mode="keyword", explain=True, k=1).hits
    assert hit.explanation is not None
    assert [term.term for term in hit.explanation.terms] == ["걷", "강가"], "the rarer one weighs more"


def test_the_full_text_follows_the_setting_and_the_analyser(
    vault: Path, tmp_path: Path, installed: Callable[[str | None], None]
) -> None:
    data_dir, events = tmp_path / "index", list[Event]()
    for on, version in [(False, "1"), (True, "1"), (True, "2"), (False, None), (True, "2")]:
        installed(version)
        with opened(vault, data_dir, on=on, events=events) as engine:
            report = engine.index()
            assert (report.unchanged, report.embedded) in ((3, 0), (0, report.chunks))
        with opened(vault, tmp_path / f"fresh {on} {version}", on=on) as fresh:
            fresh.index()
            assert held(data_dir) == held(fresh.options.data_dir)
        assert bool(marked(data_dir)) is on
    assert sum(isinstance(event, NoticeEvent) for event in events) == 4


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("on", [True, False])
def test_notes_change_and_go_after_the_setting_has_changed(vault: Path, tmp_path: Path, on: bool) -> None:
    data_dir = tmp_path / "index"
    with opened(vault, data_dir, on=not on) as engine:
        engine.index()
    (vault / "강.md").rename(vault / "강가를.md")
    (vault / "산.md").unlink()
    (vault / "Heron.md").write_text("# Heron\n\n강가를 걷는 새.\n", "utf-8")
    with opened(vault, data_dir, on=on) as engine:
        assert engine.index().removed == 1
        with opened(vault, tmp_path / "fresh", on=on) as fresh:
            fresh.index()
        assert held(data_dir) == held(tmp_path / "fresh")
        for file in vault.glob("*.md"):
            file.unlink()
        engine.index(full=True)
    assert not any(held(data_dir).values())


def test_a_cancelled_change_leaves_the_full_text_as_it_was(
    vault: Path, tmp_path: Path, installed: Callable[[str | None], None]
) -> None:
    data_dir, cancel = tmp_path / "index", CancelToken()
    with opened(vault, data_dir, on=False) as engine:
        engine.index()
    before = held(data_dir)
    with opened(vault, data_dir, on=True) as engine:
        cancel.cancel()
        assert engine.index(cancel=cancel).cancelled
        assert held(data_dir) == before
        engine.index()
    assert marked(data_dir)


def test_without_the_package_an_index_says_which_extra_it_needs(
    vault: Path, tmp_path: Path, installed: Callable[[str | None], None]
) -> None:
    installed(None)
    with opened(vault, tmp_path / "index", on=True) as engine, pytest.raises(ConfigError, match="extra 'korean'"):
        engine.index()


def test_without_the_package_a_search_goes_on_by_pairs_and_says_so(
    vault: Path, tmp_path: Path, installed: Callable[[str | None], None]
) -> None:
    with opened(vault, tmp_path / "index", on=True) as engine:
        engine.index()
        installed(None)
        for mode in ("keyword", "hybrid"):
            result = engine.search("강가", mode=mode)
            assert result.hits[0].path == "강.md"
            assert "extra 'korean'" in (result.notice or "")
        assert engine.search("heron", mode="keyword").notice is None
        assert "korean" not in (engine.search("강가", mode="semantic").notice or "")


def test_another_way_of_splitting_is_met_without_the_package(
    vault: Path, tmp_path: Path, installed: Callable[[str | None], None]
) -> None:
    data_dir = tmp_path / "index"
    with opened(vault, data_dir, on=True) as engine:
        engine.index()
    with sqlite3.connect(data_dir / "catalog.sqlite3") as db:
        db.execute("UPDATE meta SET value = 'older+kiwipiepy 1' WHERE key = 'terms_version'")
    db.close()
    installed(None)
    with opened(vault, data_dir, on=True) as engine:
        assert found(engine, "강가")[0] == "강.md"
        assert engine.search("강가", mode="keyword").notice is None
    assert not marked(data_dir)


def test_a_warm_engine_has_loaded_the_analyser_only_where_the_index_needs_it(
    vault: Path, tmp_path: Path, installed: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for on in (True, False):
        with opened(vault, tmp_path / str(on), on=on) as engine:
            engine.index()
    for on in (True, False):
        morphemes.take_apart.cache_clear()
        loads: list[str] = []
        monkeypatch.setattr(morphemes, "load_analyser", lambda loads=loads: loads.append("") or fake_analyser)
        with opened(vault, tmp_path / str(on), on=on) as engine:
            engine.warm()
        assert bool(loads) is on


def test_kiwipiepy_takes_inflected_words_apart() -> None:
    pytest.importorskip("kiwipiepy")
    assert marked_morphemes("강가를 걸었다.\nAPI") == ("·강가", "·걷")
    assert marked_morphemes("나란히 걷는 사람")[1] == "·걷"
