"""`==highlight==` and `~~strike~~`, paired the way markdown-it-py pairs emphasis."""

from __future__ import annotations

from markdown_it.rules_inline.state_inline import Delimiter

from obsidian_indexer.vault.parse.state import VaultState

_MARKERS = {ord("="): "mark", ord("~"): "s"}


def pair(state: VaultState) -> bool:
    """A run of exactly two `=` or `~`; `==>` is an arrow."""
    length = state.run_length()
    marker = state.src[state.pos]
    if length != 2 or (marker == "=" and state.src.startswith(">", state.pos + 2)):
        return state.literal(length)
    scanned = state.scanDelims(state.pos, True)
    token = state.push("text", "", 0)
    token.content = marker * 2
    state.delimiters.append(
        Delimiter(
            marker=ord(marker),
            length=0,
            token=len(state.tokens) - 1,
            end=-1,
            open=scanned.can_open,
            close=scanned.can_close,
        )
    )
    state.pos += 2
    return True


def finish_pairs(state: VaultState) -> None:
    """Turn the delimiters that found a partner into tokens without text."""
    inner = [meta["delimiters"] for meta in state.tokens_meta if meta and "delimiters" in meta]
    for delimiters in (state.delimiters, *inner):
        for delimiter in delimiters:
            name = _MARKERS.get(delimiter.marker)
            if name is None or delimiter.end < 0:
                continue
            for index, suffix in ((delimiter.token, "_open"), (delimiters[delimiter.end].token, "_close")):
                state.tokens[index].type = name + suffix
                state.tokens[index].content = ""
