"""A composition with a fake engine, and a way to run one command line against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import config
from obsidian_indexer.cli.app import run
from obsidian_indexer.cli.session import Composition
from obsidian_indexer.errors import Cancelled, NoteError
from obsidian_indexer.events import CancelToken, EventSink, Progress
from obsidian_indexer.options import Options
from obsidian_indexer.records import (
    Chunk,
    Evidence,
    Explanation,
    Hit,
    IndexReport,
    Link,
    MatchedTerm,
    ModelStatus,
    Note,
    NoteEntry,
    SearchResult,
    Status,
)
from obsidian_indexer.tuning import Precision, Trial, TuneReport, TuneStep

FAST = Trial("openvino", "int8", 1024, 400.0, 40_000.0, 0.998, 0.99)
SLOW = Trial("torch", "float32", 2048, 80.0, 8_000.0, 1.0, 1.0, "behind, measured once")
ABSENT = Trial("torch", "float16", note="no [such] device", usable=False)
TUNED = TuneReport(
    vault="/v",
    model="fake",
    chunks=300,
    tokens=30_000,
    seconds=59.5,
    trials=(FAST, SLOW, ABSENT),
    best=FAST,
    reason="The fastest.",
    settings={"engine": "openvino", "dtype": "int8", "token_budget": 1024},
)


def hit(path: str = "Notes/Links.md", **changes: Any) -> Hit:
    values: dict[str, Any] = {
        "path": path,
        "title": "Links",
        "headings": ("Link to a block",),
        "start_line": 3,
        "end_line": 9,
        "snippet": "Blocks are linked with a caret.",
        "score": 0.5,
        "keyword_rank": 1,
        "semantic_rank": None,
        "similarity": None,
        "uri": "obsidian://open?vault=v&file=Notes%2FLinks",
        "explanation": Explanation((Evidence("keyword", 1, 0.5, 1.0),), (MatchedTerm("link", 1.25, 0.0),)),
    }
    return Hit(**{**values, **changes})


@dataclass
class FakeEngine:
    """Answers from its fields and keeps what it was asked."""

    options: Options
    on_event: EventSink
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    report: IndexReport = field(default_factory=IndexReport)
    hits: tuple[Hit, ...] = (hit(),)
    notice: str | None = None
    error: Exception | None = None
    model_error: Exception | None = None
    on_index: Callable[[Progress, CancelToken], None] = lambda progress, cancel: None
    watch_events: tuple[Any, ...] = ()
    tuned: TuneReport = TUNED
    on_tune: Callable[[CancelToken], None] = lambda cancel: None

    def __enter__(self) -> FakeEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.asked.append(("close", {}))

    def _asked(self, name: str, **arguments: Any) -> None:
        self.asked.append((name, arguments))
        if self.error is not None:
            raise self.error

    def index(self, *, full: bool, limit: int | None, progress: Progress, cancel: CancelToken) -> IndexReport:
        self._asked("index", full=full, limit=limit, batch_size=self.options.embedding.batch_size)
        self.on_index(progress, cancel)
        return self.report

    def watch(self, *, cancel: CancelToken, on_event: EventSink, progress: Progress) -> None:
        self._asked("watch")
        for event in self.watch_events:
            on_event(event)

    def check_model(self) -> None:
        self.asked.append(("check_model", {}))
        if self.model_error is not None:
            raise self.model_error

    def warm(self, *, rerank: bool, once: bool) -> None:
        self.asked.append(("warm", {"rerank": rerank}))
        if self.model_error is not None:
            raise self.model_error

    def tune(
        self, *, seconds: float, precision: Precision, on_step: Callable[[TuneStep], None], cancel: CancelToken
    ) -> TuneReport:
        self._asked("tune", seconds=seconds, precision=precision)
        on_step(TuneStep("loading [torch]", 1.0, seconds))
        self.on_tune(cancel)
        return self.tuned

    def search(self, query: str, **how: Any) -> SearchResult:
        self._asked("search", query=query, **how)
        return SearchResult(query, how["mode"] or "hybrid", 1.5, "fake", self.hits, self.notice)

    def search_many(self, queries: Iterable[tuple[str, str]], **how: Any) -> Iterator[tuple[str, SearchResult]]:
        for identity, text in queries:
            yield identity, self.search(text, **how)

    def similar(self, note: str, *, k: int | None, hide_linked: bool) -> SearchResult:
        self._asked("similar", note=note, k=k, hide_linked=hide_linked)
        return SearchResult(note, "semantic", 1.0, "fake", self.hits)

    def status(self, *, notes: bool) -> Status:
        self._asked("status", notes=notes)
        return Status(
            vault=str(self.options.vault_path),
            data_dir=str(self.options.data_dir),
            notes=2,
            chunks=5,
            pending=1,
            failed=0,
            ignored=1,
            models=(ModelStatus("fake", "abc", 8, 4, True),),
            store_kind="chroma",
            store_vectors=4,
            last_index=None,
            writer=None,
            entries=(NoteEntry("a.md", "indexed"), NoteEntry("b.tmp", "ignored", "sync debris")) if notes else (),
        )

    def uri(self, note: str, **place: Any) -> str:
        self._asked("uri", note=note, **place)
        return f"obsidian://open?file={note}"


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@dataclass
class Program:
    """The command line over a fake engine; `prepare` changes the engine before it is used."""

    vault: Path
    capture: pytest.CaptureFixture[str]
    engine: FakeEngine | None = None
    prepare: Callable[[FakeEngine], None] = lambda engine: None
    parsed: Mapping[str, tuple[Note, Sequence[Chunk], Sequence[tuple[str | None, tuple[int, int] | None]]]] = field(
        default_factory=dict
    )
    tui_overrides: Mapping[str, object] | None = None

    def __call__(self, *args: str) -> Outcome:
        return self.bare("--vault", str(self.vault), "--data-dir", str(self.vault.parent / "data"), *args)

    def bare(self, *args: str) -> Outcome:
        """Without the vault and the index folder on the command line."""
        composition = Composition(
            config.load,
            self._open,
            self._parse,
            self._tui,
            keep_tuned=lambda overrides, values: config.keep_tuned(config.load(overrides), values),
            restore_tuned=lambda overrides: config.restore_tuned(config.load(overrides)),
        )
        code = run(args, composition)
        return Outcome(code, *self.capture.readouterr())

    def _open(self, options: Options, on_event: EventSink) -> Any:
        self.engine = FakeEngine(options, on_event)
        self.prepare(self.engine)
        return self.engine

    def _parse(self, options: Options, path: str) -> Any:
        if path not in self.parsed:
            raise NoteError(f"no such note in {options.vault_path}")
        return self.parsed[path]

    def _tui(self, overrides: Mapping[str, object]) -> int:
        self.tui_overrides = overrides
        return 7

    def asked(self) -> list[tuple[str, dict[str, Any]]]:
        """What the engine was asked, in order."""
        assert self.engine is not None
        return self.engine.asked


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    (folder / ".obsidian").mkdir(parents=True)
    (folder / "Notes").mkdir()
    (folder / "Notes" / "Links.md").write_text("# Links\n", "utf-8")
    return folder


@pytest.fixture
def program(vault: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.chdir(vault.parent)
    return Program(vault, capsys)


@pytest.fixture
def parsed_note() -> tuple[Note, list[Chunk], list[tuple[str | None, tuple[int, int] | None]]]:
    note = Note(
        path="Notes/Links.md",
        sha256="0" * 64,
        title="Links",
        aliases=("linking",),
        tags=("How/To",),
        properties={"created": "2024-02-30", "done": True, "n": 0.5, "list": ("a", None)},
        links=(Link("Other", "A#B", None, "see", False, 2), Link("", None, "id", None, True, 3)),
        block_ids={"id": (3, 4)},
    )
    chunk = Chunk("Notes/Links.md", 0, ("A",), 1, 4, "text", "Links > A\ntext", 6, "k")
    return note, [chunk], [("Other.md", (5, 9)), ("Notes/Links.md", None)]


def stop_when_cancelled(progress: Progress, cancel: CancelToken) -> None:
    """A run that goes on until it is cancelled, as the engine's batches do."""
    assert cancel.wait(60), "the run was never cancelled"
    raise Cancelled
