"""Runs the indexer: update or rebuild, progress, failures as they come, the report at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, ProgressBar, Static

from obsidian_indexer.events import ProgressSnapshot, Stage
from obsidian_indexer.records import Failure
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.bridge import IndexRun, Phase
from obsidian_indexer.tui.reports import report_lines
from obsidian_indexer.tui.screens.base import BaseScreen
from obsidian_indexer.tui.text import STAGE_NAMES, duration, fit, rate

FAILURES_SHOWN = 200
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
                yield Button("Cancel", id="cancel", compact=True)
            yield Static("", id="index-stage", markup=False)
            yield ProgressBar(id="index-bar", show_eta=False)
            with Grid(id="index-figures"):
                for name in FIGURES:
                    yield Static("", id=f"figure-{name}", classes="figure", markup=False)
            yield Static("", id="index-note", markup=False)
            with VerticalScroll(id="index-outcome"):
                yield Static("", id="index-text", markup=False)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The buttons do what their keys do."""
        match event.button.id:
            case "update":
                self.action_update()
            case "rebuild":
                self.action_rebuild()
            case "cancel":
                self.action_cancel()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is possible now is offered."""
        running = self.bridge.indexing
        interrupted = _interrupted(self.bridge.run)
        match action:
            case "cancel":
                return running
            case "rebuild":
                return not running
            case "update":
                return not running and not interrupted
            case "resume":
                return not running and interrupted
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

    def tick(self) -> None:
        """Draw the run as it is now."""
        run = self.bridge.run
        self._draw_buttons(run)
        self.query_one("#index-stage", Static).update(self._stage(run))
        snapshot = run.snapshot() if run is not None else ProgressSnapshot()
        self._draw_bar(run, snapshot)
        for name, value in _figures(snapshot).items():
            text = Content.assemble((value, "bold"), "\n", (FIGURE_NAMES[name], "$foreground 62%"))
            self.query_one(f"#figure-{name}", Static).update(text if run is not None else Content(""))
        width = self.query_one("#index-note", Static).content_size.width
        note = clean_line(snapshot.current_note) if self.bridge.indexing else ""
        self.query_one("#index-note", Static).update(fit(Content.styled(note, "$foreground 62%"), width))
        self.query_one("#index-text", Static).update(Content("\n").join(self._outcome(run)))
        self.set_class(run is None, "-idle")
        self.refresh_bindings()

    def _draw_buttons(self, run: IndexRun | None) -> None:
        running = self.bridge.indexing
        ready = self.bridge.phase is Phase.READY
        update = self.query_one("#update", Button)
        update.label = Content("Resume" if _interrupted(run) and not running else "Update")
        update.disabled = running or not ready
        self.query_one("#rebuild", Button).disabled = running or not ready
        self.query_one("#cancel", Button).disabled = not running

    def _draw_bar(self, run: IndexRun | None, snapshot: ProgressSnapshot) -> None:
        bar = self.query_one("#index-bar", ProgressBar)
        done, total = _share(snapshot)
        if run is not None and run.finished and run.error is None and not _interrupted(run):
            done, total = 1, 1
        if run is not None and total == 0 and not run.finished:
            bar.update(total=None)
        else:
            bar.update(total=max(1, total), progress=done)

    def _stage(self, run: IndexRun | None) -> Content:
        if self.bridge.phase is not Phase.READY:
            return Content.styled("Opening the index…", "$foreground 62%")
        if run is None:
            if self.bridge.watch_on:
                return Content.styled("Watching keeps the index up to date.", "$foreground 62%")
            return Content.styled("Update takes up what changed. Rebuild reads every note again.", "$foreground 62%")
        if run.error is not None:
            return Content.styled("Stopped", "bold $text-error")
        if run.finished:
            if _interrupted(run):
                return Content.styled("Cancelled – what was done is kept; r resumes", "bold $text-warning")
            failed = run.report is not None and run.report.failures
            return Content.styled("Done, with failures" if failed else "Done", "bold $text-success")
        if run.cancel.cancelled:
            return Content.styled("Cancelling after this batch…", "bold $text-warning")
        return Content.styled(STAGE_NAMES[run.snapshot().stage] + "…", "bold")

    def _outcome(self, run: IndexRun | None) -> list[Content]:
        if run is None:
            return []
        lines: list[Content] = []
        if run.error is not None:
            lines += [Content.styled(clean_line(run.error), "$text-error"), Content("")]
        if run.report is not None:
            lines += report_lines(run.report)
        failures = list(run.failures)
        number = run.n_failures
        if run.report is not None and len(run.report.failures) > number:
            failures, number = list(run.report.failures), len(run.report.failures)
        if failures:
            if lines:
                lines.append(Content(""))
            lines.append(Content.styled(f"Failures: {number:,}", "bold $text-error"))
            lines += [_failure(failure) for failure in reversed(failures[-FAILURES_SHOWN:])]
        return lines


def _interrupted(run: IndexRun | None) -> bool:
    return run is not None and run.finished and run.report is not None and run.report.cancelled


def _share(snapshot: ProgressSnapshot) -> tuple[int, int]:
    """Done and total of the stage under way; total is 0 where it is not known."""
    match snapshot.stage:
        case Stage.PARSE:
            return snapshot.notes_done, snapshot.notes_total
        case Stage.EMBED if snapshot.tokens_total:
            # Batches are sorted by length, so tokens move evenly and passages do not.
            return snapshot.tokens_done, snapshot.tokens_total
        case Stage.EMBED:
            return snapshot.chunks_done, snapshot.chunks_total
        case Stage.STORE:
            return snapshot.stored, snapshot.store_total
    return 0, 0


def _figures(snapshot: ProgressSnapshot) -> dict[str, str]:
    notes = (
        f"{snapshot.notes_done:,} / {snapshot.notes_total:,}" if snapshot.notes_total else f"{snapshot.notes_seen:,}"
    )
    return {
        "notes": notes,
        "chunks": f"{snapshot.chunks_done:,} / {snapshot.chunks_total:,}",
        "tokens": f"{snapshot.tokens_done:,}",
        "rate": rate(snapshot.chunks_per_second).removesuffix("/s"),
        "eta": duration(snapshot.eta_s),
        "elapsed": duration(snapshot.elapsed_s),
    }


def _failure(failure: Failure) -> Content:
    return Content.assemble(
        Content.styled(f"{failure.stage:<6} ", "$foreground 62%"),
        clean_line(failure.path),
        Content.styled(f"  {clean_line(failure.reason)}", "$text-error"),
    )
