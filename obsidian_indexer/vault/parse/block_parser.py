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


_ALWAYS_FIRST: tuple[RuleFuncBlockType, ...] = (table, code)
_ALWAYS_LAST: tuple[RuleFuncBlockType, ...] = (lheading, paragraph)
_IN_ORDER = {char: (*_ALWAYS_FIRST, *rules, *_ALWAYS_LAST) for char, rules in _STARTS.items()}
_IN_ORDER["["] = (*_ALWAYS_FIRST, footnote_def, reference, *_ALWAYS_LAST)
_OTHERWISE = (*_ALWAYS_FIRST, *_ALWAYS_LAST)


def _interrupts(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Whether a line begins a block that ends a paragraph or quote."""
    pos = state.bMarks[start_line] + state.tShift[start_line]
    rules = _STARTS.get(state.src[pos]) if pos < state.eMarks[start_line] else None
    if rules is None or state.is_code_block(start_line):
        return False
    return any(rule(state, start_line, end_line, silent) for rule in rules)


def _ends_item(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Whether a line begins a block that ends a list."""
    pos = state.bMarks[start_line] + state.tShift[start_line]
    rules = _ENDS_ITEM.get(state.src[pos]) if pos < state.eMarks[start_line] else None
    if rules is None or state.is_code_block(start_line):
        return False
    return any(rule(state, start_line, end_line, silent) for rule in rules)


class VaultBlocks(ParserBlock):
    """The block parser, keeping what is nested too deep as `deep_text` tokens."""

    def __init__(self) -> None:
        # The rulers answer only what ends a block; `tokenize` knows what begins one.
        self.ruler = Ruler[RuleFuncBlockType]()
        self.ruler.push("table", table, {"alt": ["paragraph", "reference"]})
        self.ruler.push("code", code, {"alt": []})
        self.ruler.push("interrupts", _interrupts, {"alt": ["paragraph", "reference", "blockquote"]})
        self.ruler.push("ends_item", _ends_item, {"alt": ["list"]})

    def tokenize(self, state: StateBlock, startLine: int, endLine: int) -> None:  # noqa: N803
        """Parse the lines `startLine`…`endLine - 1`, as upstream does but for the choice of rules."""
        if state.level >= MAX_NESTING:
            _keep_as_text(state, startLine, endLine)
            return
        line = startLine
        has_empty_lines = False
        while line < endLine:
            state.line = line = state.skipEmptyLines(line)
            if line >= endLine or state.sCount[line] < state.blkIndent:
                break
            first = state.src[state.bMarks[line] + state.tShift[line]]
            for rule in _IN_ORDER.get(first, _OTHERWISE):
                if rule(state, line, endLine, False):
                    break
            state.tight = not has_empty_lines
            line = state.line
            if line - 1 < endLine and state.isEmpty(line - 1):
                has_empty_lines = True
            if line < endLine and state.isEmpty(line):
                has_empty_lines = True
                line += 1
                state.line = line


def _keep_as_text(state: StateBlock, start_line: int, end_line: int) -> None:
    """The lines of a block that stands too deep, as text without markup."""
    line = start_line
    while line < end_line and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        first = line
        while line < end_line and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
            line += 1
        if line > first:
            token = state.push("deep_text", "", 0)
            token.map = [first, line]
            token.content = state.getLines(first, line, state.blkIndent, False)
        line = max(line, first + 1)
    state.line = line
