"""Footnote references `[^id]`. Definitions use mdit-py-plugins' block rule; `^[text]` is among the brackets."""

from __future__ import annotations

import re

from obsidian_indexer.vault.parse.state import VaultState

_REFERENCE = re.compile(r"\[\^[^\s\[\]]+\]")


def footnote_reference(state: VaultState) -> bool:
    """A marker in the text; it shows nothing that is worth finding."""
    match = _REFERENCE.match(state.src, state.pos)
    if match is None:
        return False
    state.push("footnote_ref", "", 0)
    state.pos = match.end()
    return True
