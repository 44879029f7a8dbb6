"""Every setting with its value, where that came from and what it means; one can be changed at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from obsidian_indexer.errors import IndexerError
from obsidian_indexer.options import SettingRow
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.rows import DIM, fit, spread
from obsidian_indexer.tui.screens.base import BaseScreen
from obsidian_indexer.tui.screens.edit_setting import EditSetting
from obsidian_indexer.tui.values import display_value
from obsidian_indexer.tui.widgets.line import Line
from obsidian_indexer.tui.work import start

NAME_CELLS = 24


class SettingList(OptionList):
    """The settings, with the key that changes one in the key help."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Change")]


class SettingsScreen(BaseScreen):
    """Settings by section; below, what the highlighted one means."""

    HEADING = "Settings"

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[SettingRow, ...] = ()
        self._drawn_width = 0

    def body(self) -> Iterable[Widget]:
        """The list, and the meaning of the highlighted row."""
        with Vertical(id="settings-body"):
            yield SettingList(id="settings-list", markup=False)
            yield Line(id="setting-doc")

    def opened(self) -> None:
        """Read the settings again each time the screen opens."""
        self.reload()

    def reload(self) -> None:
        """Read the settings in the background and draw them."""
        start(self, self._read, "settings")

    async def _read(self) -> None:
        try:
            rows = await self.bridge.outside(lambda: tuple(self.indexer.settings_view()))
        except IndexerError as error:
            self.query_one("#setting-doc", Line).show(Content.styled(clean_line(str(error)), "$text-error"))
            return
        self._rows = rows
        self._draw()

    def tick(self) -> None:
        """Draw again at a new width."""
        if self._rows and self._row_width() != self._drawn_width:
            self._draw()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say what the highlighted setting means."""
        row = self._row(event.option_id)
        if row is None:
            return
        head = Content.assemble((f"{row.section}.{row.name}", "bold"), (f"  from {clean_line(row.source)}", DIM))
        lines = [head, Content(clean_line(row.doc))]
        if row.choices:
            lines.append(Content.styled("One of: " + ", ".join(row.choices), DIM))
        self.query_one("#setting-doc", Line).show(Content("\n").join(lines))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click changes the setting."""
        row = self._row(event.option_id)
        if row is not None:
            self.app.push_screen(EditSetting(row), self._edited)

    def _edited(self, row: SettingRow | None) -> None:
        if row is None:
            return
        self.reload()
        self.indexer.reload_settings()

    def _row(self, option_id: str | None) -> SettingRow | None:
        return next((row for row in self._rows if f"{row.section}.{row.name}" == option_id), None)

    def _row_width(self) -> int:
        listing = self.query_one("#settings-list", OptionList)
        return max(16, listing.size.width - listing.styles.scrollbar_size_vertical - 2)

    def _draw(self) -> None:
        listing = self.query_one("#settings-list", OptionList)
        kept = listing.highlighted_option
        self._drawn_width = self._row_width()
        listing.set_options(_options(self._rows, self._drawn_width))
        wanted = kept.id if kept is not None and kept.id is not None else None
        if wanted is not None and self._row(wanted) is not None:
            listing.highlighted = listing.get_option_index(wanted)
        elif self._rows:
            listing.highlighted = 1


def _options(rows: Sequence[SettingRow], width: int) -> Iterable[Option]:
    for at, (name, group) in enumerate(groupby(rows, key=lambda row: row.section)):
        title = Content.styled(name, "bold $text-primary")
        yield Option(Content.assemble("\n", title) if at else title, disabled=True)
        for row in group:
            yield Option(_line(row, width), id=f"{row.section}.{row.name}")


def _line(row: SettingRow, width: int) -> Content:
    plain = row.source == "default"
    value = Content.styled(display_value(row.value), DIM if plain else "bold $text-accent")
    source = Content.styled("" if plain else clean_line(row.source), DIM)
    if width < 2 * NAME_CELLS + 8:
        return spread(Content(row.name), fit(value, max(6, width // 2 - 1)), width)
    left = Content.assemble(f"{row.name:<{NAME_CELLS}}", value)
    return spread(left, source, width)
