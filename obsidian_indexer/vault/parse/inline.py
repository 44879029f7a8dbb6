"""One inline text read: what a reader sees of it, and the links, tags, fields and id in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it.common.utils import unescapeAll
from markdown_it.token import Token
from markdown_it.utils import EnvType

from obsidian_indexer.records import Link
from obsidian_indexer.vault.parse.markdown import parse_inline
from obsidian_indexer.vault.parse.rules.html import breaks_line
from obsidian_indexer.vault.parse.state import Context
from obsidian_indexer.vault.parse.targets import Target, parse_destination, without_size

_PLAIN = frozenset({"text", "text_special", "math_inline", "url"})


@dataclass(slots=True)
class Findings:
    """What the texts of one note say beside their words, in reading order."""

    links: list[Link] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)


def tidy(text: str) -> str:
    """A text with single blanks and no empty lines."""
    if "\n" not in text:
        return " ".join(text.split())
    return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)


def read_inline(
    source: str, line: int, environment: EnvType, findings: Findings, context: Context = Context.TEXT
) -> tuple[str, str | None]:
    """The plain text of `source`, whose first character stands in line `line`, and the block id at its end.

    Links, tags and fields are added to `findings`.
    """
    tokens = parse_inline(source, environment, context)
    if tokens is None:
        return tidy(source), None
    return _Reading(source, line, environment, findings).run(tokens)


class _Reading:
    """One walk over the tokens of a text. Positions of tokens only grow, so its lines are counted once."""

    def __init__(self, source: str, line: int, environment: EnvType, findings: Findings) -> None:
        self._source = source
        self._line = line
        self._counted = 0
        self._environment = environment
        self._findings = findings
        self._parts: list[str] = []
        self._block_id: str | None = None
        self._open_links: list[tuple[int, Target | None, int]] = []

    def run(self, tokens: Sequence[Token]) -> tuple[str, str | None]:
        """The plain text and the block id."""
        parts = self._parts
        for token in tokens:
            kind = token.type
            if kind in _PLAIN:
                parts.append(token.content)
            elif kind == "code_inline":
                if not _is_query(token.content):
                    parts.append(token.content)
            elif kind == "hardbreak" or (kind == "html_inline" and breaks_line(token.content)):
                parts.append("\n")
            else:
                self._read_own(token, kind)
        return tidy("".join(parts)), self._block_id

    def _read_own(self, token: Token, kind: str) -> None:
        """A token of Obsidian's own syntax, or one that gives a link; others show nothing."""
        match kind:
            case "wikilink":
                self._wikilink(token.meta["target"], token.meta["embed"], token.meta["pos"])
            case "tag":
                self._findings.tags.append(token.content)
                self._parts.append("#" + token.content)
            case "link_open":
                target = parse_destination(token.meta["href"])
                self._open_links.append((len(self._parts), target, self._line_at(token.meta["pos"])))
            case "link_close":
                start, target, line = self._open_links.pop()
                self._add_link(target, tidy("".join(self._parts[start:])), line, embed=False)
            case "image":
                alt = without_size(unescapeAll(token.content))
                # An image is set apart from the words around it.
                self._parts.append(f" {alt} " if alt else "")
                target = parse_destination(token.meta["href"])
                self._add_link(target, alt, self._line_at(token.meta["pos"]), embed=True)
            case "comment":
                self._comment(token.content, token.meta["pos"])
            case "field":
                self._findings.fields.append((token.meta["key"], token.meta["value"]))
            case "block_id":
                self._block_id = token.content
            case "footnote_open":
                self._parts.append(" (")
            case "footnote_close":
                self._parts.append(")")

    def _wikilink(self, target: Target, embed: bool, pos: int) -> None:
        line = self._line_at(pos)
        display = target.display
        if display is not None:
            # No tag or link counts in what is shown for a link, only its words.
            display = read_inline(display, line, self._environment, Findings(), Context.CELL)[0] or None
        self._add_link(target, display, line, embed=embed)
        if display is not None or not embed:
            self._parts.append(display or target.shown)

    def _add_link(self, target: Target | None, display: str | None, line: int, *, embed: bool) -> None:
        if target is not None:
            self._findings.links.append(Link(target.path, target.heading, target.block, display or None, embed, line))

    def _comment(self, source: str, pos: int) -> None:
        """A comment shows nothing, but its tags and links count."""
        read_inline(source, self._line_at(pos), self._environment, self._findings, Context.COMMENT)

    def _line_at(self, pos: int) -> int:
        if pos > self._counted:
            self._line += self._source.count("\n", self._counted, pos)
            self._counted = pos
        return self._line


def _is_query(code: str) -> bool:
    """Whether inline code is a Dataview query."""
    return code.startswith(("$=", "= ", "=this.", "=[["))
