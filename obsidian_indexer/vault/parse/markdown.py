"""The Markdown parser: markdown-it-py's blocks with Obsidian's added, and its inline rules chosen by character.

Two things differ from `MarkdownIt.parse`. Blocks nested deeper than the limit are kept as text instead of dropped. And
a text is read with only those rules that can start at its next special character, none of which looks ahead through the
others; so the time is proportional to the length of the text.
"""

from __future__ import annotations

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.parser_block import ParserBlock
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import backtick, emphasis, entity, escape, html_inline, link_pairs
from markdown_it.token import Token
from markdown_it.utils import EnvType
from mdit_py_plugins.footnote.index import footnote_def

from obsidian_indexer.vault.parse.rules import brackets, comments, fields, math, tables, templates, urls, wikilinks
from obsidian_indexer.vault.parse.rules.block_ids import block_id
from obsidian_indexer.vault.parse.rules.footnotes import footnote_reference
from obsidian_indexer.vault.parse.rules.html import html_comment
from obsidian_indexer.vault.parse.rules.pairs import finish_pairs, pair
from obsidian_indexer.vault.parse.rules.tags import keep_link_tags, tag
from obsidian_indexer.vault.parse.state import Context, InlineRule, VaultState

# Upstream's 20 loses list text below nine levels; each level costs two or three Python frames.
MAX_NESTING = 200

# A `_` between letters can neither open nor close emphasis, so it stops nothing.
_SPECIAL = re.compile(
    r"[#$&*<\[\]\\`]|\^(?=[\[A-Za-z0-9-])|!(?=\[)|==|~~|%%|::|:(?=//)|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])"
)


def _colon(state: VaultState) -> bool:
    return fields.field(state) if state.src.startswith("::", state.pos) else urls.bare_url(state)


_RULES: dict[str, tuple[InlineRule, ...]] = {
    "#": (tag,),
    "$": (math.math,),
    "&": (lambda state: entity(state, False),),
    "*": (lambda state: emphasis.tokenize(state, False),),
    "_": (lambda state: emphasis.tokenize(state, False),),
    "<": (templates.template, html_comment, urls.angle_url, lambda state: html_inline(state, False)),
    "[": (wikilinks.wikilink, footnote_reference, brackets.open_link),
    "]": (brackets.close_bracket,),
    "!": (wikilinks.embed, brackets.open_image),
    "\\": (lambda state: escape(state, False),),
    "^": (brackets.open_footnote, block_id),
    "`": (lambda state: backtick(state, False),),
    "=": (pair,),
    "~": (pair,),
    "%": (comments.comment,),
    ":": (_colon,),
}


class VaultMarkdown(MarkdownIt):
    """markdown-it-py that leaves link destinations as they are written; nothing here is ever rendered."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        """The destination as written."""
        return url

    def validateLink(self, url: str) -> bool:  # noqa: N802
        """Every destination counts; none is ever opened."""
        return True


class VaultBlocks(ParserBlock):
    """The block parser, keeping what is nested too deep as `deep_text` tokens."""

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


def parse_blocks(text: str) -> tuple[list[Token], EnvType]:
    """The block tokens of a text whose lines end in LF, and the environment its inline texts need."""
    markdown = markdown_parser()
    tokens: list[Token] = []
    environment: EnvType = {}
    markdown.block.parse(text, markdown, environment, tokens)
    return tokens, environment


def parse_inline(text: str, environment: EnvType, context: Context) -> list[Token] | None:
    """The inline tokens of one text, flat; None when nothing in it is special and it stands for itself."""
    found = _SPECIAL.search(text)
    if found is None:
        return None
    state = VaultState(text, markdown_parser(), environment, [], context)
    end = len(text)
    pos = 0
    while found is not None:
        start = found.start()
        if start > pos:
            state.append_pending(text[pos:start])
        state.pos = start
        for rule in _RULES[text[start]]:
            if rule(state):
                break
        else:
            state.append_pending(text[start])
            state.pos = start + 1
        pos = state.pos
        found = _SPECIAL.search(text, pos)
    if pos < end:
        state.append_pending(text[pos:])
    if state.pending:
        state.pushPending()
    if state.delimiters or state.tokens_meta:
        link_pairs(state)
        emphasis.postProcess(state)
        finish_pairs(state)
    keep_link_tags(state)
    return state.tokens


@lru_cache(maxsize=1)
def markdown_parser() -> VaultMarkdown:
    """The one parser of this process; it holds no state between texts."""
    markdown = VaultMarkdown("commonmark")
    markdown.options["maxNesting"] = MAX_NESTING + 1
    markdown.block = VaultBlocks()
    ruler = markdown.block.ruler
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    ruler.at("table", tables.table, {"alt": ["paragraph", "reference"]})
    ruler.before("fence", "obsidian_spans", _span_block, interrupts)
    ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph", "reference"]})
    return markdown


def _span_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Blocks between two markers, chosen by the first character of the line."""
    pos = state.bMarks[start_line] + state.tShift[start_line]
    if pos >= state.eMarks[start_line]:
        return False
    char = state.src[pos]
    if char not in "%$<" or state.is_code_block(start_line):
        return False
    if char == "%":
        return comments.comment_block(state, start_line, end_line, silent)
    if char == "$":
        return math.math_block(state, start_line, end_line, silent)
    return templates.template_block(state, start_line, end_line, silent)
