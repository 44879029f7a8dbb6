"""The JSON that commands print. Scripts rely on these shapes: keys may be added, never renamed or removed."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from obsidian_indexer.cli.stream import emit
from obsidian_indexer.events import (
    ChangeEvent,
    Event,
    FailureEvent,
    NoticeEvent,
    SyncedEvent,
    WatchStateEvent,
)
from obsidian_indexer.options import Options, SettingRow
from obsidian_indexer.records import Chunk, Failure, Hit, IndexReport, Note, SearchResult, Status
from obsidian_indexer.tuning import KeptSettings, Trial, TuneReport

if TYPE_CHECKING:
    from obsidian_indexer.evaluate.run import Report

LinkPlace = tuple[str | None, tuple[int, int] | None]
"""The vault path a link leads to and the lines of the heading or block there."""

STAGES = ("scan", "parse", "embed", "store")

# Valid JSON may hold these as they are; a terminal would obey them, and lone surrogates cannot be encoded at all.
_ESCAPED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def jsonable(value: object) -> object:
    """The value in JSON's own types: records become objects, sequences lists, dates and paths strings, NaN null."""
    match value:
        case bool() | None:
            return value
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [jsonable(item) for item in value]
        case set() | frozenset():
            return sorted((jsonable(item) for item in value), key=str)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {f.name: jsonable(getattr(value, f.name)) for f in fields(value)}
        case _:
            return str(value)


def write_json(value: object) -> None:
    """One line of JSON on stdout, flushed, safe on any terminal and in any encoding."""
    line = _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(jsonable(value), ensure_ascii=False))
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        line = json.dumps(jsonable(value))
    emit(line)


def index_object(report: IndexReport, options: Options) -> dict[str, object]:
    """The shape of `index --json`."""
    return {
        "vault": options.vault_path,
        "model": report.model,
        "engine": report.engine,
        "device": report.device,
        "dtype": report.dtype,
        "seen": report.seen,
        "added": report.added,
        "modified": report.modified,
        "removed": report.removed,
        "renamed": report.renamed,
        "unchanged": report.unchanged,
        "ignored": report.ignored,
        "chunks": report.chunks,
        "embedded": report.embedded,
        "reused": report.reused,
        "tokens": report.tokens,
        "failures": _failures(report.failures),
        "warnings": report.warnings,
        "seconds": report.seconds,
        "seconds_by_stage": dict.fromkeys(STAGES, 0.0) | dict(report.seconds_by_stage),
        "chunks_per_second": report.chunks_per_second,
        "cancelled": report.cancelled,
    }


def search_object(result: SearchResult, *, explain: bool = False) -> dict[str, object]:
    """The shape of `search --json` and `similar --json`; ranks count from 1."""
    return {
        "query": result.query,
        "mode": result.mode,
        "took_ms": result.took_ms,
        "model": result.model,
        "hits": [_hit(rank, hit, explain=explain) for rank, hit in enumerate(result.hits, 1)],
        "notice": result.notice,
        "corrected": result.corrected,
    }


def _hit(rank: int, hit: Hit, *, explain: bool) -> dict[str, object]:
    shown = {
        "rank": rank,
        "path": hit.path,
        "title": hit.title,
        "headings": hit.headings,
        "start_line": hit.start_line,
        "end_line": hit.end_line,
        "snippet": hit.snippet,
        "score": hit.score,
        "keyword_rank": hit.keyword_rank,
        "semantic_rank": hit.semantic_rank,
        "similarity": hit.similarity,
        "uri": hit.uri,
    }
    return shown | {"explanation": hit.explanation} if explain else shown


def status_object(status: Status, *, notes: bool = False) -> dict[str, object]:
    """The shape of `status --json`; `notes` adds why each file is or is not indexed."""
    shown: dict[str, object] = {
        "vault": status.vault,
        "data_dir": status.data_dir,
        "notes": status.notes,
        "chunks": status.chunks,
        "pending": status.pending,
        "failed": status.failed,
        "ignored": status.ignored,
        "models": status.models,
        "store": {"kind": status.store_kind, "vectors": status.store_vectors},
        "last_index": status.last_index,
        "writer": status.writer,
        "failures": _failures(status.failures),
        "engine": status.engine,
        "int8": status.int8,
        "tuned": status.tuned,
        "offered_model": status.offered_model,
    }
    return shown | {"entries": status.entries} if notes else shown


