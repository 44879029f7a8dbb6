"""Math: `$…$` with nothing blank inside the dollars, `$$…$$` anywhere. `$10 and $20` is text."""

from __future__ import annotations

from markdown_it.rules_block import StateBlock

from obsidian_indexer.vault.parse.rules.spans import closing_line, is_open_above, resume_after, text_follows
from obsidian_indexer.vault.parse.state import VaultState


def math(state: VaultState) -> bool:
    """Inline math at `$`."""
    length = state.run_length()
    if length > 2:
        return state.literal(length)
    start = state.pos + length
    end = _closer(state.src, start, "$" * length, state.html_terminator_last("$" * length))
    if end < 0 or not state.src[start:end].strip() or (length == 1 and not _is_tight(state.src, start, end)):
        return state.literal(length)
    token = state.push("math_inline", "", 0)
    token.content = state.src[start:end].strip()
    state.pos = end + length
    return True


def _closer(src: str, start: int, marker: str, last: int) -> int:
    """Where the next `marker` without a backslash before it stands, or -1; `last` is the place of the last one."""
    end = start
    while end <= last:
        end = src.find(marker, end)
        if src[end - 1] != "\\":
            return end
        end += 1
    return -1


def _is_tight(src: str, start: int, end: int) -> bool:
    """Whether single dollars hold no blank at their inner sides and no digit follows them."""
    return not src[start].isspace() and not src[end - 1].isspace() and not src[end + 1 : end + 2].isdigit()


def math_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Math that begins a line with `$$` and runs to the next `$$`; without one it is text."""
    pos = state.bMarks[start_line] + state.tShift[start_line]
    if not state.src.startswith("$$", pos) or state.src.startswith("$", pos + 2):
        return False
    if silent and state.parentType == "paragraph" and is_open_above(state, start_line, "$$"):
        return False
    line_end = state.eMarks[start_line]
    end = state.src.find("$$", pos + 2, line_end)
    if end >= 0:
        if text_follows(state, start_line, end + 2):
            return False
    else:
        limit = state.eMarks[end_line - 1]
        # The searches that fail all fail at the same limit: remembered, so that many openers cost one search.
        if pos >= state.env.get(f"no math before {limit}", limit + 1):
            return False
        end = state.src.find("$$", pos + 2, limit)
        if end < 0:
            state.env[f"no math before {limit}"] = pos
            return False
    if silent:
        return True
    last_line = closing_line(state, end, start_line, end_line)
    token = state.push("math_block", "", 0)
    token.map = [start_line, last_line + 1]
    lines = [state.src[state.bMarks[line] : state.eMarks[line]] for line in range(start_line, last_line + 1)]
    lines[-1] = lines[-1][: len(lines[-1]) - (state.eMarks[last_line] - end)]
    lines[0] = lines[0][pos + 2 - state.bMarks[start_line] :]
    token.content = "\n".join(lines).strip()
    resume_after(state, last_line, end + 2)
    return True
