"""markdown-it-py's block parser with Obsidian's blocks, its rules chosen by the first character of a line.

Upstream asks every rule at every line; here one rule looks at the character and asks those that can start with it. And
what is nested deeper than the limit is kept as text, where upstream drops it.
"""

from __future__ import annotations

from markdown_it.parser_block import ParserBlock, RuleFuncBlockType
from markdown_it.ruler import Ruler
from markdown_it.rules_block import (
    StateBlock,
    blockquote,
    code,
    fence,
    heading,
    hr,
    html_block,
    lheading,
    list_block,
    paragraph,
    reference,
)
from mdit_py_plugins.footnote.index import footnote_def

from obsidian_indexer.vault.parse.rules.comments import comment_block
from obsidian_indexer.vault.parse.rules.math import math_block
from obsidian_indexer.vault.parse.rules.tables import table
from obsidian_indexer.vault.parse.rules.templates import template_block

# Upstream's 20 loses list text below nine levels; each level costs two or three Python frames.
MAX_NESTING = 200

_STARTS: dict[str, tuple[RuleFuncBlockType, ...]] = {
    "#": (heading,),
    ">": (blockquote,),
    "`": (fence,),
    "~": (fence,),
    "-": (hr, list_block),
    "*": (hr, list_block),
    "_": (hr,),
    "+": (list_block,),
    "[": (footnote_def,),
    "<": (template_block, html_block),
    "%": (comment_block,),
    "$": (math_block,),
} | dict.fromkeys("0123456789", (list_block,))

# What ends a list item, beside the next item and a lesser indent.
_ENDS_ITEM = {char: _STARTS[char] for char in ">`~_%$"} | {"-": (hr,), "*": (hr,), "<": (template_block,)}


def _marked(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Any block that its first character announces."""
    return _try(_STARTS, state, start_line, end_line, silent)


def _marked_in_list(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """The same for the end of a list item, which is only ever asked about."""
    return silent and _try(_ENDS_ITEM, state, start_line, end_line, silent)


def _try(
    rules: dict[str, tuple[RuleFuncBlockType, ...]], state: StateBlock, start_line: int, end_line: int, silent: bool
) -> bool:
    pos = state.bMarks[start_line] + state.tShift[start_line]
    if pos >= state.eMarks[start_line]:
        return False
    candidates = rules.get(state.src[pos])
    if candidates is None or state.is_code_block(start_line):
        return False
    return any(rule(state, start_line, end_line, silent) for rule in candidates)


class VaultBlocks(ParserBlock):
    """The block parser, keeping what is nested too deep as `deep_text` tokens."""

    def __init__(self) -> None:
        self.ruler = Ruler[RuleFuncBlockType]()
        self.ruler.push("table", table, {"alt": ["paragraph", "reference"]})
        self.ruler.push("code", code, {"alt": []})
        self.ruler.push("marked", _marked, {"alt": ["paragraph", "reference", "blockquote"]})
        self.ruler.push("marked_in_list", _marked_in_list, {"alt": ["list"]})
        self.ruler.push("reference", reference, {"alt": []})
        self.ruler.push("lheading", lheading, {"alt": []})
        self.ruler.push("paragraph", paragraph, {"alt": []})

    def tokenize(self, state: StateBlock, startLine: int, endLine: int) -> None:  # noqa: N803
        """Parse the lines `startLine`…`endLine - 1`."""
        if state.level < MAX_NESTING:
            super().tokenize(state, startLine, endLine)
            return
        line = startLine
        while line < endLine and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
            first = line
            while line < endLine and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
                line += 1
            if line > first:
                token = state.push("deep_text", "", 0)
                token.map = [first, line]
                token.content = state.getLines(first, line, state.blkIndent, False)
            line = max(line, first + 1)
        state.line = line
