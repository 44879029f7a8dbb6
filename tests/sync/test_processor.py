"""The processor: what a run embeds, keeps, forgets and reports."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import VaultError
from obsidian_indexer.events import CancelToken, Event, FailureEvent, Progress
from tests.kit import ScriptedEngine, assert_same_as_fresh, indexed_content, open_engine, options_for, write_vault

NOTES = {
    "Home.md": "# Home\n\nWelcome to the vault.\n\n## Links\n\nSee [[Heron]].\n",
    "Birds/Heron.md": "# Heron\n\nA grey bird stands in the shallow water and waits.\n",
    "Birds/Otter.md": "# Otter\n\nNot a bird at all, and yet it is filed here.\n",
    "회의록/2026-01-05.md": "---\ntags: [회의]\n---\n# 주간 회의\n\n배포 일정을 다음 주로 미뤘다.\n",
}


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
    with open_engine(vault, tmp_path / "index") as opened:
        yield opened


def test_a_first_run_embeds_every_chunk_and_a_second_none(engine: Engine, scripted: ScriptedEngine) -> None:
    first = engine.index()
    assert (first.seen, first.added) == (4, 4)
    assert first.embedded == first.chunks
    # A daily note's title is no name to read.
    n_texts = scripted.n_texts
    assert n_texts == first.chunks + len({"Home", "Heron", "Otter", "주간 회의"})
    second = engine.index()
    assert (second.unchanged, second.added, second.modified, second.removed) == (4, 0, 0, 0)
    assert (second.embedded, second.reused) == (0, first.chunks)
    assert scripted.n_texts == n_texts


def test_a_full_run_parses_everything_and_embeds_nothing(engine: Engine, scripted: ScriptedEngine) -> None:
    before = engine.index()
    n_texts = scripted.n_texts
    after = engine.index(full=True)
    assert (after.modified, after.embedded, after.chunks) == (0, 0, before.chunks)
    assert scripted.n_texts == n_texts


def test_a_renamed_folder_and_new_dates_embed_nothing(engine: Engine, vault: Path, scripted: ScriptedEngine) -> None:
    engine.index()
    n_texts = scripted.n_texts
    (vault / "Birds").rename(vault / "Fauna")
    for file in vault.rglob("*.md"):
        os.utime(file, ns=(1, 1_700_000_000_000_000_001))
    report = engine.index()
    assert (report.renamed, report.added, report.removed, report.embedded) == (2, 0, 0, 0)
    assert scripted.n_texts == n_texts
    assert {path for path, _ in indexed_content(engine.options.data_dir)} >= {"Fauna/Heron.md", "Fauna/Otter.md"}


def test_one_edited_paragraph_embeds_its_chunk_only(engine: Engine, vault: Path, tmp_path: Path) -> None:
    sections = "\n".join(f"## Section {i}\n\n" + f"Sentence number {i} goes on for a while. " * 12 for i in range(8))
    (vault / "Long.md").write_text("# Long\n\n" + sections, "utf-8")
    engine.index()
    (vault / "Long.md").write_text(("# Long\n\n" + sections).replace("number 5", "number five"), "utf-8")
    report = engine.index()
    assert (report.modified, report.embedded) == (1, 1)
    assert_same_as_fresh(vault, engine.options.data_dir, tmp_path / "fresh")


def test_duplicated_and_reverted_text_is_never_embedded_twice(
    engine: Engine, vault: Path, scripted: ScriptedEngine
) -> None:
    engine.index()
    original = (vault / "Birds/Heron.md").read_text("utf-8")
    (vault / "Copy").mkdir()
    (vault / "Copy/Heron.md").write_text(original, "utf-8")
    assert engine.index().embedded == 0
    (vault / "Birds/Heron.md").write_text("# Heron\n\nSomething else entirely.\n", "utf-8")
    engine.index()
    n_texts = scripted.n_texts
    (vault / "Birds/Heron.md").write_text(original, "utf-8")
    assert engine.index().embedded == 0
    assert scripted.n_texts == n_texts


def test_an_edit_of_equal_length_under_the_same_date_is_noticed(engine: Engine, vault: Path) -> None:
    note = vault / "Birds/Heron.md"
    before = note.stat()
    engine.index()
    note.write_text(note.read_text("utf-8").replace("grey", "gray"), "utf-8")
    # The clock of the file system had not moved on when the note was read.
    os.utime(note, ns=(before.st_atime_ns, before.st_mtime_ns))
    with_old_read = engine._catalog().connection
    with_old_read.execute("UPDATE notes SET read_ns = mtime_ns WHERE path = 'Birds/Heron.md'")
    assert engine.index().modified == 1


def test_a_removed_note_is_gone_from_search(engine: Engine, vault: Path, tmp_path: Path) -> None:
    engine.index()
    assert engine.search("shallow water", mode="keyword").hits[0].path == "Birds/Heron.md"
    (vault / "Birds/Heron.md").unlink()
    report = engine.index()
    assert report.removed == 1
    assert all(hit.path != "Birds/Heron.md" for hit in engine.search("shallow water").hits)
    assert_same_as_fresh(vault, engine.options.data_dir, tmp_path / "fresh")


def test_an_emptied_vault_is_not_forgotten(engine: Engine, vault: Path) -> None:
    chunks = engine.index().chunks
    vault.rename(vault.with_name("elsewhere"))
    vault.mkdir()
    with pytest.raises(VaultError, match="Nothing was removed"):
        engine.index()
    assert engine.status().chunks == chunks
    vault.rmdir()
    vault.with_name("elsewhere").rename(vault)
    assert engine.index().removed == 0


def test_a_failed_note_that_is_deleted_is_no_failure_any_more(engine: Engine, vault: Path) -> None:
    bad = vault / "bad.md"
    bad.write_bytes(bytes(range(256)) * 20)
    assert [failure.path for failure in engine.index().failures] == ["bad.md"]
    assert engine.status().failed == 1
    bad.unlink()
    assert engine.index().failures == ()
    assert (engine.status().failed, engine.status().failures) == (0, ())


def test_status_counts_files_as_it_lists_them(engine: Engine, vault: Path) -> None:
    (vault / "picture.png").write_bytes(b"png")
    (vault / "broken.md").write_text("---\na: [1\n---\nBody.\n", "utf-8")
    report = engine.index(limit=2)
    assert (report.added, report.unchanged) == (2, 0)
    status = engine.status(notes=True)
    states = [entry.state for entry in status.entries]
    counted = (status.pending, status.failed, status.ignored)
    assert counted == (states.count("pending"), states.count("failed"), states.count("ignored")) == (3, 0, 1)
    assert engine.index().ignored == 1
    remarks = {entry.path: entry.reason for entry in engine.status(notes=True).entries}
    assert (remarks["broken.md"] or "").startswith("line 3: ")


def test_limit_reads_so_many_notes_and_the_next_run_the_rest(engine: Engine) -> None:
    assert engine.index(limit=1).added == 1
    assert engine.index(limit=2).added == 2
    assert engine.index().added == 1
    assert engine.index().added == 0


def test_bad_notes_are_listed_and_logged_and_the_others_indexed(
    vault: Path,
    tmp_path: Path,
    scripted: ScriptedEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (vault / "binary.md").write_bytes(bytes(range(256)) * 50)
    (vault / "broken.md").write_text("---\na: [1\nb: }\n---\nThe body of a broken note.\n", "utf-8")
    (vault / "empty.md").write_text("", "utf-8")
    (vault / "locked.md").write_text("secret", "utf-8")
    real_open = os.open

    def refuse(path: object, *args: object, **kwargs: object) -> int:
        if str(path).endswith("locked.md"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    events: list[Event] = []
    with open_engine(vault, tmp_path / "index", on_event=events.append) as engine:
        report = engine.index()
        assert {failure.path for failure in report.failures} == {"binary.md", "locked.md"}
        assert {event.failure.path for event in events if isinstance(event, FailureEvent)} == {"binary.md", "locked.md"}
        assert {record.getMessage().split(" (")[0] for record in caplog.records} == {
            "failed: binary.md",
            "failed: locked.md",
        }
        assert report.added == len(NOTES) + 2
        assert report.warnings >= 1
        assert engine.search("body of a broken note", mode="keyword").hits[0].path == "broken.md"
        states = {entry.path: entry.state for entry in engine.status(notes=True).entries}
        assert states["empty.md"] == "empty"
        assert states["locked.md"] == "failed"
        assert states["Home.md"] == "indexed"
        monkeypatch.undo()
    with open_engine(vault, tmp_path / "index") as engine:
        assert {failure.path for failure in engine.index().failures} == {"binary.md"}


def test_a_text_that_cannot_be_embedded_is_set_aside(engine: Engine, scripted: ScriptedEngine, vault: Path) -> None:
    (vault / "poison.md").write_text("poisonword alone here", "utf-8")
    poison_ids: list[TokenIds] = []

    def fault(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        from zlib import crc32

        bad = [ids for ids in batch if crc32(b"poisonword") in ids]
        if bad:
            poison_ids.extend(bad)
            raise ValueError("no")
        return vectors

    scripted.fault = fault
    report = engine.index()
    assert [(failure.path, failure.stage) for failure in report.failures] == [("poison.md", "embed")]
    assert report.embedded == report.chunks - 1
    assert len(poison_ids) == 2
    again = engine.index()
    assert (again.failures, again.embedded) == ((), 0)
    assert len(poison_ids) == 2
    assert engine.search("poisonword", mode="keyword").hits[0].path == "poison.md"
    scripted.fault = None
    assert engine.index(full=True).embedded == 1


def test_a_stopped_run_resumes_where_it_was(
    vault: Path, tmp_path: Path, scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(40):
        (vault / f"n{i}.md").write_text(f"# Note {i}\n\nUnique words {i} {i * 7}.\n", "utf-8")
    cancel = CancelToken()

    def stop_after_some(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(scripted.batches) == 3:
            cancel.cancel()
        return vectors

    scripted.fault = stop_after_some
    with open_engine(vault, tmp_path / "index", batch_size=4) as engine:
        first = engine.index(cancel=cancel)
        assert first.cancelled
        assert 0 < first.embedded < first.chunks
        second = engine.index()
        assert not second.cancelled
        assert second.embedded == second.chunks - first.embedded
    assert scripted.n_texts == second.chunks + len(NOTES) + 40
    assert_same_as_fresh(vault, tmp_path / "index", tmp_path / "fresh")


def test_progress_tells_the_whole_way(engine: Engine) -> None:
    progress = Progress()
    report = engine.index(progress=progress)
    now = progress.snapshot()
    assert (now.stage, now.notes_seen, now.notes_done, now.notes_total) == ("done", 4, 4, 4)
    assert (now.chunks_done, now.chunks_total) == (report.chunks, report.chunks)
    assert now.tokens_done == now.tokens_total == report.tokens
    assert now.stored == now.store_total == report.chunks


def test_many_notes_are_parsed_in_processes_with_the_same_result(tmp_path: Path) -> None:
    body = "Word after word fills the page of this note. " * 40
    notes = {f"d{i % 7}/n{i}.md": f"# N{i}\n\n{i} {body}\n\n## More\n\n{body} {i}\n" for i in range(900)}
    vault = write_vault(tmp_path / "vault", notes)
    with open_engine(vault, tmp_path / "index") as engine:
        report = engine.index()
    assert report.added == 900
    assert report.embedded == report.chunks > 900


def test_another_model_leaves_the_first_ones_vectors_in_place(vault: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "index"
    with open_engine(vault, data_dir, model="fake") as engine:
        first = engine.index()
    with open_engine(vault, data_dir, model="fake:32") as engine:
        assert engine.search("heron").model == "fake:64"
        assert engine.index().embedded == first.embedded
        assert engine.search("heron").model == "fake:32"
        assert {(model.name, model.active) for model in engine.status().models} == {
            ("fake:64", False),
            ("fake:32", True),
        }
    with open_engine(vault, data_dir, model="fake") as engine:
        assert engine.index().embedded == 0
        assert engine.search("heron").model == "fake:64"


def test_an_index_keeps_its_model_until_another_is_named(vault: Path, tmp_path: Path) -> None:
    with open_engine(vault, tmp_path / "index", model="fake:32") as engine:
        engine.index()
    (vault / "new.md").write_text("one more heron", "utf-8")
    with open_engine(vault, tmp_path / "index", model="default") as engine:
        assert engine.index().embedded == 1
        assert [(model.name, model.active) for model in engine.status().models] == [("fake:32", True)]
        assert engine.search("heron").notice is None
    with open_engine(vault, tmp_path / "index", model="fake") as engine:
        assert "made with fake:32" in (engine.search("heron").notice or "")


def test_a_half_built_model_does_not_answer(vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_engine(vault, tmp_path / "index", model="fake") as engine:
        engine.index()
    cancel = CancelToken()
    half = ScriptedEngine(32)

    def stop(batch: Sequence[TokenIds], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        cancel.cancel()
        return vectors

    half.fault = stop
    monkeypatch.setattr("obsidian_indexer.embed.fake.FakeEngine", lambda dim: half)
    with open_engine(vault, tmp_path / "index", model="fake:32", batch_size=1) as engine:
        assert engine.index(cancel=cancel).cancelled
        assert engine.status().models[0].active
    monkeypatch.undo()
    with open_engine(vault, tmp_path / "index", model="fake:32") as engine:
        result = engine.search("heron", mode="semantic")
        assert result.model == "fake:64"
        assert result.hits


def test_the_vault_is_never_written(vault: Path, tmp_path: Path) -> None:
    def listing() -> list[tuple[str, int, bytes]]:
        return sorted(
            (str(file), file.stat().st_mtime_ns, file.read_bytes() if stat.S_ISREG(file.stat().st_mode) else b"")
            for file in [vault, *vault.rglob("*")]
        )

    before = listing()
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        engine.search("heron")
        engine.similar("Home.md")
        engine.status(notes=True)
        engine.note_text("Home.md")
    assert listing() == before


def test_a_lost_store_is_filled_again_without_embedding(vault: Path, tmp_path: Path, scripted: ScriptedEngine) -> None:
    import shutil

    with open_engine(vault, tmp_path / "index") as engine:
        chunks = engine.index().chunks
    n_texts = scripted.n_texts
    shutil.rmtree(tmp_path / "index/chroma")
    (vault / "new.md").write_text("one more", "utf-8")
    with open_engine(vault, tmp_path / "index") as engine:
        assert engine.index().embedded == 1
        assert engine.status().store_vectors == chunks + 1
    assert scripted.n_texts == n_texts + 2, "the new note's passage and title"


def test_options_name_what_makes_the_chunks(vault: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from obsidian_indexer.options import ChunkOptions

    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
    options = options_for(vault, tmp_path / "index")
    with Engine.open(replace(options, chunking=ChunkOptions(breadcrumb=False))) as engine:
        report = engine.index()
    assert report.modified == 0
    assert report.embedded > 0
