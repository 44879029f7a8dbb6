"""The date that a daily note's name stands for, by the Moment format that Obsidian was given."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

from obsidian_indexer.vault.settings import VaultSettings, fold_path

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH_NAMES = {name: number for number, full in enumerate(_MONTHS, 1) for name in (full, full[:3])}
_MONTH_NAMES |= {f"{number}월": number for number in range(1, 13)}
_LONG_MONTH = "|".join([*_MONTHS, r"1?\d월"])
_SHORT_MONTH = "|".join([*(name[:3] for name in _MONTHS), r"1?\d월"])
_LONG_DAY = "|".join([*_WEEKDAYS, "[월화수목금토일]요일"])
_SHORT_DAY = "|".join([*(name[:3] for name in _WEEKDAYS), "[월화수목금토일]"])
_TOKEN = re.compile(
    r"\[([^\]]*)\]|YYYY|YY|Y|MMMM|MMM|MM|Mo|M|DDDD|DDD|DD|Do|D|dddd|ddd|dd|d|gggg|GGGG|ww|w|WW|W|Q|HH|H|hh|h|mm|m|ss|s|A|a|E|e"
)
# Moment's tokens that name a part of the date, as groups; the others match and are passed over.
_PATTERNS = {
    "YYYY": r"(?P<year>\d{4})",
    "Y": r"(?P<year>\d{4})",
    "YY": r"(?P<short_year>\d{2})",
    "MMMM": f"(?P<month_name>{_LONG_MONTH})",
    "MMM": f"(?P<month_name>{_SHORT_MONTH})",
    "MM": r"(?P<month>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "Mo": r"(?P<month>\d{1,2})(?:st|nd|rd|th|월)",
    "DD": r"(?P<day>\d{2})",
    "D": r"(?P<day>\d{1,2})",
    "Do": r"(?P<day>\d{1,2})(?:st|nd|rd|th|일)",
    "DDDD": r"(?P<year_day>\d{3})",
    "DDD": r"(?P<year_day>\d{1,3})",
    "dddd": f"(?:{_LONG_DAY})",
    "ddd": f"(?:{_SHORT_DAY})",
    "dd": r"(?:mo|tu|we|th|fr|sa|su|[월화수목금토일])",
    "A": "(?:am|pm|오전|오후)",
    "a": "(?:am|pm|오전|오후)",
}


def daily_date(path: str, settings: VaultSettings) -> str | None:
    """The day, `YYYY-MM-DD`, whose daily note the file at `path` is; None when it is not one.

    With a daily notes folder set, the note's whole path below it must follow the format; otherwise the end of its path.
    """
    folder = settings.daily_folder
    if not path.lower().endswith(".md"):
        return None
    name = path[:-3]
    if folder:
        if not fold_path(name).startswith(fold_path(folder) + "/"):
            return None
        name = "/".join(name.split("/")[folder.count("/") + 1 :])
    else:
        depth = settings.daily_format.count("/") + 1
        name = "/".join(name.split("/")[-depth:])
    match = _compiled(settings.daily_format).fullmatch(name)
    return _date_of(match.groupdict()) if match else None


def _date_of(found: dict[str, str | None]) -> str | None:
    year = int(found.get("year") or 0) or 2000 + int(found.get("short_year") or -2000)
    month = int(found.get("month") or 0) or _MONTH_NAMES.get((found.get("month_name") or "").lower(), 0)
    try:
        year_day = found.get("year_day")
        if year_day:
            day = date(year, 1, 1) + timedelta(days=int(year_day) - 1)
            return day.isoformat() if day.year == year else None
        return date(year, month, int(found.get("day") or 0)).isoformat()
    except ValueError:
        return None


@lru_cache(maxsize=16)
def _compiled(moment_format: str) -> re.Pattern[str]:
    """A Moment format as a regex; a part of the date that comes again must say the same."""
    pattern, position, named = "", 0, set[str]()
    for token in _TOKEN.finditer(moment_format):
        pattern += re.escape(moment_format[position : token.start()])
        position = token.end()
        piece = re.escape(token[1]) if token[1] is not None else _PATTERNS.get(token[0], r"\d{1,4}")
        group = re.match(r"\(\?P<(\w+)>", piece)
        if group and group[1] in named:
            piece = f"(?P={group[1]})" + piece[piece.index(")") + 1 :]
        elif group:
            named.add(group[1])
        pattern += piece
    return re.compile(pattern + re.escape(moment_format[position:]), re.IGNORECASE)
