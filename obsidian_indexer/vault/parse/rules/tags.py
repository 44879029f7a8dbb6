"""Inline tags: `#` and what may follow it, where a tag may begin, and which of these are none."""

from __future__ import annotations

import re

from obsidian_indexer.vault.parse.state import BracketKind, VaultState

# JavaScript's whitespace, which differs from Python's `\s`.
JS_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_NOT_IN_TAG = JS_SPACE + "\u2000-\u206f\u2e00-\u2e7f" + re.escape("'!\"#$%&()*+,.:;<=>?@^`{|}~[]\\")
_TAG = re.compile(f"#([^{_NOT_IN_TAG}]+)")
_SPACE = re.compile(f"[{JS_SPACE}]")
_DIGITS = re.compile("[0-9]*")
# How many delimiters back a `_` that opened emphasis is looked for; more would let a hostile text cost n².
_LOOK_BACK = 32


def tag(state: VaultState) -> bool:
    """A tag at `#`, when it stands at the start, after a blank or right after other syntax."""
    pending = state.pending
    if pending and not _SPACE.match(pending[-1]):
        return False
    match = _TAG.match(state.src, state.pos)
    if match is None:
        return False
    name, end = match[1].rstrip("/"), match.end()
    if name.endswith("_"):
        name = _without_emphasis_end(state, name)
        end = state.pos + 1 + len(name)
    if _DIGITS.fullmatch(name):
        return False
    before = state.tokens[-1] if state.tokens and not pending else None
    token = state.push("tag", "", 0)
    token.content = name
    bracket = state.brackets[-1] if state.brackets else None
    if before is not None and bracket and bracket.token is before and bracket.kind is BracketKind.LINK:
        state.bracket_tags.append((token, before))
    state.pos = end
    return True


def keep_link_tags(state: VaultState) -> None:
    """Turn tags right after a `[` back to text where that bracket is only a bracket."""
    for token, bracket in state.bracket_tags:
        if bracket.type == "text":
            token.type = "text"
            token.content = "#" + token.content


def is_tag_name(name: str) -> bool:
    """Whether a text from a property can be a tag: no blank in it, and not empty."""
    return bool(name) and not _SPACE.search(name)


def _without_emphasis_end(state: VaultState, name: str) -> str:
    """The name without the underscores that close an emphasis opened before it."""
    for delimiter in reversed(state.delimiters[-_LOOK_BACK:]):
        if delimiter.marker == ord("_"):
            if not delimiter.open or delimiter.close:
                return name
            bare = name.rstrip("_")
            start, end = state.pos + 1 + len(bare), state.pos + 1 + len(name)
            closes = bare and (end == len(state.src) or not state.src[end].isalnum())
            return bare if closes and state.scanDelims(start, False).can_close else name
    return name
