"""The JSON that scripts rely on: keys, their order of nesting, and values in JSON's own types."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from obsidian_indexer.events import ChangeEvent, NoticeEvent, SyncedEvent, WatchState, WatchStateEvent
from obsidian_indexer.records import Change, ChangeKind, EngineStatus, Failure, IndexReport, Int8Check, TunedStatus

HIT_KEYS = [
    "rank", "path", "title", "headings", "start_line", "end_line", "snippet", "score", "keyword_rank",
    "semantic_rank", "similarity", "uri",
]  # fmt: skip


def test_index(program: Any, vault: Path) -> None:
    def prepare(engine: Any) -> None:
        engine.report = IndexReport(
            seen=3,
            added=1,
            embedded=2,
            failures=(Failure("a.md", "parse", "broken"),),
            seconds_by_stage={"scan": 0.5},
            model="fake",
        )

    program.prepare = prepare
    code, out, err = program("index", "--json")
    shown = json.loads(out)
    assert list(shown) == [
        "vault", "model", "engine", "device", "dtype", "seen", "added", "modified", "removed", "renamed", "unchanged",
        "ignored", "chunks", "embedded", "reused", "tokens", "failures", "warnings", "seconds", "seconds_by_stage",
        "chunks_per_second", "cancelled",
    ]  # fmt: skip
    assert shown["vault"] == str(vault.resolve())
    assert shown["failures"] == [{"path": "a.md", "stage": "parse", "reason": "broken"}]
    assert shown["seconds_by_stage"] == {"scan": 0.5, "parse": 0.0, "embed": 0.0, "store": 0.0}
    assert (shown["seen"], shown["model"], shown["engine"], code) == (3, "fake", None, 1)
    assert "failed: a.md: parse: broken" in err


def test_search(program: Any) -> None:
    code, out, _ = program("search", "link to a block", "--json")
    shown = json.loads(out)
    assert code == 0
    assert list(shown) == ["query", "mode", "took_ms", "model", "hits", "notice", "corrected"]
    (found,) = shown["hits"]
    assert list(found) == HIT_KEYS
    assert (found["rank"], found["headings"], found["semantic_rank"]) == (1, ["Link to a block"], None)
    explained = json.loads(program("search", "x", "--json", "--explain").out)
    assert explained["hits"][0]["explanation"] == {
        "legs": [{"leg": "keyword", "rank": 1, "score": 0.5, "weight": 1.0, "detail": None}],
        "terms": [{"term": "link", "passage": 1.25, "note": 0.0}],
    }


def test_search_with_many_queries(program: Any, tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_text('{"_id": "q1", "text": "one"}\n\n{"_id": 2, "text": "둘"}\n', "utf-8")
    code, out, _ = program("search", "--queries", str(file), "-k", "3", "--group", "chunk")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["_id"], line["query"]) for line in lines] == [("q1", "one"), (2, "둘")]
    assert list(lines[0]["hits"][0]) == HIT_KEYS
    assert code == 0
    assert [(arguments["k"], arguments["group"]) for name, arguments in program.asked() if name == "search"] == [
        (3, "chunk"),
        (3, "chunk"),
    ]


def test_status(program: Any) -> None:
    shown = json.loads(program("status", "--json").out)
    assert {
        "vault", "data_dir", "notes", "chunks", "pending", "failed", "ignored", "models", "store", "last_index",
        "writer",
    } <= shown.keys()  # fmt: skip
    assert shown["models"] == [{"name": "fake", "fingerprint": "abc", "dim": 8, "vectors": 4, "active": True}]
    assert shown["store"] == {"kind": "chroma", "vectors": 4}
    assert "entries" not in shown
    assert shown["engine"] is shown["int8"] is shown["tuned"] is None
    entries = json.loads(program("status", "--notes", "--json").out)["entries"]
    assert entries == [
        {"path": "a.md", "state": "indexed", "reason": None},
        {"path": "b.tmp", "state": "ignored", "reason": "sync debris"},
    ]


def test_status_tells_the_engine_its_check_and_what_tuning_found(program: Any) -> None:
    def prepare(engine: Any) -> None:
        whole = engine.status(notes=False)
        told = replace(
            whole,
            offered_model="MiniLM-L6-ko-en",
            engine=EngineStatus("openvino", "cpu", "int8"),
            int8=Int8Check(None, 0.99812, 0.9902, 0.953, 180, 14.6, "2024-02-01T09:00:00+00:00"),
            tuned=TunedStatus("2024-02-01T09:00:00+00:00", "openvino", "int8", 1024, 403.2),
        )
        engine.status = lambda notes: told

    program.prepare = prepare
    shown = json.loads(program("status", "--json").out)
    assert shown["engine"] == {"name": "openvino", "device": "cpu", "dtype": "int8"}
    assert shown["offered_model"] == "MiniLM-L6-ko-en"
    assert shown["int8"] == {
        "refused": None, "mean_cosine": 0.99812, "worst_cosine": 0.9902, "top10_overlap": 0.953, "passages": 180,
        "build_seconds": 14.6, "made": "2024-02-01T09:00:00+00:00",
    }  # fmt: skip
    assert shown["tuned"] == {
        "at": "2024-02-01T09:00:00+00:00", "engine": "openvino", "dtype": "int8", "token_budget": 1024,
        "chunks_per_second": 403.2,
    }  # fmt: skip
    lines = program("status").out.splitlines()
    assert any(line.split(maxsplit=1) == ["engine", "openvino on cpu, int8"] for line in lines)
    assert any("'index --model MiniLM-L6-ko-en' changes to it" in line for line in lines)
    assert any("mean cosine 0.9981, worst 0.9902, 95% of top ten the same" in line for line in lines)
    assert any("180 passages compared, made in 15 s" in line for line in lines)
    assert any("openvino in int8, batches of 1,024 tokens, 403 chunks/s" in line for line in lines)


def test_parse(program: Any, vault: Path, parsed_note: Any) -> None:
    program.parsed = {"Notes/Links.md": parsed_note}
    code, out, _ = program("parse", "Notes/Links.md", "--json")
    shown = json.loads(out)
    assert code == 0
    assert list(shown) == [
        "path", "title", "aliases", "tags", "properties", "links", "property_links", "headings", "blocks", "tasks",
        "callouts", "inline_fields", "warnings", "kind", "chunks",
    ]  # fmt: skip
    assert shown["properties"] == {"created": "2024-02-30", "done": True, "n": 0.5, "list": ["a", None]}
    assert shown["links"][0] == {
        "target": "Other", "heading": "A#B", "block": None, "display": "see", "embed": False, "line": 2,
        "resolved": "Other.md", "resolved_lines": [5, 9],
    }  # fmt: skip
    assert shown["links"][1]["resolved_lines"] is None
    assert shown["blocks"] == {"id": [3, 4]}
    assert shown["kind"] == "markdown"
    assert shown["chunks"] == [
        {"headings": ["A"], "start_line": 1, "end_line": 4, "text": "text", "embedded_text": "Links > A\ntext",
         "n_tokens": 6},
    ]  # fmt: skip


def test_parse_of_several_notes_is_one_object_a_line(program: Any, vault: Path, parsed_note: Any) -> None:
    program.parsed = {"Notes/Links.md": parsed_note}
    absolute, from_here = vault / "Notes" / "Links.md", "vault/Notes/Links.md"
    code, out, err = program.bare("parse", str(absolute), from_here, "vault/gone.md", "--json")
    assert [json.loads(line)["path"] for line in out.splitlines()] == ["Notes/Links.md", "Notes/Links.md"]
    assert code == 1
    assert "gone.md" in err


def test_config_show(program: Any) -> None:
    shown = json.loads(program("config", "show", "--json").out)
    assert shown["vault"]["path"]["source"] == "command line"
    assert shown["files"]["user"].keys() == shown["files"]["vault"].keys() == {"path", "exists"}
    assert shown["search"]["k"] == {"value": 10, "source": "default", "doc": "Results shown."}


def test_uri(program: Any) -> None:
    assert program("uri", "Notes/Links", "--line", "4").out == "obsidian://open?file=Notes/Links.md\n"
    assert json.loads(program("uri", "Notes/Links", "--json").out)["path"] == "Notes/Links.md"


def test_watch_prints_one_object_per_event(program: Any) -> None:
    def prepare(engine: Any) -> None:
        engine.watch_events = (
            WatchStateEvent(WatchState.LIVE),
            ChangeEvent(Change("b.md", ChangeKind.RENAMED, "a.md")),
            SyncedEvent(0, 0, 0, 1, 0, 0.25),
            NoticeEvent("polling"),
        )

    program.prepare = prepare
    lines = [json.loads(line) for line in program("watch", "--json").out.splitlines()]
    assert [line["event"] for line in lines] == ["state", "change", "synced", "notice"]
    assert (lines[1]["kind"], lines[1]["path"], lines[1]["old_path"]) == ("renamed", "b.md", "a.md")
    assert lines[2]["renamed"] == 1
    assert all("at" in line for line in lines)
