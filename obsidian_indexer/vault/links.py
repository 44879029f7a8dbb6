"""Where a link leads, as Obsidian decides it: a file of the vault, then the lines of a heading or block."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from obsidian_indexer.records import Note

_NOT_IN_HEADING = re.compile(r"""[!"#$%&()*+,.:;<=>?@^`{|}~/\[\]\\\s]+""")


class LinkIndex:
    """Every file of a vault, by the names that links use. Lookups ignore case, Unicode form and kind of blank."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[str, list[tuple[str, str]]] = {}
        self._by_path: dict[str, list[str]] = {}
        for path in paths:
            folded = _fold(path)
            self._by_name.setdefault(folded[folded.rfind("/") + 1 :], []).append((folded, path))
            self._by_path.setdefault(folded, []).append(path)
        self._nearest: dict[str, Mapping[str, str]] = {}

    def resolve(self, target: str, source: str) -> str | None:
        """The path that a link to `target`, standing in the note `source`, leads to; None when there is none.

        `target` has no subpath; "" is the note itself. Among several files of that name one below the source's folder
        wins, then the shortest path, then the first by alphabet. Aliases never resolve.
        """
        wanted = _tidy(target)
        if wanted == "":
            return source
        if wanted.startswith(("./", "../")):
            exact = _relative(wanted, source)
            found = self._exact(exact) if exact is not None else None
            if found is not None:
                return found
            wanted = wanted[len(_leading_dots(wanted)) :]
        elif wanted.startswith("/"):
            return self._exact(wanted.lstrip("/"))
        if not wanted or wanted.endswith("/"):
            return None
        nearest = self._nearest.get(wanted)
        if nearest is None:
            nearest = self._nearest[wanted] = self._rank(wanted)
        folder = _fold(source[: source.rfind("/") + 1])
        return nearest.get(folder) or nearest.get("")

    def _exact(self, path: str) -> str | None:
        for name in _file_names(path):
            found = self._by_path.get(_fold(name))
            if found:
                return name if name in found else min(found)
        return None

    def _rank(self, wanted: str) -> dict[str, str]:
        """For each folder above a file that `wanted` can mean, and "" for the vault: the best file below it."""
        for name in _file_names(wanted):
            folded = _fold(name)
            group = self._by_name.get(folded[folded.rfind("/") + 1 :], ())
            suffix = "/" + folded
            matches = [pair for pair in group if pair[0] == folded or pair[0].endswith(suffix)]
            if matches:
                break
        else:
            return {}
        spelled = "/" + name
        matches.sort(key=lambda pair: (len(pair[0]), pair[0], not f"/{_spaces(pair[1])}".endswith(spelled), pair[1]))
        best: dict[str, str] = {}
        for folded, path in matches:
            best.setdefault("", path)
            slash = folded.find("/")
            while slash != -1:
                best.setdefault(folded[: slash + 1], path)
                slash = folded.find("/", slash + 1)
        return best


def resolve_subpath(note: Note, heading: str | None, block: str | None) -> tuple[int, int] | None:
    """The lines [start, end] of a heading's section or of a block in `note`; None when it is not there or not asked.

    `heading` may be a path of headings joined by `#`: each must stand deeper than the one before. A section ends before
    the next heading of the same or a higher level.
    """
    if block:
        wanted = block.strip().lstrip("^").casefold()
        return next((lines for name, lines in note.block_ids.items() if name.casefold() == wanted), None)
    parts = [_heading_key(part) for part in (heading or "").split("#")]
    parts = [part for part in parts if part]
    if not parts:
        return None
    level, matched = 0, 0
    for position, found in enumerate(note.headings):
        if found.level <= level or parts[matched] not in (_heading_key(found.raw), _heading_key(found.text)):
            continue
        matched += 1
        if matched == len(parts):
            after = (other.line for other in note.headings[position + 1 :] if other.level <= found.level)
            return found.line, max(found.line, next(after, _last_line(note) + 1) - 1)
        level = found.level
    return None


def _last_line(note: Note) -> int:
    if note.n_lines:
        return note.n_lines
    ends = [block.end_line for block in note.blocks]
    ends += [lines[1] for lines in note.block_ids.values()]
    ends += [item.line for items in (note.headings, note.links, note.tasks, note.callouts) for item in items]
    return max(ends, default=1)


def _heading_key(text: str) -> str:
    return _NOT_IN_HEADING.sub(" ", unicodedata.normalize("NFC", text)).strip().casefold()


def _spaces(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("\xa0", " ")


def _fold(path: str) -> str:
    return path.lower() if path.isascii() else _spaces(path).lower()


def _tidy(target: str) -> str:
    return re.sub(r"/{2,}", "/", _spaces(target)).strip()


def _file_names(path: str) -> tuple[str, ...]:
    """The file names that a link path can stand for, in the order they are tried."""
    return (path, path + ".md") if "." in path[path.rfind("/") + 1 :] else (path + ".md",)


def _leading_dots(path: str) -> str:
    match = re.match(r"(?:\.{1,2}/)+", path)
    return match.group() if match else ""


def _relative(path: str, source: str) -> str | None:
    """`path` taken from the folder of `source`, or None when it climbs out of the vault."""
    parts = source.split("/")[:-1]
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts)
