"""Measures what runs the model best here and keeps it; brings the old settings back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, ProgressBar

from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.rows import DIM
from obsidian_indexer.tui.runs import Phase, TuneRun
from obsidian_indexer.tui.screens.base import BaseScreen
from obsidian_indexer.tui.trials import tune_rows
from obsidian_indexer.tui.widgets.line import Line
from obsidian_indexer.tui.widgets.page import Page

INTRODUCTION = (
    "Measures engines, number formats and batch sizes on this vault for a minute and keeps the best in its settings. "
    "Restore undoes that."
)


class TuneScreen(BaseScreen):
    """Buttons above, then the step under way and the time spent, the trials with their bars below."""

    HEADING = "Tune"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "measure", "Measure"),
        Binding("c", "cancel", "Cancel"),
        Binding("r", "restore", "Restore"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        """Everything is there from the start and filled by `tick`."""
        with Vertical(id="tune-body"):
            with Horizontal(id="tune-buttons"):
                yield Button("Measure", id="measure", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Restore", id="restore", compact=True)
            yield Line(id="tune-stage")
            yield ProgressBar(id="tune-bar", show_eta=False)
            yield Page(id="tune-outcome")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The buttons do what their keys do."""
        match event.button.id:
            case "measure":
                self.action_measure()
            case "cancel":
                self.action_cancel()
            case "restore":
                self.action_restore()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is possible now is offered."""
        match action:
            case "cancel":
                return self.bridge.tuning
            case "measure" | "restore":
                return not self.bridge.busy
        return True

    def action_measure(self) -> None:
        """Measure, and keep the best."""
        self.indexer.start_tune()

    def action_cancel(self) -> None:
        """Stop after the batch under way; nothing is kept."""
        if self.bridge.tune_run is not None:
            self.bridge.tune_run.cancel.cancel()

    def action_restore(self) -> None:
        """Bring the settings back as they were before tuning."""
        self.indexer.start_restore()

    def offered(self) -> object:
        """The keys depend on what is under way."""
        return (self.bridge.tuning, self.bridge.busy)

    def tick(self) -> None:
        """Draw the run as it is now."""
        run, bridge = self.bridge.tune_run, self.bridge
        usable = bridge.phase is Phase.READY and not bridge.busy
        self.query_one("#measure", Button).disabled = not usable
        self.query_one("#restore", Button).disabled = not usable
        self.query_one("#cancel", Button).disabled = not bridge.tuning
        self.query_one("#tune-stage", Line).show(self._stage(run))
        bar = self.query_one("#tune-bar", ProgressBar)
        step = run.step if run is not None else None
        if step is not None:
            done = step.limit_s if run is not None and run.report is not None else min(step.elapsed_s, step.limit_s)
            bar.update(total=step.limit_s, progress=done)
        self.query_one(Page).show([] if run is None else tune_rows(run))
        self.set_class(run is None, "-idle")

    def _stage(self, run: TuneRun | None) -> Content:
        bridge = self.bridge
        if bridge.phase is not Phase.READY:
            return Content.styled("Opening the index…", DIM)
        if bridge.indexing or bridge.watch_on:
            return Content.styled("An index run or the watcher is under way. Stop it to measure undisturbed.", DIM)
        if run is None:
            return Content.styled(INTRODUCTION, DIM)
        if not run.finished:
            if run.cancel.cancelled:
                return Content.styled("Cancelling after this batch…", "bold $text-warning")
            return Content.styled(clean_line(run.step.doing if run.step is not None else "starting") + "…", "bold")
        if run.error is not None:
            return Content.styled("Stopped", "bold $text-error")
        if run.report is not None and run.report.cancelled:
            return Content.styled("Cancelled – the settings are as they were", "bold $text-warning")
        if run.restored:
            return Content.styled("Restored – the settings are as they were before tuning", "bold $text-success")
        kept = run.kept is not None
        return Content.styled("Done – r restores" if kept else "Done, nothing to keep", "bold $text-success")
