"""Links that open a note in Obsidian, at a heading, a block or a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

_NOT_IN_HEADING = re.compile(r"[:#|^\\\r\n]|%%|\[\[|\]\]")


def obsidian_uri(
    vault_name: str,
    path: str,
    *,
    heading: str | Sequence[str] | None = None,
    block: str | None = None,
    line: int | None = None,
    advanced: bool = False,
) -> str:
    """The `obsidian://` link to a note.

    `heading` is a path of headings joined by `#`, or a sequence of them; `block` a block id with or without `^`; `line`
    is 1-based. Obsidian itself has no line parameter, so `line` counts only with `advanced`, the form that the Advanced
    URI plugin answers.
    """
    if advanced:
        fields = [("vault", vault_name), ("filepath", path)]
        if block:
            fields.append(("block", block.lstrip("^")))
        elif heading:
            fields.extend(("heading", part) for part in _heading_parts(heading)[-1:])
        elif line is not None:
            fields += [("line", str(line)), ("column", "1")]
        return "obsidian://adv-uri?" + _query(fields)
    target = path
    if block:
        target += "#^" + block.lstrip("^")
    elif heading:
        target += "".join("#" + part for part in _heading_parts(heading))
    return "obsidian://open?" + _query([("vault", vault_name), ("file", target)])


def _heading_parts(heading: str | Sequence[str]) -> list[str]:
    parts = heading.split("#") if isinstance(heading, str) else heading
    cleaned = (" ".join(_NOT_IN_HEADING.sub(" ", part).split()) for part in parts)
    return [part for part in cleaned if part]


def _query(fields: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={_encode(value)}" for name, value in fields)


def _encode(value: str) -> str:
    """Percent-encode everything, `/` and blanks included; a name that is no text on disk keeps its bytes."""
    try:
        return quote(value, safe="", errors="surrogateescape")
    except UnicodeEncodeError:
        return quote(value, safe="", errors="replace")
