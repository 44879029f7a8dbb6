"""A panel that changes one setting."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import Worker, WorkerState

from obsidian_indexer.errors import IndexerError
from obsidian_indexer.options import SettingRow
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.rows import DIM, FAINT
from obsidian_indexer.tui.values import parse_value, shown_value
from obsidian_indexer.tui.work import start

if TYPE_CHECKING:
    from obsidian_indexer.tui.app import IndexerApp


class EditSetting(ModalScreen[SettingRow | None]):
    """Type a value or choose one; enter saves, escape leaves. A refused value is explained and can be corrected.

    Dismissed with the row when it was saved, with None otherwise.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave")]

    def __init__(self, row: SettingRow) -> None:
        super().__init__()
        self._row = row

    def compose(self) -> ComposeResult:
        """Name, meaning, field, and a line for what is wrong."""
        row = self._row
        with Vertical(classes="panel"):
            yield Static(Content.styled(f"{row.section}.{row.name}", "bold"), markup=False)
            yield Static(Content.styled(clean_line(row.doc), DIM), markup=False)
            choices = _choices(row)
            if choices:
                yield OptionList(
                    *(Option(Content(choice), id=choice) for choice in choices),
                    id="choices",
                    markup=False,
                    compact=True,
                )
            else:
                yield Input(shown_value(row.value), id="value", compact=True)
            yield Static("", id="refusal", markup=False)
            yield Static(Content.styled("enter saves · escape leaves", FAINT), markup=False)

    def on_mount(self) -> None:
        """The present value is the highlighted one."""
        choices = _choices(self._row)
        if choices:
            value = shown_value(self._row.value)
            self.query_one(OptionList).highlighted = choices.index(value) if value in choices else 0

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Save what was typed."""
        self._save(event.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Save what was chosen."""
        self._save(event.option_id or "")

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A fault while saving shows a panel; the app lives on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self._app().show_fault(event.worker.error)

    def action_leave(self) -> None:
        """Change nothing."""
        self.dismiss(None)

    def _app(self) -> IndexerApp:
        return cast("IndexerApp", self.app)

    def _save(self, text: str) -> None:
        value = parse_value(text, self._row.value)
        start(self, partial(self._try_save, value), "save")

    async def _try_save(self, value: object) -> None:
        app = self._app()
        row = self._row
        try:
            await app.bridge.outside(lambda: app.save_setting(row.section, row.name, value))
        except IndexerError as error:
            self.query_one("#refusal", Static).update(Content.styled(clean_line(str(error)), "$text-error"))
        else:
            self.dismiss(row)


def _choices(row: SettingRow) -> tuple[str, ...]:
    return ("yes", "no") if isinstance(row.value, bool) else row.choices or ()
