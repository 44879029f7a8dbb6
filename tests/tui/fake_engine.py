"""An engine that does what a test scripts: reports, events, faults, and waits on events the test sets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from obsidian_indexer.errors import NoteError
from obsidian_indexer.events import CancelToken, Event, EventSink, FailureEvent, PauseToken, Progress, Stage
from obsidian_indexer.options import Options, UiOptions
from obsidian_indexer.records import (
    Evidence,
    Explanation,
    Failure,
    Hit,
    IndexReport,
    MatchedTerm,
    ModelStatus,
    SearchResult,
    Status,
)
from obsidian_indexer.tuning import Trial, TuneReport, TuneStep

HOSTILE = "[/] [type=x, v={'a[0]'}] \x1b]52;c;aGk=\x07\u202egnp.exe [bold red]x"
HOSTILE_CLEAN = "[/] [type=x, v={'a[0]'}] gnp.exe [bold red]x"

NOTES = {
    "Guides/Linking notes.md": """---
tags: [guide, links]
aliases: Link
---
# Linking notes

Obsidian joins notes with **links**. A link is written `[[like this]]`.

## Link to a block

> [!tip] Block links
> Type `^` after the note's name and choose a block.

A block can be any paragraph, list item or table. Write [[Linking notes#^quote|the quote]] to reach it.
The block's id stands at its end, after a space. ^quote

- [x] learn about links
- [ ] link to a block
  - [[Daily/2024-02-01]]

| Kind | Written |
| --- | --- |
| Note | `[[Note]]` |
| 블록 링크 | `[[Note#^id]]` |

```python
def link(note: str) -> str:
    return f"[[{note}]]"
```
""",
    "한국어/블록에 링크하기.md": """# 블록에 링크하기

모든 블록은 고유한 **식별자**를 가질 수 있습니다. `^식별자`를 문단 끝에 적으면 됩니다.

## 방법

1. 문단 끝에 식별자를 적습니다.
2. 다른 노트에서 [[블록에 링크하기#^식별자]]라고 씁니다.
""",
    "Hostile.md": f"# {HOSTILE}\n\nText with {HOSTILE} inside.\n",
    "Daily/2024-02-01.md": "# 2024-02-01\n\nWalked by the river. Thought about how notes link to each other.\n",
}


def make_hit(path: str, **changes: object) -> Hit:
    """A hit in one of the notes."""
    hit = Hit(
        path=path,
        title=Path(path).stem,
        headings=(Path(path).stem, "Link to a block"),
        start_line=14,
        end_line=15,
        snippet="A block can be any paragraph, list item or table. Write the quote to reach it.",
        score=0.92,
        keyword_rank=1,
        semantic_rank=1,
        similarity=0.71,
        uri="obsidian://open?vault=demo&file=x",
    )
    return replace(hit, **changes)  # type: ignore[arg-type]


HITS = (
    make_hit("Guides/Linking notes.md"),
    make_hit(
        "한국어/블록에 링크하기.md",
        headings=("블록에 링크하기", "방법"),
        start_line=7,
        end_line=8,
        score=0.61,
        snippet="문단 끝에 식별자를 적습니다. 다른 노트에서 블록에 링크하기라고 씁니다.",
    ),
    make_hit(
        "Daily/2024-02-01.md",
        headings=(),
        start_line=3,
        end_line=3,
        score=0.3,
        snippet="Walked by the river. Thought about how notes link to each other.",
    ),
)
HOSTILE_HIT = make_hit("Hostile.md", title=HOSTILE, headings=(HOSTILE,), snippet=HOSTILE, start_line=1, end_line=3)

STATUS = Status(
    vault="/home/user/demo",
    data_dir="/home/user/.local/share/obsidian-indexer/demo",
    notes=173,
    chunks=1805,
    pending=0,
    failed=0,
    ignored=4,
    models=(ModelStatus("all-MiniLM-L6-v2", "f00d", 384, 1805, True),),
    store_kind="chroma",
    store_vectors=1805,
    last_index="2024-02-01T10:11:12Z",
    writer=None,
)
REPORT = IndexReport(
    seen=173,
    added=3,
    modified=2,
    unchanged=168,
    ignored=4,
    chunks=1805,
    embedded=42,
    reused=1763,
    tokens=5120,
    seconds=12.4,
    seconds_by_stage={"scan": 0.1, "parse": 1.2, "embed": 10.3, "store": 0.8},
    chunks_per_second=182.0,
    model="all-MiniLM-L6-v2",
    engine="torch",
    device="cpu",
    dtype="bfloat16",
)


TRIALS = (
    Trial("openvino", "int8", 1024, 403.0, 41_000.0, 0.9981, 0.9902),
    Trial("torch", "float32", 2048, 56.0, 5_600.0, 1.0, 1.0, "behind, measured once"),
    Trial("torch", "float16", note="no such [device]", usable=False),
)
TUNED = TuneReport(
    vault="/home/user/demo",
    model="all-MiniLM-L6-v2",
    chunks=300,
    tokens=30_000,
    seconds=59.5,
    trials=TRIALS,
    best=TRIALS[0],
    reason="7.3× as fast as float32, the precision of the index.",
    settings={"engine": "openvino", "dtype": "int8", "token_budget": 1024},
)


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeEngine:
    """One vault of four notes. Fields script its answers; `calls` tells what was asked."""

    options: Options
    on_event: EventSink
    status_answer: Status = STATUS
    report: IndexReport = REPORT
    hits: tuple[Hit, ...] = HITS
    notice: str | None = None
    notes: dict[str, str] = field(default_factory=lambda: dict(NOTES))
    # While set, a call waits for the event before it answers.
    index_gate: threading.Event | None = None
    search_gate: threading.Event | None = None
    warm_gate: threading.Event | None = None
    # An index run that is deaf does not look at its cancel token.
    deaf: bool = False
    failures: tuple[Failure, ...] = ()
    index_fault: Exception | None = None
    search_fault: Exception | None = None
    warm_fault: Exception | None = None
    status_fault: Exception | None = None
    watch_fault: Exception | None = None
    tuned: TuneReport = TUNED
    tune_gate: threading.Event | None = None
    tune_fault: Exception | None = None
    # Set when the index run or the watcher is under way.
    indexing: threading.Event = field(default_factory=threading.Event)
    watching: threading.Event = field(default_factory=threading.Event)
    calls: list[tuple[object, ...]] = field(default_factory=list)
    closed: bool = False
    # What the run's progress measures time with.
    clock: FakeClock = field(default_factory=FakeClock)

    def close(self) -> None:
        self.closed = True

    def index(
        self,
        *,
        full: bool = False,
        limit: int | None = None,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        pause: PauseToken | None = None,
    ) -> IndexReport:
        self.calls.append(("index", full))
        if self.index_fault is not None:
            raise self.index_fault
        progress = progress or Progress()
        progress.notes_seen, progress.notes_total, progress.notes_done = 173, 5, 5
        self.clock.now = 2.0
        progress.enter(Stage.EMBED)
        self.clock.now = 5.5
        progress.chunks_total, progress.tokens_total = 1805, 51200
        progress.chunks_done, progress.tokens_done = 642, 20480
        progress.current_note = "Guides/Linking notes.md"
        for failure in self.failures:
            self.on_event(FailureEvent(failure))
        self.indexing.set()
        while self.index_gate is not None and not self.index_gate.wait(0.005):
            if cancel is not None and cancel.cancelled and not self.deaf:
                self.indexing.clear()
                return replace(self.report, cancelled=True)
            if pause is not None and pause.paused and not self.deaf:
                with progress.held(pause.reason):
                    while not pause.wait(0.005) and not (cancel is not None and cancel.cancelled):
                        pass
        progress.chunks_done, progress.tokens_done = 1805, 51200
        self.clock.now = 12.4
        progress.enter(Stage.DONE)
        return replace(self.report, failures=self.failures)

    def watch(
        self,
        *,
        cancel: CancelToken,
        on_event: EventSink | None = None,
        progress: Progress | None = None,
        pause: PauseToken | None = None,
    ) -> None:
        self.calls.append(("watch",))
        if self.watch_fault is not None:
            raise self.watch_fault
        self.watching.set()
        while not cancel.wait(1.0):
            pass
        self.watching.clear()

    def tune(
        self, *, on_step: Callable[[TuneStep], None] = lambda step: None, cancel: CancelToken | None = None
    ) -> TuneReport:
        self.calls.append(("tune",))
        if self.tune_fault is not None:
            raise self.tune_fault
        on_step(TuneStep("openvino in int8, batches of 1,024 tokens", 12.0, 60.0, TRIALS[:1]))
        while self.tune_gate is not None and not self.tune_gate.wait(0.005):
            if cancel is not None and cancel.cancelled:
                return replace(self.tuned, best=None, settings={}, cancelled=True)
        return self.tuned

    def emit(self, event: Event) -> None:
        """Send an event as the engine's thread would."""
        thread = threading.Thread(target=self.on_event, args=(event,))
        thread.start()
        thread.join()

    def search(
        self, query: str, *, k: int | None = None, mode: str | None = None, group: str = "note", explain: bool = False
    ) -> SearchResult:
        self.calls.append(("search", query, mode))
        if self.search_fault is not None:
            raise self.search_fault
        if mode != "keyword" and self.search_gate is not None:
            self.search_gate.wait()
        hits = () if "nothing" in query else self.hits
        if explain:
            legs = (Evidence("keyword", 2, 0.5, 0.4), Evidence("semantic", 1, 1.0, 0.6, "cosine 0.710"))
            explanation = Explanation(legs, (MatchedTerm("[link]", 1.25, 0.5), MatchedTerm("block", 0.0, 2.5)))
            hits = tuple(replace(hit, explanation=explanation) for hit in hits)
        return SearchResult(query, mode or "hybrid", 8.0, "all-MiniLM-L6-v2", hits, self.notice)

    def similar(self, note: str, *, k: int | None = None, hide_linked: bool = False) -> SearchResult:
        self.calls.append(("similar", note))
        others = tuple(hit for hit in self.hits if hit.path != note)[: 1 if hide_linked else None]
        return SearchResult(note, "semantic", 3.0, "all-MiniLM-L6-v2", others)

    def status(self, *, notes: bool = False) -> Status:
        self.calls.append(("status", notes))
        if self.status_fault is not None:
            raise self.status_fault
        return self.status_answer

    def warm(self) -> None:
        self.calls.append(("warm",))
        if self.warm_gate is not None:
            self.warm_gate.wait()
        if self.warm_fault is not None:
            raise self.warm_fault

    def note_text(self, path: str) -> str:
        if path not in self.notes:
            raise NoteError("This note is no longer in the vault. The next update removes it from the index.")
        return self.notes[path]

    def model_status(self) -> str:
        return "all-MiniLM-L6-v2 · torch · cpu · bfloat16"


@dataclass
class FakeOpening:
    """Opens fake engines; `prepare` scripts each one before it is used."""

    prepare: Callable[[FakeEngine], None] = lambda engine: None
    engines: list[FakeEngine] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    fault: Exception | None = None

    def __call__(self, options: Options, *, on_event: EventSink) -> FakeEngine:
        if self.fault is not None:
            raise self.fault
        engine = FakeEngine(options, on_event, clock=self.clock)
        self.prepare(engine)
        self.engines.append(engine)
        return engine

    @property
    def engine(self) -> FakeEngine:
        """The engine opened last."""
        return self.engines[-1]


def make_options(folder: Path) -> Options:
    """Options for a vault named demo; semantic search follows at once."""
    return Options(vault_path=folder / "demo", data_dir=folder, ui=UiOptions(search_delay_ms=0, refresh_hz=30.0))
