"""Addresses: bare `https://…` in the text, and `<https://…>`. Nothing inside them is markup."""

from __future__ import annotations

import re

from obsidian_indexer.vault.parse.state import VaultState

_SCHEMES = ("http", "https", "ftp", "file", "obsidian", "zotero")
_REST = re.compile(r"://[^\s<>\[\]\"`|\\]*")
_ANGLE = re.compile(
    r"<([A-Za-z][A-Za-z0-9+.\-]{1,31}:[^<>\x00-\x20]*|[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9.\-]+)>"
)


def bare_url(state: VaultState) -> bool:
    """The rest of an address at its `://`, without the punctuation that ends a sentence."""
    pos = state.pos
    if not state.src[max(0, pos - 8) : pos].lower().endswith(_SCHEMES):
        return state.literal(3)
    match = _REST.match(state.src, pos)
    text = match[0] if match else "://"
    surplus = text.count(")") - text.count("(")
    end = len(text)
    while end > 3:
        last = text[end - 1]
        if last == ")" and surplus > 0:
            surplus -= 1
        elif text[end - 2 : end] in ("==", "%%"):
            end -= 1
        elif last not in "?!.,:;*_~'":
            break
        end -= 1
    return state.literal(end)


def angle_url(state: VaultState) -> bool:
    """An address between angle brackets."""
    match = _ANGLE.match(state.src, state.pos)
    if match is None:
        return False
    state.push("url", "", 0).content = match[1]
    state.pos = match.end()
    return True
