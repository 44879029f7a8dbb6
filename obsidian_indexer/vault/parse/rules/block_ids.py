"""` ^id` at the end of a block: its name for links."""

from __future__ import annotations

import re

from obsidian_indexer.vault.parse.state import Context, VaultState

_BLOCK_ID = re.compile(r"\^([A-Za-z0-9-]+)[ \t]*\Z")


def block_id(state: VaultState) -> bool:
    """A block id at `^`, as the last thing of a text and after a blank."""
    pos = state.pos
    if state.context is Context.COMMENT or (pos > 0 and state.src[pos - 1] not in " \t\n"):
        return False
    if state.context is Context.CELL and pos > 0:
        return False
    match = _BLOCK_ID.match(state.src, pos)
    if match is None:
        return False
    token = state.push("block_id", "", 0)
    token.content = match[1]
    state.pos = match.end()
    return True
