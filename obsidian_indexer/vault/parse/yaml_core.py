"""YAML 1.2 core values from libyaml's events: dates and `12:30` are strings, `yes` is a string, nothing is executed.

PyYAML's loaders read YAML 1.1 and nest as deep as the text does. Here libyaml only parses; values are built with a
stack, so depth, repeated anchors and duplicate keys are refused before they can cost anything.
"""

from __future__ import annotations

import json
import math
import re

import yaml
from yaml import CSafeLoader
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

MAX_BYTES = 65_536
MAX_DEPTH = 64
# Values that aliases may copy in all; a bomb of ten levels would be billions.
MAX_ALIASED = 1_000

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Longer integers do not survive in JavaScript either, and Python refuses the longest.
_MAX_DIGITS = 300
_STRING_TAGS = ("tag:yaml.org,2002:str", "!")

# libyaml ends lines at these, Obsidian does not; they pass through as private characters.
_HIDE = str.maketrans("\x85\u2028\u2029", "\uf8f0\uf8f1\uf8f2")
_SHOW = str.maketrans("\uf8f0\uf8f1\uf8f2", "\x85\u2028\u2029")
_HIDDEN = re.compile("[\uf8f0-\uf8f2]")
_NEEDS_HIDING = re.compile("[\x85\u2028\u2029]")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

Value = object
"""None, bool, int, float, str, list of values or dict from str to values: what JSON can hold."""


class YamlError(ValueError):
    """The text is not YAML that Obsidian would read. `line` is 0-based, `code` short and stable."""

    def __init__(self, code: str, message: str, line: int) -> None:
        super().__init__(message)
        self.code = code
        self.line = line


def load(text: str) -> Value:
    """The value of a YAML document. Raises YamlError."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise YamlError("frontmatter-too-large", f"front matter is larger than {MAX_BYTES // 1024} KB", 0)
    clean = _UNREADABLE.sub("\ufffd", text)
    hidden = _NEEDS_HIDING.search(clean) is not None
    if hidden:
        clean = clean.translate(_HIDE)
    try:
        return _Builder(hidden).build(CSafeLoader(clean))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError("frontmatter-invalid", error.problem or "not YAML", mark.line if mark else 0) from None
    except yaml.YAMLError as error:
        raise YamlError("frontmatter-invalid", str(error).split("\n")[0], 0) from None


class _Builder:
    """Builds one document's value from events, without recursion."""

    def __init__(self, hidden: bool) -> None:
        self._hidden = hidden
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._aliased = 0
        self._root: Value = None
        # Open collections: the value, the pending key of a map (or None), its anchor and how many values it holds.
        self._open: list[_Collection] = []

    def build(self, parser: CSafeLoader) -> Value:
        """The value of the one document that the parser holds."""
        documents = 0
        while parser.check_event():
            event = parser.get_event()
            if isinstance(event, ScalarEvent):
                self._add(self._scalar(event), event, event.anchor, 1)
            elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                self._start(event)
            elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
                self._end(event)
            elif isinstance(event, AliasEvent):
                self._alias(event)
            elif isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise YamlError("frontmatter-invalid", "more than one document", _line(event))
        return self._root

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise YamlError("frontmatter-too-deep", f"nested deeper than {MAX_DEPTH} levels", _line(event))
        self._open.append(_Collection({} if isinstance(event, MappingStartEvent) else [], event.anchor))

    def _end(self, event: Event) -> None:
        done = self._open.pop()
        self._add(done.value, event, done.anchor, done.size)

    def _alias(self, event: AliasEvent) -> None:
        if event.anchor not in self._anchors:
            raise YamlError("frontmatter-invalid", "an alias names no anchor", _line(event))
        value, size = self._anchors[event.anchor]
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            raise YamlError("frontmatter-too-deep", "aliases repeat too much", _line(event))
        self._add(value, event, None, size)

    def _add(self, value: Value, event: Event, anchor: str | None, size: int) -> None:
        """Put a finished value into the collection that is open."""
        if anchor:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self._root = value
            return
        parent = self._open[-1]
        parent.size += size
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is None:
            parent.key = _key(value)
            if parent.key in parent.value:
                raise YamlError("frontmatter-invalid", "a key stands twice", _line(event))
        else:
            parent.value[parent.key] = value
            parent.key = None

    def _scalar(self, event: ScalarEvent) -> Value:
        text: str = event.value
        if self._hidden and _HIDDEN.search(text):
            text = text.translate(_SHOW)
        if event.style or event.tag in _STRING_TAGS:
            return text
        return resolve(text)


class _Collection:
    """A map or list being filled. `size` counts the values in it, itself included."""

    __slots__ = ("anchor", "key", "size", "value")

    def __init__(self, value: dict[str, Value] | list[Value], anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: str | None = None
        self.size = 1


def resolve(text: str) -> Value:
    """The value of an unquoted scalar in YAML 1.2's core schema. Numbers that JSON cannot hold stay as written."""
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789" or len(text) > _MAX_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _key(value: Value) -> str:
    """A map's key as text; keys that are no strings are legal and rare."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _line(event: Event) -> int:
    mark = event.start_mark
    return mark.line if mark else 0
