"""Text that many notes share: found by keyword, never deciding what is similar, and the same however the index grew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.engine import Engine
from obsidian_indexer.events import CancelToken, Progress
from obsidian_indexer.sync.boilerplate import shared_by
from obsidian_indexer.sync.prepare import Preparer
from tests.kit import ScriptedEngine, assert_same_as_fresh, open_engine, options_for, write_vault

FOOTER = "Written with the quokka template, see the handbook for its rules."
BIRDS = ["heron", "otter", "mole", "badger", "lynx", "stork", "newt", "toad", "wren", "finch", "swift", "crane", "owl"]


def daily(number: int, *, footer: str = FOOTER) -> str:
    animal = BIRDS[number % len(BIRDS)]
    return f"# Day {number}\n\nSaw a {animal} near pond {number}.\n\n## Log\n\n## Footer\n\n{footer}\n"


def days(count: int, *, start: int = 0) -> dict[str, str]:
    return {f"days/{number}.md": daily(number) for number in range(start, start + count)}


def embedded(engine: Engine) -> dict[str, str]:
    """Everything the model reads of each note."""
    rows = engine._catalog().connection.execute(
        "SELECT n.path, group_concat(c.embedded_text, char(10)) FROM chunks c JOIN notes n ON n.id = c.note_id "
        "GROUP BY n.path"
    )
    return dict(rows)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the files that were read and cut, in order."""
    paths: list[str] = []
    rows = Preparer._rows

    def listed(self: Preparer, note: object, boilerplate: frozenset[int]) -> object:
        paths.append(note.path)  # type: ignore[attr-defined]
        return rows(self, note, boilerplate)  # type: ignore[arg-type]

    monkeypatch.setattr(Preparer, "_rows", listed)
    return paths


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return write_vault(tmp_path / "vault", days(12) | {"own.md": "# Own\n\nNothing shared here.\n"})


@pytest.fixture
def engine(vault: Path, tmp_path: Path) -> Iterator[Engine]:
    with open_engine(vault, tmp_path / "index") as opened:
        yield opened


@pytest.mark.parametrize(
    ("least", "n_notes", "expected"), [(10, 0, 10), (10, 100, 10), (10, 101, 11), (10, 10_000, 100), (1, 1, 2)]
)
def test_the_line_is_the_setting_and_the_square_root_of_all(least: int, n_notes: int, expected: int) -> None:
    assert shared_by(least, n_notes) == expected


def test_notes_that_are_cut_again_are_counted_once(engine: Engine, prepared: list[str]) -> None:
    progress = Progress()
    engine.index(progress=progress)
    assert len(prepared) > 13
    assert (progress.notes_done, progress.notes_total) == (13, 13)


def test_shared_text_is_found_by_keyword_and_not_embedded(engine: Engine) -> None:
    engine.index()
    read = embedded(engine)
    assert not any("quokka" in text or "Log" in text or "Footer" in text for text in read.values())
    assert all(f"pond {number}" in read[f"days/{number}.md"] for number in range(12))
    assert len(engine.search("quokka handbook", mode="keyword", k=20).hits) == 12


def test_what_is_similar_is_decided_by_a_notes_own_words(vault: Path, engine: Engine) -> None:
    (vault / "heron.md").write_text("# Field\n\nSaw a heron near pond 99, the heron waits.\n", "utf-8")
    with engine:
        engine.index()
        assert engine.similar("days/0.md").hits[0].path == "heron.md"
    options = options_for(vault, engine.options.data_dir, boilerplate_notes=0)
    with Engine.open(options) as without:
        without.index()
        assert without.similar("days/0.md").hits[0].path != "heron.md"


def test_a_note_of_template_alone_is_found_by_its_name(vault: Path, engine: Engine) -> None:
    (vault / "Walrus.md").write_text(f"## Log\n\n## Footer\n\n{FOOTER}\n", "utf-8")
    engine.index()
    assert embedded(engine)["Walrus.md"] == "Walrus"
    assert engine.search("walrus", mode="semantic").hits[0].path == "Walrus.md"


def test_the_note_that_crosses_the_line_has_the_others_cut_again(
    vault: Path, engine: Engine, tmp_path: Path, prepared: list[str]
) -> None:
    for number in range(9, 12):
        (vault / f"days/{number}.md").unlink()
    engine.index()
    assert all("quokka" in text for path, text in embedded(engine).items() if path != "own.md")
    prepared.clear()
    (vault / "days/9.md").write_text(daily(9), "utf-8")
    report = engine.index()
    assert (report.added, report.modified, report.embedded) == (1, 0, 10)
    assert sorted(set(prepared)) == sorted(days(10))
    assert not any("quokka" in text for text in embedded(engine).values())
    assert_same_as_fresh(vault, engine.options.data_dir, tmp_path / "fresh")


def test_falling_below_the_line_brings_the_text_back_without_embedding(
    vault: Path, engine: Engine, tmp_path: Path
) -> None:
    for number in range(9, 12):
        (vault / f"days/{number}.md").unlink()
    engine.index()
    (vault / "days/9.md").write_text(daily(9), "utf-8")
    engine.index()
    (vault / "days/9.md").unlink()
    report = engine.index()
    assert (report.removed, report.modified, report.embedded) == (1, 0, 0)
    assert all("quokka" in embedded(engine)[path] for path in days(9))
    assert_same_as_fresh(vault, engine.options.data_dir, tmp_path / "fresh")


