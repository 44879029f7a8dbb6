"""What a link's text says: the path, the heading or block in it, and the text shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:|//")
_SIZE = re.compile(r"\s*\d+\s*(?:x\s*\d+\s*)?")


@dataclass(frozen=True, slots=True)
class Target:
    """A link taken apart. `shown` is what Obsidian shows for it, `display` only what the link itself gives."""

    path: str
    heading: str | None
    block: str | None
    display: str | None
    shown: str


def parse_wikilink(inner: str, *, embed: bool = False) -> Target | None:
    """The target of the text between `[[` and `]]`; None when it is blank and so no link."""
    left, bar, right = inner.partition("|")
    if bar and not left.strip():
        left, bar, right = inner, "", ""
    elif bar and left.endswith("\\"):
        # Outside of a table the escape is still there.
        left = left[:-1]
    left = left.strip()
    if not left:
        return None
    display: str | None = right.strip() if bar else None
    if embed and display is not None:
        display = without_size(display)
    target = split_subpath(left)
    return replace(target, display=display, shown=display) if display else target


def parse_destination(href: str) -> Target | None:
    """The target of a Markdown link's destination; None when it leads out of the vault or nowhere."""
    if not href or _SCHEME.match(href):
        return None
    path, mark, sub = href.partition("#")
    left = unquote(path).strip()
    target = split_subpath(mark + unquote(sub).strip())
    return Target(without_extension(left), target.heading, target.block, None, left)


def without_extension(path: str) -> str:
    """The path of a note as links name it."""
    return path[:-3] if len(path) > 3 and path[-3:].lower() == ".md" else path


def without_size(display: str) -> str:
    """An embed's text without the width and height that may end it."""
    head, bar, tail = display.rpartition("|")
    if not _SIZE.fullmatch(tail):
        return display.strip()
    return head.strip() if bar else ""


def split_subpath(left: str) -> Target:
    """A path and what follows its first `#`: headings, or one block id. Shown are the path and headings."""
    if left.startswith("##"):
        # Typed to search for headings of the whole vault; it never leads anywhere.
        return Target(left, None, None, None, left)
    path, mark, sub = left.partition("#")
    path = path.strip()
    parts = [part.strip() for part in sub.split("#")] if mark else []
    parts = [part for part in parts if part]
    target = without_extension(path)
    if not parts:
        return Target(target, None, None, None, path)
    if len(parts) == 1 and parts[0].startswith("^") and len(parts[0]) > 1:
        return Target(target, None, parts[0][1:].strip(), None, path)
    return Target(target, "#".join(parts), None, None, " > ".join([path, *parts] if path else parts))
