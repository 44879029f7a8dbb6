"""Lines and rows: cutting, spreading and wrapping styled text to a width counted in cells.

Wide characters take two cells and are never halved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.content import Content

# Quieter text as a share of the foreground: `$text-muted` is an automatic colour, which spans cannot resolve.
DIM = "$foreground 62%"
FAINT = "$foreground 40%"
TRACK = "$foreground 15%"
BAR_CELLS = 6


def fit(content: Content, width: int) -> Content:
    """One line of at most `width` cells, ended by an ellipsis where cut; wide characters are never halved."""
    return content.truncate(max(1, width), ellipsis=True)


def spread(left: Content, right: Content, width: int) -> Content:
    """Left and right text on one line of `width` cells; the left gives way first."""
    if right.cell_length + 4 > width:
        return fit(left, width)
    left = fit(left, width - right.cell_length - 1)
    gap = width - left.cell_length - right.cell_length
    return Content.assemble(left, " " * gap, right)


def bar(fraction: float, cells: int = BAR_CELLS) -> Content:
    """A thin bar `cells` wide, filled to the fraction in half cells; never quite empty."""
    halves = max(1, round(min(1.0, max(0.0, fraction)) * cells * 2))
    filled = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return Content.assemble((filled, "$accent"), ("━" * (cells - len(filled)), TRACK))


@dataclass(frozen=True, slots=True)
class Row:
    """A line that may wrap: its first row starts with `lead`; further rows with as many blanks, or `lead` again."""

    lead: Content
    text: Content
    repeat: bool = False


def flow(row: Row, width: int) -> list[Content]:
    """The rows of a line at that width; rows after the first hang under the text."""
    room = max(4, width - row.lead.cell_length)
    pieces = [piece.rstrip() for piece in row.text.wrap(room)] if row.text.plain else [Content("")]
    follow = row.lead if row.repeat else Content(" " * row.lead.cell_length)
    return [Content.assemble(row.lead if at == 0 else follow, piece) for at, piece in enumerate(pieces)]


def page(rows: Iterable[Row], width: int) -> Content:
    """All rows of all lines, one below the other."""
    return Content("\n").join(piece for row in rows for piece in flow(row, width))


def plain(text: str = "", style: str = "") -> Row:
    """A line without a lead."""
    return Row(Content(""), Content.styled(text, style) if style else Content(text))