def parse_object(note: Note, chunks: Sequence[Chunk], places: Sequence[LinkPlace]) -> dict[str, object]:
    """The shape of `parse --json`; `places` says where each of the note's links leads, in the same order."""
    return {
        "path": note.path,
        "title": note.title,
        "aliases": note.aliases,
        "tags": note.tags,
        "properties": note.properties,
        "links": [
            {
                "target": link.target,
                "heading": link.heading,
                "block": link.block,
                "display": link.display,
                "embed": link.embed,
                "line": link.line,
                "resolved": path,
                "resolved_lines": lines,
            }
            for link, (path, lines) in zip(note.links, places, strict=True)
        ],
        "property_links": note.property_links,
        "headings": [{"level": found.level, "text": found.text, "line": found.line} for found in note.headings],
        "blocks": note.block_ids,
        "tasks": note.tasks,
        "callouts": note.callouts,
        "inline_fields": note.inline_fields,
        "warnings": note.warnings,
        "kind": note.kind,
        "chunks": [_chunk(chunk) for chunk in chunks],
    }


def _chunk(chunk: Chunk) -> dict[str, object]:
    return {
        "headings": chunk.headings,
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "text": chunk.text,
        "embedded_text": chunk.embedded_text,
        "n_tokens": chunk.n_tokens,
    }


def _failures(failures: Sequence[Failure]) -> list[dict[str, str]]:
    return [{"path": failure.path, "stage": failure.stage, "reason": failure.reason} for failure in failures]


def settings_object(
    rows: Iterable[SettingRow], *, user_file: Path, vault_file: Path | None
) -> dict[str, dict[str, object]]:
    """The shape of `config show --json`: section → name → value, source and documentation; and the settings `files`."""
    shown: dict[str, dict[str, object]] = {"files": {"user": _settings_file(user_file)}}
    shown["files"]["vault"] = None if vault_file is None else _settings_file(vault_file)
    for row in rows:
        shown.setdefault(row.section, {})[row.name] = {"value": row.value, "source": row.source, "doc": row.doc}
    return shown


def _settings_file(path: Path) -> dict[str, object]:
    return {"path": path, "exists": path.exists()}


def tune_object(report: TuneReport, kept: KeptSettings | None) -> dict[str, object]:
    """The shape of `tune --json`; `kept` says whether the best became the rule."""
    return {
        "vault": report.vault,
        "model": report.model,
        "sample": {"chunks": report.chunks, "tokens": report.tokens},
        "seconds": report.seconds,
        "build_seconds": report.build_seconds,
        "trials": [_trial(trial) for trial in report.trials],
        "best": None if report.best is None else _trial(report.best),
        "reason": report.reason,
        "index_dtype": report.index_dtype,
        "kept": kept is not None,
        "settings_file": None if kept is None else kept.file,
        "backup": None if kept is None else kept.backup,
        "overridden": [] if kept is None else kept.overridden,
    }


def _trial(trial: Trial) -> dict[str, object]:
    return {field.name: getattr(trial, field.name) for field in fields(trial)}


def evaluate_object(reports: Sequence[Report]) -> dict[str, object]:
    """The shape of `evaluate --json`: a result for each model on each collection."""
    return {"results": reports}


def event_object(event: Event) -> dict[str, object]:
    """The shape of one line of `watch --json`; `event` says which kind it is."""
    match event:
        case ChangeEvent(change):
            return {"event": "change", "kind": change.kind, "path": change.path, "old_path": change.old_path}
        case SyncedEvent():
            return {"event": "synced", **{f.name: getattr(event, f.name) for f in fields(event)}}
        case WatchStateEvent(state, reason):
            return {"event": "state", "state": state, "reason": reason}
        case FailureEvent(failure):
            return {"event": "failure", **_failures((failure,))[0]}
        case NoticeEvent(message):
            return {"event": "notice", "message": message}
