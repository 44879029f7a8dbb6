"""What the screens ask of an engine, so that tests can stand in for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from obsidian_indexer.events import CancelToken, EventSink, PauseToken, Progress
from obsidian_indexer.options import Options
from obsidian_indexer.records import IndexReport, SearchResult, Status
from obsidian_indexer.tuning import TuneReport, TuneStep


class EngineFace(Protocol):
    """The part of `Engine` that the screens use; its docstrings hold the contract."""

    options: Options

    def close(self) -> None:
        """Release the catalogue and the model."""

    def index(
        self,
        *,
        full: bool = False,
        limit: int | None = None,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        pause: PauseToken | None = None,
    ) -> IndexReport:
        """Bring the index up to date; blocks."""

    def watch(
        self,
        *,
        cancel: CancelToken,
        on_event: EventSink | None = None,
        progress: Progress | None = None,
        pause: PauseToken | None = None,
    ) -> None:
        """Follow the disk until cancelled; blocks."""

    def tune(
        self, *, on_step: Callable[[TuneStep], None] = lambda step: None, cancel: CancelToken | None = None
    ) -> TuneReport:
        """Measure what runs the model best here; blocks."""

    def search(
        self, query: str, *, k: int | None = None, mode: str | None = None, group: str = "note", explain: bool = False
    ) -> SearchResult:
        """Answer one query."""

    def similar(self, note: str, *, k: int | None = None, hide_linked: bool = False) -> SearchResult:
        """Notes like this one."""

    def status(self, *, notes: bool = False) -> Status:
        """The health of the index."""

    def warm(self) -> None:
        """Load the query embedder."""

    def note_text(self, path: str) -> str:
        """A note as it is on disk now."""

    def model_status(self) -> str:
        """The model in one line."""


class OpenEngine(Protocol):
    """How an engine is opened."""

    def __call__(self, options: Options, *, on_event: EventSink) -> EngineFace:
        """Open the index of these options. Raises an IndexerError that says what to do."""
