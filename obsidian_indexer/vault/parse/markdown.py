"""The Markdown parser: markdown-it-py's blocks with Obsidian's added, and its inline rules chosen by character.

A text is read with only those rules that can start at its next special character, none of which looks ahead through the
others; so the time is proportional to the length of the text.
"""

from __future__ import annotations

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline import backtick, emphasis, entity, escape, html_inline, link_pairs
from markdown_it.token import Token
from markdown_it.utils import EnvType

from obsidian_indexer.vault.parse.block_parser import MAX_NESTING, VaultBlocks
from obsidian_indexer.vault.parse.rules import brackets, comments, fields, math, templates, urls, wikilinks
from obsidian_indexer.vault.parse.rules.block_ids import block_id
from obsidian_indexer.vault.parse.rules.footnotes import footnote_reference
from obsidian_indexer.vault.parse.rules.html import html_comment
from obsidian_indexer.vault.parse.rules.pairs import finish_pairs, pair
from obsidian_indexer.vault.parse.rules.tags import keep_link_tags, tag
from obsidian_indexer.vault.parse.state import Context, InlineRule, VaultState

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
    return markdown
