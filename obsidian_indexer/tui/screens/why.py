"""Why a result was found: a panel over the search screen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from obsidian_indexer.records import Explanation, Hit
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.tui.rows import DIM, FAINT


class WhyPanel(ModalScreen[None]):
    """What each leg says of a hit and which terms of the query it holds; any of escape, enter and x closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,x", "close", "Close")]

    def __init__(self, hit: Hit, explanation: Explanation) -> None:
        super().__init__()
        self._title_text = clean_line(hit.title)
        self._explanation = explanation

    def compose(self) -> ComposeResult:
        """Title, a line for each leg, the terms."""
        with Vertical(classes="panel"):
            yield Static(Content.styled(self._title_text, "bold"), markup=False)
            yield Static(Content("\n".join(_leg_lines(self._explanation))), markup=False)
            if self._explanation.terms:
                terms = clean_line(" · ".join(term.summary for term in self._explanation.terms))
                yield Static(Content.styled(f"terms (BM25): {terms}", DIM), markup=False)
            yield Static(Content.styled("escape closes", FAINT), markup=False)

    def action_close(self) -> None:
        """Close the panel."""
        self.dismiss(None)


def _leg_lines(explanation: Explanation) -> list[str]:
    """The legs in columns."""
    width = max((len(found.leg) for found in explanation.legs), default=0)
    return [
        f"{clean_line(found.leg):<{width}}  rank {found.rank:<4} score {found.score:.3f}  weight {found.weight:.2f}"
        + (f"  {clean_line(found.detail)}" if found.detail else "")
        for found in explanation.legs
    ] or ["It meets the conditions; the query has no words to rank it by."]
