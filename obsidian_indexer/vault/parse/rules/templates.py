"""Templater's `<% … %>` commands: instructions, not text."""

from __future__ import annotations

from markdown_it.rules_block import StateBlock

from obsidian_indexer.vault.parse.rules.spans import closing_line, resume_after, text_follows
from obsidian_indexer.vault.parse.state import VaultState


def template(state: VaultState) -> bool:
    """A command inside a paragraph."""
    if not state.src.startswith("<%", state.pos) or state.html_terminator_last("%>") < state.pos + 2:
        return False
    state.push("template", "", 0)
    state.pos = state.src.find("%>", state.pos + 2) + 2
    return True


def template_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A command that begins a line and may run over several; unclosed it is text."""
    pos = state.bMarks[start_line] + state.tShift[start_line]
    if not state.src.startswith("<%", pos):
        return False
    limit = state.eMarks[end_line - 1]
    if pos >= state.env.get(f"no template before {limit}", limit + 1):
        return False
    end = state.src.find("%>", pos + 2, limit)
    if end < 0:
        state.env[f"no template before {limit}"] = pos
        return False
    last_line = closing_line(state, end, start_line, end_line)
    if last_line == start_line and text_follows(state, last_line, end + 2):
        return False
    if silent:
        return True
    token = state.push("template_block", "", 0)
    token.map = [start_line, last_line + 1]
    resume_after(state, last_line, end + 2)
    return True
