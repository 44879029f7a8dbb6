from __future__ import annotations

import io
import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from obsidian_indexer import errors
from obsidian_indexer.cli.output import write_json
from obsidian_indexer.events import NoticeEvent, Stage
from obsidian_indexer.records import IndexReport


@pytest.mark.parametrize("place", ["before", "after"])
def test_common_options_stand_before_or_after_the_command(program: Any, vault: Path, place: str) -> None:
    options = ["--vault", str(vault), "--data-dir", str(vault.parent / "d"), "--model", "fake:4", "--json", "--quiet"]
    outcome = program.bare(*options, "status") if place == "before" else program.bare("status", *options)
    assert outcome.code == 0
    assert outcome.out.startswith("{")
    assert program.engine.options.vault_path == vault.resolve()
    assert program.engine.options.data_dir == (vault.parent / "d").resolve()
    assert program.engine.options.embedding.model == "fake:4"


def test_the_option_after_the_command_wins(program: Any, vault: Path) -> None:
    program.bare("--model", "fake:4", "status", "--vault", str(vault), "--model", "fake:5")
    assert program.engine.options.embedding.model == "fake:5"


def test_index_hands_its_options_on(program: Any) -> None:
    program("index", "--full", "--limit", "3", "--batch-size", "7", "--allow-download")
    assert program.asked() == [("index", {"full": True, "limit": 3, "batch_size": 7}), ("close", {})]
    assert program.engine.options.embedding.allow_download is True


