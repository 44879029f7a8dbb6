"""Which fenced code is text worth finding, and what of it."""

from __future__ import annotations

import re

_DROPPED = frozenset({"dataview", "dataviewjs", "query", "tasks", "base", "button", "json-canvas"})
# The shapes in which Mermaid writes a label: quoted, in brackets of a node, on an edge, or after a colon.
_MERMAID_LABEL = re.compile(
    r'"([^"\n]*)"|[\[({]{1,3}([^\[\](){}"\n]+)[\])}]|\|([^|"\n]+)\||: ?([^:"\n]+)$',
    re.MULTILINE,
)
_MERMAID_TITLE = re.compile(r"^[ \t]*(?:title|section|participant .* as|actor .* as)[ \t:]+(.+)$", re.MULTILINE)


def language_of(info: str) -> str:
    """The language that a fence's info string names, lower case, "" for none."""
    words = info.split(maxsplit=1)
    return words[0].strip("{}.").lower() if words else ""


def is_dropped(language: str) -> bool:
    """Whether a block of this language holds instructions or data for a plugin instead of text."""
    return language in _DROPPED or language.endswith("-json")


def mermaid_labels(source: str) -> str:
    """The words of a Mermaid diagram, one label a line."""
    labels: dict[str, None] = {}
    for match in _MERMAID_TITLE.finditer(source):
        labels[match[1].strip()] = None
    for match in _MERMAID_LABEL.finditer(source):
        label = next((group for group in match.groups() if group), "").strip()
        if any(char.isalpha() for char in label):
            labels[label] = None
    return "\n".join(labels)
