"""What a person at a terminal reads: hints, counts, paths that can be pasted back, and where each line goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from obsidian_indexer.cli.text import index_summary, path_text
from obsidian_indexer.errors import ModelError, NoteError
from obsidian_indexer.records import Evidence, Explanation, Failure, IndexReport, MatchedTerm, NoteEntry

MISSING = ModelError("The model 'nope/none' is not on this machine.")


def without_model(engine: Any) -> None:
    engine.model_error = MISSING


def test_config_show_names_both_files(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user = program.vault.parent / "mine.toml"
    user.write_text("")
    monkeypatch.setenv("OBSIDIAN_INDEXER_CONFIG", str(user))
    lines = program("config", "show").out.splitlines()
    assert lines[0] == f"user's file:  {user} (exists)"
    assert lines[1] == f"vault's file: {program.vault.parent / 'data' / 'settings.toml'} (not there yet)"
    user.unlink()
    no_vault = program.bare("config", "show").out.splitlines()
    assert no_vault[:2] == [f"user's file:  {user} (not there yet)", "vault's file: (no vault)"]


@pytest.mark.parametrize("command", ["config show", "status", "parse Notes/Links.md", "search x"])
def test_no_line_of_a_file_ends_with_blanks(program: Any, parsed_note: Any, command: str) -> None:
    program.parsed = {"Notes/Links.md": parsed_note}
    lines = program(*command.split()).out.split("\n")
    assert [line for line in lines if line != line.rstrip()] == []
    assert len(lines) > 2


@pytest.mark.parametrize("command", [("search", "x"), ("search", "x", "--mode", "keyword"), ("similar", "Notes/Links")])
def test_a_model_named_on_the_command_line_must_be_there(program: Any, command: tuple[str, ...]) -> None:
    program.prepare = without_model
    outcome = program(*command, "--model", "nope/none")
    assert (outcome.code, outcome.out) == (2, "")
    assert str(MISSING) in outcome.err


def test_a_model_from_the_settings_may_be_missing(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSIDIAN_INDEXER_EMBEDDING__MODEL", "nope/none")
    program.prepare = without_model
    outcome = program("search", "x")
    assert outcome.code == 0
    assert "Notes/Links.md" in outcome.out


@pytest.mark.parametrize(("query", "mode", "loads"), [("x", "hybrid", 1), ("x", "keyword", 0), ("tag:x", "hybrid", 0)])
def test_the_model_is_loaded_before_the_query_is_timed(program: Any, query: str, mode: str, loads: int) -> None:
    program("search", query, "--mode", mode)
    assert [name for name, _ in program.asked()] == ["warm"] * loads + ["search", "close"]


def test_the_count_of_results_is_a_note_on_stderr(program: Any) -> None:
    outcome = program("search", "x")
    assert outcome.err == "1 result · hybrid · search 2 ms\n"
    assert "result" not in outcome.out
    quiet = program("search", "x", "--quiet")
    assert (quiet.out, quiet.err) == (outcome.out, "")


@pytest.mark.parametrize("command", ["uri", "parse"])
@pytest.mark.parametrize("name", ["Nope.md", "Notes/Nope", "/", ""])
def test_a_note_that_is_not_there_is_said_once(program: Any, command: str, name: str) -> None:
    outcome = program(command, name)
    assert outcome.code == (2 if command == "uri" else 1)
    assert outcome.err.partition(": ")[2] == f"There is no note {path_text(name)} in the vault.\n"


def test_parse_names_the_note_where_the_message_does_not(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(options: Any, path: str) -> Any:
        raise NoteError("The file is not text.")

    monkeypatch.setattr(program, "_parse", refuse)
    assert program("parse", "Notes/Links").err == "failed: Notes/Links: The file is not text.\n"


@pytest.mark.parametrize(
    ("option", "place", "hint"),
    [
        ("--heading", "Links", ""),
        ("--heading", "Links#Nope", "Notes/Links.md has no heading 'Links#Nope': the link opens the note itself.\n"),
        ("--block", "id", ""),
        ("--block", "^gone", "Notes/Links.md has no block '^gone': the link opens the note itself.\n"),
    ],
)
def test_a_place_that_is_not_there_still_has_a_link(
    program: Any, vault: Path, option: str, place: str, hint: str
) -> None:
    (vault / "Notes" / "Links.md").write_text("# Links\n\nA line. ^id\n", "utf-8")
    outcome = program("uri", "Notes/Links", option, place)
    assert outcome == (0, "obsidian://open?file=Notes/Links.md\n", hint)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("Notes/한국어 [1].md", "Notes/한국어 [1].md"),
        (" a.md", "' a.md'"),
        ("a.md ", "'a.md '"),
        ("a\nb.md", r"'a\nb.md'"),
        ("a  b.md", "'a  b.md'"),
        ("a\u202eb.md", r"'a\u202eb.md'"),
    ],
)
def test_a_path_can_be_pasted_back(path: str, shown: str) -> None:
    assert path_text(path) == shown


def test_odd_paths_are_quoted_wherever_they_are_listed(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(engine: Any) -> None:
        engine.hits = (replace(engine.hits[0], path=" odd.md"),)
        engine.report = IndexReport(failures=(Failure(" odd.md", "parse", "broken"),))
        whole = engine.status(notes=True)
        odd = replace(whole, entries=(NoteEntry(" odd.md", "indexed", "line 3: 2 bytes are not UTF-8"),))
        engine.status = lambda notes: odd

    program.prepare = prepare
    assert "' odd.md':3-9" in program("search", "x").out
    assert "failed: ' odd.md': parse: broken" in program("index").err
    assert "indexed  ' odd.md' (line 3: 2 bytes are not UTF-8)\n" in program("status", "--notes").out


def test_a_query_that_begins_with_a_minus_is_told_where_to_go(program: Any) -> None:
    outcome = program("search", "-김치 냉장고")
    assert outcome.code == 2
    assert "A query that begins with a minus goes after --" in " ".join(outcome.err.split())
    assert program("search", "--", "-김치 냉장고").code == 0
    assert "goes after --" not in program("search", "x", "--modes").err


@pytest.mark.parametrize(("pending", "line"), [(0, "none"), (1, "1 note not taken up yet")])
def test_status_counts_what_is_pending_in_notes(program: Any, pending: int, line: str) -> None:
    def prepare(engine: Any) -> None:
        whole = replace(engine.status(notes=False), pending=pending)
        engine.status = lambda notes: whole

    program.prepare = prepare
    rows = dict(row.split(maxsplit=1) for row in program("status").out.splitlines())
    assert (rows["chunks"], rows["pending"]) == ("5", line)


def test_the_summary_leaves_out_what_is_not_known() -> None:
    report = IndexReport(seen=1, unchanged=1, chunks=1, reused=1, model="all-MiniLM-L6-v2", dtype="bfloat16")
    assert index_summary(report).splitlines() == [
        "Indexed: 1 note seen (1 unchanged); 1 chunk, 0 embedded, 1 reused.",
        "0:00 in all. Model all-MiniLM-L6-v2 (bfloat16).",
    ]
    assert index_summary(replace(report, dtype=None)).endswith("Model all-MiniLM-L6-v2.")
    assert "Model" not in index_summary(replace(report, model=None))


@pytest.mark.parametrize(
    ("warnings", "line"),
    [(1, "1 warning: 'status --notes' lists it."), (5, "5 warnings: 'status --notes' lists them.")],
)
def test_the_summary_tells_of_warnings(warnings: int, line: str) -> None:
    assert index_summary(IndexReport(warnings=warnings)).splitlines()[-1] == line
    assert "warning" not in index_summary(IndexReport())


def test_one_of_a_kind_is_not_plural(program: Any, parsed_note: Any) -> None:
    program.parsed = {"Notes/Links.md": parsed_note}
    assert "0 headings · 2 links · 1 tag · 1 chunk\n" in program("parse", "Notes/Links.md").out


def test_an_explanation_is_in_columns(program: Any) -> None:
    legs = (Evidence("keyword", 1, 1.0, 0.5), Evidence("semantic", 12, 0.75, 0.5, "cosine 0.404"))
    terms = (MatchedTerm("block", 2.5, 1.0), MatchedTerm("link", 0.0, 1.25))

    def prepare(engine: Any) -> None:
        engine.hits = (replace(engine.hits[0], explanation=Explanation(legs, terms)),)

    program.prepare = prepare
    lines = program("search", "x", "--explain").out.splitlines()
    assert lines[-3:] == [
        "    keyword   rank 1   score 1.000  weight 0.50",
        "    semantic  rank 12  score 0.750  weight 0.50  cosine 0.404",
        "    terms (BM25): block 2.50 · link 1.25 in the note",
    ]
    assert "rank" not in program("search", "x").out


@pytest.mark.parametrize(
    ("flags", "rerank", "loads"), [((), None, True), (("--rerank",), True, True), (("--no-rerank",), False, False)]
)
def test_a_reranker_is_loaded_unless_refused(
    program: Any, flags: tuple[str, ...], rerank: bool | None, loads: bool
) -> None:
    program("search", "x", *flags)
    asked = dict(program.asked())
    assert (asked["search"]["rerank"], asked["warm"]["rerank"]) == (rerank, loads)


def test_linked_notes_are_hidden_when_asked(program: Any) -> None:
    program("similar", "Notes/Links", "--hide-linked")
    assert dict(program.asked())["similar"]["hide_linked"] is True
