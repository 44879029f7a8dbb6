"""`[[target#heading|text]]` and the embed `![[…]]`: everything inside is literal."""

from __future__ import annotations

import re

from obsidian_indexer.vault.parse.state import VaultState
from obsidian_indexer.vault.parse.targets import parse_wikilink

_EDGE = re.compile(r"\[{2,}|\]\]|\n")
_FOOTNOTE_TARGET = re.compile(r"#\[\^[^\[\]|]*")


def wikilink(state: VaultState) -> bool:
    """A wikilink at `[[`."""
    return state.src.startswith("[[", state.pos) and _read(state, state.pos, embed=False)


def embed(state: VaultState) -> bool:
    """An embed at `![[`."""
    return state.src.startswith("![[", state.pos) and _read(state, state.pos + 1, embed=True)


def _read(state: VaultState, opened: int, *, embed: bool) -> bool:
    if state.wikilink_ends is None:
        state.wikilink_ends = _pairs(state.src)
    end = state.wikilink_ends.get(opened)
    if end is None:
        return False
    inner = state.src[opened + 2 : end]
    if state.src.startswith("]]]", end) and _FOOTNOTE_TARGET.search(inner):
        end, inner = end + 1, inner + "]"
    target = parse_wikilink(inner, embed=embed)
    if target is None:
        return False
    token = state.push("wikilink", "", 0)
    token.meta = {"target": target, "embed": embed, "pos": opened}
    state.pos = end + 2
    return True


def _pairs(src: str) -> dict[int, int]:
    """For each `[[` that a `]]` closes on its line, with no other `[[` between: the place of that `]]`."""
    pairs: dict[int, int] = {}
    opened = -1
    for edge in _EDGE.finditer(src):
        first = src[edge.start()]
        if first == "[":
            opened = edge.end() - 2
        elif first == "]" and opened >= 0:
            pairs[opened] = edge.start()
            opened = -1
        else:
            opened = -1
    return pairs