def test_an_edit_that_crosses_nothing_cuts_one_note(vault: Path, engine: Engine, prepared: list[str]) -> None:
    engine.index()
    prepared.clear()
    (vault / "days/3.md").write_text(daily(3) + "\nAnd a kingfisher.\n", "utf-8")
    engine.index()
    assert prepared == ["days/3.md"]


def test_a_run_without_changes_cuts_nothing(engine: Engine, prepared: list[str]) -> None:
    engine.index()
    prepared.clear()
    engine.index()
    assert prepared == []


def test_the_setting_switches_it_off_and_on(vault: Path, tmp_path: Path, engine: Engine) -> None:
    engine.index()
    data_dir = engine.options.data_dir
    engine.close()
    with open_engine(vault, data_dir, boilerplate_notes=0) as off:
        off.index()
        assert all("quokka" in embedded(off)[path] for path in days(12))
        assert_same_as_fresh(vault, data_dir, tmp_path / "off", boilerplate_notes=0)
    with open_engine(vault, data_dir) as on:
        assert on.index().embedded == 0
        assert not any("quokka" in text for text in embedded(on).values())
    with open_engine(vault, data_dir, boilerplate_notes=13) as stricter:
        stricter.index()
        assert all("quokka" in embedded(stricter)[path] for path in days(12))


def test_an_ignored_note_does_not_count(vault: Path, engine: Engine, tmp_path: Path) -> None:
    from dataclasses import replace

    for number in range(10, 12):
        (vault / f"days/{number}.md").unlink()
    engine.index()
    assert "quokka" not in embedded(engine)["days/0.md"]
    (vault / "days/9.md").write_text("---\ntags: [secret]\n---\n" + daily(9), "utf-8")
    engine.close()
    options = engine.options
    with Engine.open(replace(options, vault=replace(options.vault, exclude_tags=("secret",)))) as again:
        again.index()
        assert "quokka" in embedded(again)["days/0.md"]


def test_a_run_stopped_while_cutting_again_is_made_good_by_the_next(
    vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from obsidian_indexer.sync.boilerplate import Boilerplate

    cancel = CancelToken()
    misfits = Boilerplate.misfits

    def stop(self: Boilerplate) -> list[str]:
        cancel.cancel()
        return misfits(self)

    with open_engine(vault, tmp_path / "index") as engine:
        monkeypatch.setattr(Boilerplate, "misfits", stop)
        assert engine.index(cancel=cancel).cancelled
        monkeypatch.undo()
        (vault / "days/11.md").write_text(daily(11, footer="Another end."), "utf-8")
        (vault / "days/10.md").write_text(daily(10, footer="Another end."), "utf-8")
        engine.index()
        assert_same_as_fresh(vault, tmp_path / "index", tmp_path / "fresh")


def test_a_file_that_changes_while_it_is_cut_again_converges(
    vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from obsidian_indexer.sync.boilerplate import Boilerplate

    misfits = Boilerplate.misfits
    asked = 0

    def edit(self: Boilerplate) -> list[str]:
        nonlocal asked
        asked += 1
        if asked == 1:
            for number in range(3):
                (vault / f"days/{number}.md").write_text(daily(number, footer="Gone."), "utf-8")
        return misfits(self)

    monkeypatch.setattr(Boilerplate, "misfits", edit)
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        assert asked > 1
        assert "quokka" in embedded(engine)["days/5.md"]
    assert_same_as_fresh(vault, tmp_path / "index", tmp_path / "fresh")


def test_a_large_vault_is_cut_in_processes_with_the_same_result(tmp_path: Path) -> None:
    body = "word after word fills this page " * 60
    notes = {f"d{i % 9}/n{i}.md": f"# N{i}\n\n{i} {body} {i}\n\n## End\n\n{FOOTER}\n" for i in range(1500)}
    notes |= {f"few/{i}.md": f"# F{i}\n\nOnly thirty notes say exactly this.\n\n{i}\n" for i in range(30)}
    vault = write_vault(tmp_path / "vault", notes)
    with open_engine(vault, tmp_path / "index") as engine:
        report = engine.index()
        assert (report.added, report.modified, len(report.failures)) == (1530, 0, 0)
        read = embedded(engine)
        assert not any("quokka" in text for text in read.values())
        assert all("thirty" in read[f"few/{i}.md"] for i in range(30))
        assert engine.index().embedded == 0


def test_only_the_final_text_is_embedded(vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = ScriptedEngine()
    monkeypatch.setattr("obsidian_indexer.embed.fake.FakeEngine", lambda dim: scripted)
    seen: list[int] = []

    def note(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(len(batch))
        return vectors

    scripted.fault = note
    with open_engine(vault, tmp_path / "index") as engine:
        report = engine.index()
        catalog = engine._catalog()
        n_names = catalog.name_vectors.count(catalog.vectors.models()[0].id)
    assert report.chunks == 13
    assert sum(seen) == report.chunks + n_names
