"""Front matter: where it ends, what its properties are, and the tags, aliases and links among them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from obsidian_indexer.records import NoteWarning, PropertyLink
from obsidian_indexer.vault.parse.rules.tags import is_tag_name
from obsidian_indexer.vault.parse.targets import parse_wikilink
from obsidian_indexer.vault.parse.yaml_core import MAX_BYTES, Value, YamlError, load

_DESCRIPTIONS = ("description", "summary", "excerpt", "subtitle")


@dataclass(slots=True)
class FrontMatter:
    """The properties of a note. `end` is the line of the closing fence, 0 when there is no front matter."""

    end: int = 0
    properties: dict[str, Value] = field(default_factory=dict)
    warnings: list[NoteWarning] = field(default_factory=list)

    def listed(self, *names: str) -> list[str]:
        """The strings of a property that is a list or one string, its name in any case; blanks trimmed, none empty."""
        items: list[str] = []
        for key, value in self.properties.items():
            if key.lower() in names:
                values = value if isinstance(value, list) else [value]
                items += [item.strip() for item in values if isinstance(item, str) and item.strip()]
        return items

    def text(self, name: str) -> str:
        """A property that is a string, its name in any case; else ""."""
        for key, value in self.properties.items():
            if key.lower() == name and isinstance(value, str):
                return " ".join(value.split())
        return ""


def read_front_matter(lines: list[str]) -> FrontMatter:
    """The front matter that a file's lines begin with. Whatever is wrong with it, the body stays."""
    end = _closing_line(lines)
    matter = FrontMatter(end)
    if not end:
        return matter
    source = "\n".join(lines[1 : end - 1])
    try:
        value = load(source)
    except YamlError as error:
        value = _json_object(source)
        if value is None:
            matter.warnings.append(NoteWarning(error.code, f"properties are not read: {error}", error.line + 2))
    if isinstance(value, dict):
        matter.properties = value
    elif value is not None:
        matter.warnings.append(NoteWarning("frontmatter-not-a-map", "properties are not read: no keys in them", 2))
    return matter


def _closing_line(lines: list[str]) -> int:
    """The 1-based line of the fence that closes the front matter; 0 when the file has none."""
    if lines[0] != "---":
        return 0
    for number, line in enumerate(lines[1:], 2):
        if line.startswith("---") and not line[3:].strip(" \t"):
            return number
    return 0


def _json_object(source: str) -> dict[str, Value] | None:
    """Properties written as JSON in a way that YAML does not take."""
    if not source.lstrip().startswith("{") or len(source) > MAX_BYTES:
        return None
    try:
        value = json.loads(source, parse_constant=str)
        # A half of a surrogate pair can be spelled in JSON and written nowhere.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def property_tags(matter: FrontMatter, *, lenient: bool) -> list[str]:
    """The tags among the properties, without `#`. Obsidian takes no tag that holds a blank; `lenient` splits it."""
    names = matter.listed("tags", "tag") if lenient else matter.listed("tags")
    if lenient:
        names = [part for name in names for part in name.replace(",", " ").split()]
    found = (name.removeprefix("#").rstrip("/") for name in names)
    return [name for name in found if is_tag_name(name)]


def property_aliases(matter: FrontMatter, *, lenient: bool) -> list[str]:
    """The aliases among the properties, as written."""
    names = matter.listed("aliases", "alias") if lenient else matter.listed("aliases")
    if lenient:
        names = [part.strip() for name in names for part in name.split(",") if part.strip()]
    return list(dict.fromkeys(names))


def property_links(matter: FrontMatter) -> list[PropertyLink]:
    """The properties whose whole text is a wikilink; a list item's key is `name.0`."""
    links: list[PropertyLink] = []
    for key, text in _strings(matter.properties):
        text = text.strip()
        inner = text[2:-2]
        if text.startswith("[[") and text.endswith("]]") and "]]" not in inner and "[[" not in inner:
            target = parse_wikilink(inner)
            if target is not None:
                links.append(PropertyLink(key, target.path, target.heading))
    return links


def lead_text(title: str, aliases: Iterable[str], matter: FrontMatter) -> str:
    """What goes before a note's first passage: title, aliases, description-like properties; each once, one a line."""
    lines = [title, matter.text("title"), *aliases, *(matter.text(name) for name in _DESCRIPTIONS)]
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(line.casefold(), line)
    return "\n".join(line for line in first.values() if line)


def unique_tags(names: Iterable[str]) -> tuple[str, ...]:
    """Tags without repeats, whatever their case; each as first written."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.casefold(), name)
    return tuple(first.values())


def _strings(properties: dict[str, Value]) -> Iterator[tuple[str, str]]:
    """Every string among the properties with its key, nested ones joined by dots."""
    waiting: list[tuple[str, Value]] = [(key, value) for key, value in reversed(properties.items())]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, list):
            waiting.extend((f"{key}.{number}", item) for number, item in reversed(list(enumerate(value))))
        elif isinstance(value, dict):
            waiting.extend((f"{key}.{name}", item) for name, item in reversed(list(value.items())))
