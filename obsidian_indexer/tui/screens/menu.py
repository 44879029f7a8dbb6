"""The first screen: the vault at a glance, and the way to everything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from obsidian_indexer.records import Status
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.rows import DIM
from obsidian_indexer.tui.runs import Phase, Warmth
from obsidian_indexer.tui.screens.base import BaseScreen
from obsidian_indexer.tui.text import count
from obsidian_indexer.tui.widgets.line import Line
from obsidian_indexer.tui.work import start

ENTRIES = (
    ("index", "Index", "bring the index up to date, or rebuild it"),
    ("search", "Search", "find passages as you type"),
    ("watch", "Watch", "keep the index live while you write"),
    ("status", "Status", "counts, health, model and store"),
    ("settings", "Settings", "every setting and where it came from"),
    ("tune", "Tune", "measure what is fastest here, and keep it"),
    ("quit", "Quit", ""),
)


class MenuScreen(BaseScreen):
    """Seven entries by number, arrow or mouse, above them the vault and its index, below them what needs attention."""

    HEADING = "Obsidian Indexer"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        *(Binding(str(number), f"choose({number})", show=False) for number in range(1, 8)),
        Binding("r", "retry", "Try again"),
        Binding("q", "app.quit", "Quit"),
    ]

    def body(self) -> Iterable[Widget]:
        """One centred column."""
        with VerticalScroll(id="menu-column", can_focus=False):
            yield Line(id="menu-vault")
            yield OptionList(*(Option(_entry(at), id=entry[0]) for at, entry in enumerate(ENTRIES)), id="menu-list")
            yield Line(id="menu-notes")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click opens the entry."""
        self.action_choose(event.option_index + 1)

    def action_choose(self, number: int) -> None:
        """Open the entry with that number."""
        self.query_one("#menu-list", OptionList).highlighted = number - 1
        name = ENTRIES[number - 1][0]
        if name == "quit":
            start(self, self.app.action_quit, "quit")
        else:
            self.indexer.go(name)

    def action_back(self) -> None:
        """There is nothing behind the menu."""

    def action_retry(self) -> None:
        """Open the index again after a failure."""
        self.indexer.start()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Trying again is offered only after a failure."""
        return self.bridge.phase is Phase.FAILED if action == "retry" else True

    def offered(self) -> object:
        """The keys depend on what is under way."""
        return self.bridge.phase

    def tick(self) -> None:
        """Draw the vault's line and the notices."""
        self.query_one("#menu-vault", Line).show(self._vault())
        self.query_one("#menu-notes", Line).show(Content("\n").join(self._notes()))

    def _vault(self) -> Content:
        bridge = self.bridge
        if bridge.options is None:
            return Content.styled("" if bridge.phase is Phase.FAILED else "Opening the index…", DIM)
        path = bridge.options.vault_path
        name = Content.styled(clean_line(path.name), "bold $text-primary")
        return Content("\n").join([name, Content.styled(self._counts(bridge.status), DIM)])

    def _counts(self, status: Status | None) -> str:
        if status is None:
            return "…"
        if not status.notes:
            return "nothing indexed yet – press 1"
        parts = [count(status.notes, "note"), count(status.chunks, "passage")]
        if status.pending:
            parts.append(f"{status.pending:,} pending")
        if status.failed:
            parts.append(f"{status.failed:,} failed")
        return " · ".join(parts)

    def _notes(self) -> list[Content]:
        bridge = self.bridge
        lines: list[Content] = []
        if bridge.phase is Phase.FAILED and bridge.failure:
            lines.append(Content.styled(bridge.failure, "$text-error"))
            lines.append(Content.styled("Press r to try again once it is put right.", DIM))
            return lines
        notices = bridge.notices
        if bridge.warmth is Warmth.LOADING:
            lines.append(Content.styled("Loading the model… keyword search works meanwhile.", DIM))
        elif bridge.model_line and bridge.model_line not in notices:
            lines.append(Content.styled(clean_line(bridge.model_line), DIM))
        status = bridge.status
        if status is not None and status.writer and not bridge.busy:
            writer = clean_line(status.writer)
            lines.append(_notice(f"Another process writes this index: {writer}. Searching works."))
        lines += [_notice(clean_line(message)) for message in notices]
        return lines


def _entry(at: int) -> Content:
    _, label, hint = ENTRIES[at]
    return Content.assemble(
        Content.styled(f" {at + 1}  ", "$text-accent"),
        Content.styled(f"{label:<10}", "bold"),
        Content.styled(hint, DIM),
    )


def _notice(message: str) -> Content:
    return Content.assemble(Content.styled("! ", "bold $text-warning"), Content.styled(message, "$text-warning"))
