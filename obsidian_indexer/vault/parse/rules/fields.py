"""Dataview's inline fields: a line `Key:: value`, `[key:: value]` and `(key:: value)`."""

from __future__ import annotations

import re

from markdown_it.token import Token

from obsidian_indexer.vault.parse.state import Bracket, BracketKind, Context, Field, VaultState

_KEY = re.compile(r"[\w \t/\-\u00a1-\U0010ffff]+")
_HAS_WORD = re.compile(r"\w")
_MARKUP = "*_~= \t"
# Longer than any key; it bounds how far back a key is looked for.
_MAX_KEY = 100
# Fields in brackets may hold others; without a bound their values could add up to the square of the text.
_MAX_VALUE = 1_000


def field(state: VaultState) -> bool:
    """The `::` of a field: its colons are dropped from the text and its key and value kept."""
    src, pos = state.src, state.pos
    length = state.run_length()
    if length != 2 or state.context is not Context.TEXT:
        return state.literal(length)
    before = src.rfind("\n", max(0, pos - _MAX_KEY), pos)
    line = before + 1 if before >= 0 else max(0, pos - _MAX_KEY)
    if _in_bracket(state, line) or _in_parentheses(state, line):
        return True
    starts_line = line == 0 or src[line - 1] == "\n"
    key = _clean_key(src[line:pos]) if starts_line and src[pos + 2 : pos + 3] in ("", " ", "\t", "\n") else ""
    if not key:
        return state.literal(2)
    end = src.find("\n", pos)
    _emit(state, _colons(state), key, src[pos + 2 : end if end >= 0 else len(src)])
    return True


def close_field(state: VaultState, bracket: Bracket) -> bool:
    """End a field in brackets at `]`: the brackets are not shown."""
    if bracket.field is None or state.pos - bracket.field.value_start > _MAX_VALUE:
        return False
    opened, close = bracket.field, state.pos
    bracket.token.content = ""
    _emit(state, opened.colons, opened.key, state.src[opened.value_start : close])
    state.pos = close + 1
    return True


def _in_bracket(state: VaultState, line: int) -> bool:
    """Open a field in the innermost bracket, when that stands in this line and holds only a key so far."""
    if not state.brackets:
        return False
    bracket = state.brackets[-1]
    if bracket.kind is not BracketKind.LINK or bracket.field is not None or bracket.pos < line:
        return False
    key = _clean_key(state.src[bracket.pos + 1 : state.pos])
    if key:
        bracket.field = Field(key, state.pos + 2, _colons(state))
    return bool(key)


def _in_parentheses(state: VaultState, line: int) -> bool:
    src, pos = state.src, state.pos
    opened = src.rfind("(", line, pos)
    key = _clean_key(src[opened + 1 : pos]) if opened >= 0 else ""
    if not key:
        return False
    if state.paren_ends is None:
        state.paren_ends = _paren_pairs(src)
    end = state.paren_ends.get(opened)
    if end is None or end - pos > _MAX_VALUE:
        return False
    _emit(state, _colons(state), key, src[pos + 2 : end])
    return True


def _colons(state: VaultState) -> Token:
    """The colons as a token of their own, shown until the field is complete."""
    token = state.push("text", "", 0)
    token.content = "::"
    state.pos += 2
    return token


def _emit(state: VaultState, colons: Token, key: str, value: str) -> None:
    colons.content = " "
    token = state.push("field", "", 0)
    token.meta = {"key": key, "value": value.strip()}


def _clean_key(text: str) -> str:
    """The key without its emphasis; "" when the text cannot be one."""
    key = text.strip(_MARKUP)
    return key if key and _KEY.fullmatch(key) and _HAS_WORD.search(key) and "\n" not in key else ""


def _paren_pairs(src: str) -> dict[int, int]:
    """For each `(` that is closed on its line: the place of its `)`."""
    pairs: dict[int, int] = {}
    stack: list[int] = []
    for match in re.finditer(r"[()\n]", src):
        char = match[0]
        if char == "(":
            stack.append(match.start())
        elif char == "\n":
            stack.clear()
        elif stack:
            pairs[stack.pop()] = match.start()
    return pairs
