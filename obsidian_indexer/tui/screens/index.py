"""Runs the indexer: update or rebuild, progress, failures as they come, the report at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, ProgressBar

from obsidian_indexer.events import ProgressSnapshot
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.reports import failure_rows, report_rows
from obsidian_indexer.tui.rows import DIM, Row, fit, plain
from obsidian_indexer.tui.runs import IndexRun, Phase
from obsidian_indexer.tui.screens.base import BaseScreen
from obsidian_indexer.tui.text import STAGE_NAMES, duration, pause_text, rate, stage_share
from obsidian_indexer.tui.widgets.line import Line
from obsidian_indexer.tui.widgets.page import Page

FIGURES = ("notes", "chunks", "tokens", "rate", "eta", "elapsed")
FIGURE_NAMES = {
    "notes": "notes",
    "chunks": "passages",
    "tokens": "tokens",
    "rate": "passages/s",
    "eta": "left",
    "elapsed": "elapsed",
}


class IndexScreen(BaseScreen):
    """Buttons above, then stage and bar, six figures, the current note, and failures or the report below."""

    HEADING = "Index"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "update", "Update"),
        Binding("r", "resume", "Resume"),
        Binding("b", "rebuild", "Rebuild"),
        Binding("p", "pause", "Pause"),
        Binding("p", "go_on", "Continue"),
        Binding("c", "cancel", "Cancel"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        """Everything is there from the start and filled by `tick`."""
        with Vertical(id="index-body"):
            with Horizontal(id="index-buttons"):
                yield Button("Update", id="update", variant="primary", compact=True)
                yield Button("Rebuild", id="rebuild", compact=True)
                yield Button("Pause", id="pause", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
            yield Line(id="index-stage")
            yield ProgressBar(id="index-bar", show_eta=False)
            with Grid(id="index-figures"):
                for name in FIGURES:
                    yield Line(id=f"figure-{name}", classes="figure")
            yield Line(id="index-note")
            yield Page(id="index-outcome")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The buttons do what their keys do."""
        match event.button.id:
            case "update":
                self.action_update()
            case "rebuild":
                self.action_rebuild()
            case "pause":
                self.action_go_on() if self._paused() else self.action_pause()
            case "cancel":
                self.action_cancel()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is possible now is offered."""
        running = self.bridge.indexing
        free = not self.bridge.busy and self.bridge.phase is Phase.READY
        interrupted = _interrupted(self.bridge.run)
        match action:
            case "cancel":
                return running
            case "pause":
                return running and not self._paused()
            case "go_on":
                return running and self._paused()
            case "rebuild":
                return free
            case "update":
                return free and not interrupted
            case "resume":
                return free and interrupted
        return True

    def action_update(self) -> None:
        """Index what changed; after a cancelled run this goes on where it stopped."""
        self.indexer.start_index(full=False)

    def action_resume(self) -> None:
        """Go on where the cancelled run stopped; what it embedded is kept."""
        self.indexer.start_index(full=False)

    def action_rebuild(self) -> None:
        """Read every note again; passages that did not change are not embedded again."""
        self.indexer.start_index(full=True)

    def action_cancel(self) -> None:
        """Stop the run after the batch under way."""
        if self.bridge.run is not None:
            self.bridge.run.cancel.cancel()

    def action_pause(self) -> None:
        """Let the run rest after the batch under way; what is done is written."""
        if self.bridge.run is not None:
            self.bridge.run.pause.pause()

    def action_go_on(self) -> None:
        """End the pause."""
        if self.bridge.run is not None:
            self.bridge.run.pause.resume()

    def _paused(self) -> bool:
        run = self.bridge.run
        return run is not None and not run.finished and run.pause.paused

    def offered(self) -> object:
        """The keys depend on what is under way."""
        bridge = self.bridge
        return (bridge.phase, bridge.indexing, bridge.busy, _interrupted(bridge.run), self._paused())

    def tick(self) -> None:
        """Draw the run as it is now."""
        run = self.bridge.run
        self._draw_buttons(run)
        self.query_one("#index-stage", Line).show(self._stage(run))
        snapshot = run.snapshot() if run is not None else ProgressSnapshot()
        self._draw_bar(run, snapshot)
        for name, value in _figures(snapshot).items():
            text = Content.assemble((value, "bold"), "\n", (FIGURE_NAMES[name], DIM))
            self.query_one(f"#figure-{name}", Line).show(text if run is not None else Content(""))
        width = self.query_one("#index-note", Line).content_size.width
        note = clean_line(snapshot.current_note) if self.bridge.indexing else ""
        self.query_one("#index-note", Line).show(fit(Content.styled(note, DIM), width))
        self.query_one(Page).show(_no_index(self.bridge.failure) if self._unopened() else _outcome(run))
        self.set_class(run is None, "-idle")

    def _unopened(self) -> bool:
        return self.bridge.phase is Phase.FAILED

    def _draw_buttons(self, run: IndexRun | None) -> None:
        running = self.bridge.indexing
        ready = self.bridge.phase is Phase.READY
        update = self.query_one("#update", Button)
        update.label = Content("Resume" if _interrupted(run) and not running else "Update")
        update.disabled = self.bridge.busy or not ready
        self.query_one("#rebuild", Button).disabled = update.disabled
        pause = self.query_one("#pause", Button)
        pause.label = Content("Continue" if self._paused() else "Pause")
        pause.disabled = self.query_one("#cancel", Button).disabled = not running

    def _draw_bar(self, run: IndexRun | None, snapshot: ProgressSnapshot) -> None:
        bar = self.query_one("#index-bar", ProgressBar)
        done, total = stage_share(snapshot)
        if run is not None and run.finished:
            done, total = snapshot.tokens_done, snapshot.tokens_total
        if run is not None and run.finished and run.error is None and not _interrupted(run):
            done, total = 1, 1
        if run is not None and total == 0 and not run.finished:
            bar.update(total=None)
        else:
            bar.update(total=max(1, total), progress=done)

    def _stage(self, run: IndexRun | None) -> Content:
        if self._unopened():
            return Content.styled("No index", "bold $text-error")
        if self.bridge.phase is not Phase.READY:
            return Content.styled("Opening the index…", DIM)
        if self.bridge.watch_on:
            return Content.styled("Watching keeps the index up to date. Stop it to run the indexer by hand.", DIM)
        if self.bridge.tuning:
            return Content.styled("Tuning is under way. The indexer can start when it has ended.", DIM)
        if run is None:
            return Content.styled("Update takes up what changed. Rebuild reads every note again.", DIM)
        if run.error is not None:
            return Content.styled("Stopped", "bold $text-error")
        if run.finished:
            if _interrupted(run):
                return Content.styled("Cancelled – what was done is kept; r resumes", "bold $text-warning")
            failed = run.report is not None and run.report.failures
            return Content.styled("Done, with failures" if failed else "Done", "bold $text-success")
        if run.cancel.cancelled:
            return Content.styled("Cancelling after this batch…", "bold $text-warning")
        if run.pause.paused:
            return Content.styled(pause_text(run.snapshot()), "bold $text-warning")
        return Content.styled(STAGE_NAMES[run.snapshot().stage] + "…", "bold")


def _no_index(failure: str | None) -> list[Row]:
    """Why nothing can be indexed, and what to do."""
    return [
        plain(clean_line(failure or ""), "$text-error"),
        plain(),
        plain("Put it right, then press escape and r to try again.", DIM),
    ]


def _outcome(run: IndexRun | None) -> list[Row]:
    """What went wrong, what was done, which notes failed."""
    if run is None:
        return []
    groups: list[list[Row]] = []
    if run.error is not None:
        groups.append([plain(clean_line(run.error), "$text-error")])
    if run.report is not None:
        groups.append(report_rows(run.report))
    failures, number = list(run.failures), run.n_failures
    if run.report is not None and len(run.report.failures) > number:
        failures, number = list(run.report.failures), len(run.report.failures)
    groups.append(failure_rows(failures, number))
    return [row for group in groups if group for row in (*group, plain())]


def _interrupted(run: IndexRun | None) -> bool:
    return run is not None and run.finished and run.report is not None and run.report.cancelled


def _figures(snapshot: ProgressSnapshot) -> dict[str, str]:
    notes = f"{snapshot.notes_done:,}/{snapshot.notes_total:,}" if snapshot.notes_total else f"{snapshot.notes_seen:,}"
    return {
        "notes": notes,
        "chunks": f"{snapshot.chunks_done:,}/{snapshot.chunks_total:,}",
        "tokens": f"{snapshot.tokens_done:,}",
        "rate": rate(snapshot.chunks_per_second).removesuffix("/s"),
        "eta": duration(snapshot.eta_s),
        "elapsed": duration(snapshot.elapsed_s),
    }
