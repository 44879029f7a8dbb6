"""Setting values as text and back."""

from __future__ import annotations

from obsidian_indexer.sanitize import clean_line


def shown_value(value: object) -> str:
    """A setting's value as one edits it and as `parse_value` reads it back."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple() | list():
            return ", ".join(clean_line(str(item)) for item in value)
        case _:
            return clean_line(str(value))


def display_value(value: object) -> str:
    """A setting's value for reading, where an empty one says so."""
    return shown_value(value) or "–"


def parse_value(text: str, like: object) -> object:
    """The text as a value of the same type as `like`; text that does not fit stays text, for the setting to refuse."""
    stripped = text.strip()
    match like:
        case bool():
            return {"yes": True, "no": False, "true": True, "false": False}.get(stripped.lower(), stripped)
        case int():
            return _number(stripped.replace(",", "").replace("_", ""), int)
        case float():
            return _number(stripped, float)
        case tuple() | list():
            return tuple(part.strip() for part in stripped.split(",") if part.strip())
        case None:
            return text or None
        case _:
            return text


def _number(text: str, kind: type[int] | type[float]) -> object:
    try:
        return kind(text)
    except ValueError:
        return text
