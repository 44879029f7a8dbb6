"""Brackets: `[text](url)`, `![alt](url)`, `[text][ref]` and `^[footnote]`.

They are matched with a stack when a `]` comes, as CommonMark describes it, so that any number of open brackets costs
time in proportion; trying each `[` in turn would not.
"""

from __future__ import annotations

from markdown_it.common.utils import normalizeReference
from markdown_it.helpers import parseLinkDestination, parseLinkTitle

from obsidian_indexer.vault.parse.rules.fields import close_field
from obsidian_indexer.vault.parse.state import Bracket, BracketKind, VaultState

_OPENERS = {BracketKind.LINK: "[", BracketKind.IMAGE: "![", BracketKind.FOOTNOTE: "^["}
# CommonMark's own limit of a reference label.
_MAX_LABEL = 999


def open_link(state: VaultState) -> bool:
    """A `[` that may become a link."""
    return _open(state, BracketKind.LINK)


def open_image(state: VaultState) -> bool:
    """A `![` that may become an image or embed."""
    return _open(state, BracketKind.IMAGE)


def open_footnote(state: VaultState) -> bool:
    """A `^[` that may become a footnote in place."""
    return state.src.startswith("^[", state.pos) and _open(state, BracketKind.FOOTNOTE)


def _open(state: VaultState, kind: BracketKind) -> bool:
    token = state.push("text", "", 0)
    token.content = _OPENERS[kind]
    state.pos += len(token.content)
    state.brackets.append(
        Bracket(kind, token, len(state.tokens) - 1, state.pos - 1, len(state.delimiters), len(state.tokens_meta))
    )
    return True


def close_bracket(state: VaultState) -> bool:
    """A `]`: the end of the innermost open bracket."""
    if not state.brackets:
        return False
    bracket = state.brackets.pop()
    depth = len(state.brackets)
    active = bracket.kind is not BracketKind.LINK or depth >= state.inactive_below
    state.inactive_below = min(state.inactive_below, depth)
    if bracket.kind is BracketKind.FOOTNOTE:
        _enclose(state, bracket, "footnote")
        state.pos += 1
        return True
    found = _destination(state, bracket) if active else None
    if found is None:
        return close_field(state, bracket)
    href, end = found
    if bracket.kind is BracketKind.IMAGE:
        _to_image(state, bracket, href)
    else:
        _enclose(state, bracket, "link")
        bracket.token.meta = {"href": href, "pos": bracket.pos}
        state.inactive_below = depth
    state.pos = end
    return True


def _enclose(state: VaultState, bracket: Bracket, name: str) -> None:
    """Make the bracket and what follows it one element; emphasis inside pairs inside only."""
    bracket.token.type = name + "_open"
    bracket.token.content = ""
    inner = state.delimiters[bracket.n_delimiters :]
    del state.delimiters[bracket.n_delimiters :]
    state.push(name + "_close", "", 0)
    state.tokens_meta.append({"delimiters": inner})


def _to_image(state: VaultState, bracket: Bracket, href: str) -> None:
    """Replace all since the bracket by one image token, whose alt text is literal."""
    del state.tokens[bracket.index + 1 :]
    del state.delimiters[bracket.n_delimiters :]
    del state.tokens_meta[bracket.n_metas :]
    state.pending = ""
    bracket.token.type = "image"
    bracket.token.content = state.src[bracket.pos + 1 : state.pos]
    bracket.token.meta = {"href": href, "pos": bracket.pos}


def _destination(state: VaultState, bracket: Bracket) -> tuple[str, int] | None:
    """The destination behind the `]` and the position after it, inline or by reference; None for none."""
    if state.src.startswith("(", state.pos + 1):
        found = _inline_destination(state.src, state.pos + 2)
        if found is not None:
            return found
    references = state.env.get("references")
    if not references:
        return None
    end = state.pos + 1
    label = state.src[bracket.pos + 1 : min(state.pos, bracket.pos + 2 + _MAX_LABEL)]
    if state.src.startswith("[", end):
        close = state.src.find("]", end + 1, end + 2 + _MAX_LABEL)
        if close >= 0:
            label = state.src[end + 1 : close] or label
            end = close + 1
    if len(label) > _MAX_LABEL:
        return None
    reference = references.get(normalizeReference(label))
    return (reference["href"], end) if reference else None


def _inline_destination(src: str, pos: int) -> tuple[str, int] | None:
    """`(url "title")` from behind its parenthesis."""
    maximum = len(src)
    pos = _skip_blanks(src, pos)
    href = ""
    destination = parseLinkDestination(src, pos, maximum)
    if destination.ok:
        href, pos = destination.str, destination.pos
    after = _skip_blanks(src, pos)
    if after > pos and after < maximum and src[after] in "\"'(":
        title = parseLinkTitle(src, after, maximum)
        if title.ok:
            after = _skip_blanks(src, title.pos)
    return (href, after + 1) if src.startswith(")", after) else None


def _skip_blanks(src: str, pos: int) -> int:
    while pos < len(src) and src[pos] in " \t\n":
        pos += 1
    return pos
