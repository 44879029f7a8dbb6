"""Dates as people type them: `2026-01`, `7d`, `today`, `2026-01..2026-03`, `>2026-01-15`; each is a span of time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from obsidian_indexer.errors import QueryError

Span = tuple[datetime, datetime | None]
"""From the first moment on, up to and without the second, None for no end; local time."""

_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_AGO = re.compile(r"(\d{1,5})\s*(h|d|w|m|y)", re.IGNORECASE)
_SIGN = re.compile(r"(>=|<=|>|<)\s*")
_DAYS = {"d": 1.0, "w": 7.0, "m": 30.436875, "y": 365.2425, "h": 1 / 24}
_EXPECTED = "Write a date as 2026, 2026-01, 2026-01-31, 7d, 2w, 3m, 1y, today or yesterday"


def read_span(text: str, position: int, now: datetime) -> Span:
    """The span that one date names: a year, month or day whole, `7d` from midnight seven days ago on.

    Raises QueryError at `position`.
    """
    text = text.strip().casefold()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        match text:
            case "today":
                return midnight, midnight + timedelta(days=1)
            case "yesterday":
                return midnight - timedelta(days=1), midnight
        if found := _AGO.fullmatch(text):
            from_when = now if found[2] == "h" else midnight
            return from_when - timedelta(days=int(found[1]) * _DAYS[found[2]]), None
        if found := _DATE.fullmatch(text):
            return _whole(*(None if part is None else int(part) for part in found.groups()))
    except (ValueError, OverflowError) as error:
        raise QueryError(f"There is no such date. {_EXPECTED}.", position) from error
    raise QueryError(f"This is no date. {_EXPECTED}.", position)


def read_range(text: str, position: int, now: datetime) -> tuple[datetime | None, datetime | None]:
    """What `created:` and `modified:` ask for: a date, one with a sign, or two joined by `..`, either of them left out.

    Both ends of a range belong to it. Raises QueryError pointing at the part at fault.
    """
    if sign := _SIGN.match(text):
        start, end = read_span(text[sign.end() :], position + sign.end(), now)
        match sign[1]:
            case ">=":
                return start, None
            case "<":
                return None, start
            case ">":
                return end or start, None
            case _:
                return None, end or start
    first, dots, last = text.partition("..")
    if not dots:
        return read_span(text, position, now)
    if not first.strip() and not last.strip():
        raise QueryError(f"A range needs a date. {_EXPECTED}.", position)
    begins = read_span(first, position, now)[0] if first.strip() else None
    if not last.strip():
        return begins, None
    start, end = read_span(last, position + len(first) + 2, now)
    return begins, end or start


def _whole(year: int | None, month: int | None, day: int | None) -> Span:
    """The year, month or day whole."""
    start = datetime(year or 0, month or 1, day or 1)  # noqa: DTZ001 - the clock on the wall is meant
    if day is not None:
        return start, start + timedelta(days=1)
    if month is not None:
        return start, (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    return start, start.replace(year=start.year + 1)