@pytest.mark.parametrize("command", ["index", "watch"])
def test_the_cpu_cap_and_the_priority_reach_the_settings(
    program: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lowered: list[int] = []
    monkeypatch.setattr("obsidian_indexer.cli.indexing.lower_process", lowered.append)
    program(command, "--cpu-fraction", "0.5", "--nice", "10")
    embedding = program.engine.options.embedding
    assert (embedding.cpu_fraction, embedding.nice) == (0.5, 10)
    assert lowered == [10], "the whole process makes way: there is no screen to keep quick"
    shown = json.loads(program("config", "show", "--json").out)["embedding"]
    assert (shown["cpu_fraction"]["value"], shown["nice"]["value"], shown["pause_on_battery"]["value"]) == (1, 0, False)


def test_search_hands_its_options_on(program: Any) -> None:
    program("search", "a [b] query", "-k", "4", "--mode", "keyword", "--group", "chunk")
    assert program.asked()[0] == (
        "search",
        {
            "query": "a [b] query",
            "k": 4,
            "mode": "keyword",
            "group": "chunk",
            "explain": False,
            "sort": None,
            "rerank": None,
        },
    )


@pytest.mark.parametrize(
    "args",
    [
        ("search",),
        ("search", ""),
        ("search", " \n"),
        ("search", "x", "--queries", "nowhere.jsonl"),
        ("search", "x", "--mode", "fuzzy"),
        ("search", "x", "-k", "0"),
        ("index", "--limit", "0"),
        ("index", "--batch-size", "many"),
        ("index", "--cpu-fraction", "0.05"),
        ("watch", "--cpu-fraction", "2"),
        ("index", "--nice", "20"),
        ("uri", "a", "--line", "1", "--heading", "H"),
        ("nonsense",),
        ("index", "--nonsense"),
        (),
    ],
)
def test_a_usage_error_ends_with_2(program: Any, args: tuple[str, ...]) -> None:
    outcome = program(*args)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err


def test_a_vault_that_cannot_be_used_ends_with_2(program: Any, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("x")
    for path, message in (("gone", "does not exist"), ("note.md", "is a file")):
        outcome = program.bare("index", "--vault", path, "--json")
        assert (outcome.code, outcome.out) == (2, "")
        assert message in outcome.err
    outcome = program.bare("search", "x")
    assert outcome.code == 2
    assert "--vault" in outcome.err


@pytest.mark.parametrize(
    "error",
    [
        errors.ModelError("Model 'nope' is not on this machine."),
        errors.LockedError("Another process is writing this index."),
        errors.DataDirError("The index folder cannot be written."),
        errors.CatalogError("The catalogue is damaged."),
        errors.NoteError("No such note."),
    ],
)
def test_an_error_of_the_engine_is_said_and_ends_with_2(program: Any, error: Exception) -> None:
    def prepare(engine: Any) -> None:
        engine.error = error

    program.prepare = prepare
    for args in (("index",), ("search", "x"), ("watch",), ("similar", "x"), ("status",)):
        outcome = program(*args, "--quiet")
        assert (outcome.code, outcome.out) == (2, "")
        assert str(error) in outcome.err
        assert program.asked()[-1] == ("close", {})


def test_a_query_error_points_at_the_character(program: Any) -> None:
    def prepare(engine: Any) -> None:
        engine.error = errors.QueryError("Unclosed quote", 3)

    program.prepare = prepare
    assert program("search", '일본 "d').err == 'Error: Unclosed quote\n  일본 "d\n       ^\n'


def test_an_unexpected_error_is_not_swallowed(program: Any) -> None:
    def prepare(engine: Any) -> None:
        engine.error = ZeroDivisionError("bug")

    program.prepare = prepare
    with pytest.raises(ZeroDivisionError):
        program("index")


def test_a_bad_line_of_queries_is_named(program: Any, tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"_id": "1", "text": "fine"}\n{"_id": "2"}\n', "utf-8")
    outcome = program("search", "--queries", str(file))
    assert outcome.code == 2
    assert "q.jsonl, line 2" in outcome.err


def test_a_notice_goes_to_stderr_and_quiet_silences_it(program: Any) -> None:
    def prepare(engine: Any) -> None:
        engine.notice = "The model knows no Korean."

    program.prepare = prepare
    outcome = program("search", "x")
    assert "knows no Korean" in outcome.err
    assert "knows no Korean" not in outcome.out
    assert program("search", "x", "--quiet").err == ""


def test_index_shows_notices_after_the_run(program: Any) -> None:
    def prepare(engine: Any) -> None:
        engine.on_index = lambda progress, cancel: engine.on_event(NoticeEvent("Store rebuilt."))

    program.prepare = prepare
    assert "Store rebuilt." in program("index").err


def test_index_writes_a_line_for_every_thousand_chunks(program: Any) -> None:
    def run(progress: Any, cancel: Any) -> None:
        progress.enter(Stage.EMBED)
        progress.chunks_total, progress.failures = 2500, 2
        progress.chunks_done = 2500

    def prepare(engine: Any) -> None:
        engine.on_index = run
        engine.report = IndexReport(seen=1, chunks=2500, embedded=2500, chunks_per_second=10.0)

    program.prepare = prepare
    outcome = program("index")
    lines = [line for line in outcome.err.splitlines() if "chunks done" in line]
    assert [line.split(" chunks/s")[0].rsplit(" ", 1)[0] for line in lines] == [
        "1000 of 2500 chunks done, 2 failed,",
        "2000 of 2500 chunks done, 2 failed,",
    ]
    assert "2,500 embedded" in outcome.out
    assert program("index", "--quiet") == (0, "", "")


def test_a_cancelled_run_ends_with_130(program: Any) -> None:
    def prepare(engine: Any) -> None:
        engine.report = IndexReport(cancelled=True)

    program.prepare = prepare
    assert program("index").code == 130


def test_the_menu_needs_a_terminal_and_gets_the_options(
    program: Any, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert program.bare().code == 2
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert program.bare("--vault", str(vault), "--model", "fake").code == 7
    assert program.tui_overrides == {"vault.path": vault, "embedding.model": "fake"}


def test_note_text_reaches_no_terminal_as_control_or_markup(program: Any) -> None:
    from dataclasses import replace

    def prepare(engine: Any) -> None:
        (found,) = engine.hits
        engine.hits = (
            replace(
                found, title="[red]T[/red] [/]", snippet="a\x1b[2Jb\x1b]52;c;eA==\x07c\u202ed\x9b1me", path="x\n[/].md"
            ),
        )

    program.prepare = prepare
    out = program("search", "x").out
    assert "[red]T[/red] [/]" in out
    assert r"'x\n[/].md'" in out
    assert "abcde" in out
    out = program("search", "x", "--json").out
    assert not set(out) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_json_prints_in_any_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    import json

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    write_json({"path": "노트\udcff.md", "similarity": float("nan")})
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode(encoding)) == {"path": "노트\udcff.md", "similarity": None}


def test_every_command_explains_itself(program: Any) -> None:
    listed = program.bare("--help").out.partition("Commands:")[2].split("\n")
    names = [line.split()[0] for line in listed if line.strip()]
    assert names == ["config", "evaluate", "index", "parse", "search", "similar", "status", "tune", "uri", "watch"]
    for name in names:
        outcome = program.bare(name, "--help")
        assert outcome.code == 0
        assert "--vault" in outcome.out


def test_a_file_gets_whole_lines(program: Any) -> None:
    from dataclasses import replace

    def prepare(engine: Any) -> None:
        engine.hits = (replace(engine.hits[0], snippet="word " * 60 + "end"),)

    program.prepare = prepare
    lines = program("search", "x").out.splitlines()
    assert any(line.endswith("word end") and len(line) > 300 for line in lines)
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(("on_disk", "typed"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_note_is_found_however_its_letters_are_composed(program: Any, on_disk: Any, typed: Any) -> None:
    path = unicodedata.normalize(on_disk, "요리/된장찌개.md")
    (program.vault / path).parent.mkdir()
    (program.vault / path).touch()
    for name in ("요리/된장찌개.md", "요리/된장찌개"):
        assert program("similar", unicodedata.normalize(typed, name)).code == 0
        assert ("similar", {"note": path, "k": None, "hide_linked": False}) in program.engine.asked
