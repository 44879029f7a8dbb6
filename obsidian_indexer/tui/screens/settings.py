"""Every setting with its value, where that came from and what it means; one can be changed at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
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
# The source of a value that nothing sets.
DEFAULT = "default"


class SettingList(OptionList):
    """The settings, with the keys that change one in the key help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Change"),
        Binding("d", "screen.default", "Default"),
        Binding("delete,backspace", "screen.default", show=False),
    ]


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
        """Read the settings in the background each time the screen opens, and draw them."""
        start(self, self._read, "settings")

    async def _read(self) -> None:
        try:
            rows = await self.bridge.outside(lambda: tuple(self.indexer.settings_view()))
        except IndexerError as error:
            self.query_one("#setting-doc", Line).show(Content.styled(clean_line(str(error)), "$text-error"))
            return
        same = [_id(row) for row in rows] == [_id(row) for row in self._rows]
        self._rows = rows
        if same:
            self._redraw()
        else:
            self._draw()

    def tick(self) -> None:
        """Draw again at a new width."""
        if self._rows and self._row_width() != self._drawn_width:
            self._redraw()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say what the highlighted setting means."""
        self._draw_meaning()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click changes the setting."""
        row = self._row(event.option_id)
        if row is not None:
            self.app.push_screen(EditSetting(row), self._edited)

    def action_default(self) -> None:
        """Take the highlighted setting out of the file that sets it."""
        row = self._row(self._highlighted_id())
        if row is None:
            return
        if row.source == DEFAULT:
            self.indexer.say(f"{_id(row)} has its default.")
        else:
            start(self, partial(self._unset, row), "save")

    async def _unset(self, row: SettingRow) -> None:
        try:
            await self.bridge.outside(lambda: self.indexer.save_setting(row.section, row.name, None))
        except IndexerError as error:
            self.indexer.say(str(error), severity="error")
        else:
            await self._changed(row)

    def _edited(self, row: SettingRow | None) -> None:
        if row is not None:
            start(self, partial(self._changed, row), "save")

    async def _changed(self, before: SettingRow) -> None:
        """Draw the settings as they are now and say what has become of the one that was changed."""
        when = self.indexer.reload_settings()
        await self._read()
        now = self._row(_id(before))
        if now is not None:
            self.indexer.say(" ".join(part for part in (_outcome(before, now), when) if part))

    def _row(self, option_id: str | None) -> SettingRow | None:
        return next((row for row in self._rows if _id(row) == option_id), None)

    def _highlighted_id(self) -> str | None:
        option = self.query_one("#settings-list", OptionList).highlighted_option
        return option.id if option is not None else None

    def _row_width(self) -> int:
        listing = self.query_one("#settings-list", OptionList)
        return max(16, listing.size.width - listing.styles.scrollbar_size_vertical - 2)

    def _draw_meaning(self) -> None:
        row = self._row(self._highlighted_id())
        if row is None:
            return
        head = Content.assemble((_id(row), "bold"), (f"  {clean_line(row.source)}", DIM))
        lines = [head, Content(clean_line(row.doc))]
        if row.choices:
            lines.append(Content.styled("One of: " + ", ".join(row.choices), DIM))
        self.query_one("#setting-doc", Line).show(Content("\n").join(lines))
        # The text takes its room from the list, which must not cost the highlighted row its place on the screen.
        self.call_after_refresh(self.query_one("#settings-list", OptionList).scroll_to_highlight)

    def _redraw(self) -> None:
        """Draw the same settings again where they stand."""
        listing = self.query_one("#settings-list", OptionList)
        self._drawn_width = self._row_width()
        for row in self._rows:
            listing.replace_option_prompt(_id(row), _line(row, self._drawn_width))
        self._draw_meaning()

    def _draw(self) -> None:
        listing = self.query_one("#settings-list", OptionList)
        wanted = self._highlighted_id()
        self._drawn_width = self._row_width()
        listing.set_options(_options(self._rows, self._drawn_width))
        if self._row(wanted) is not None:
            listing.highlighted = listing.get_option_index(wanted or "")
        elif self._rows:
            listing.highlighted = 1


def _id(row: SettingRow) -> str:
    return f"{row.section}.{row.name}"


def _outcome(before: SettingRow, now: SettingRow) -> str:
    """What saving did to a setting, told by where its value comes from."""
    name = _id(now)
    if now.source == DEFAULT:
        return f"{name} has its default again."
    if now == before:
        return f"{name} stays as it is: it comes from the {clean_line(now.source)}."
    return f"{name} is now {display_value(now.value)}, from the {_short(now.source)}."


def _short(source: str) -> str:
    """A source without the file or variable in brackets."""
    return clean_line(source.partition(" (")[0])


def _options(rows: Sequence[SettingRow], width: int) -> Iterable[Option]:
    for at, (name, group) in enumerate(groupby(rows, key=lambda row: row.section)):
        title = Content.styled(name, "bold $text-primary")
        yield Option(Content.assemble("\n", title) if at else title, disabled=True)
        for row in group:
            yield Option(_line(row, width), id=_id(row))


def _line(row: SettingRow, width: int) -> Content:
    plain = row.source == DEFAULT
    value = Content.styled(display_value(row.value), DIM if plain else "bold $text-accent")
    source = Content.styled("" if plain else _short(row.source), DIM)
    if width < 2 * NAME_CELLS + 8:
        return spread(Content(row.name), fit(value, max(6, width // 2 - 1)), width)
    left = Content.assemble(f"{row.name:<{NAME_CELLS}}", value)
    return spread(left, source, width)
