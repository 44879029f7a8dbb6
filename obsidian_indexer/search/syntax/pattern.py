r"""JavaScript's regular expressions, as `/…/` in a query, translated to those of the `regex` package.

Both languages agree on most of what people write. What differs is rewritten (`\k<name>`, `[^]`, a lone brace, an
escape that means nothing in JavaScript and something here); what JavaScript itself refuses is refused.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from obsidian_indexer.errors import QueryError

if TYPE_CHECKING:
    import regex

# Compiling takes memory in proportion to what counted repeats unfold to: 25 MB at this many steps.
_MAX_STEPS = 10_000
_MAX_DEPTH = 50
_MAX_CHARS = 1_000

# JavaScript's letters and digits are those of ASCII. Inside a set they stand without brackets.
_WORD = "A-Za-z0-9_"
_IN_SETS = {
    "d": "0-9",
    "D": r"\x00-/:-\U0010ffff",
    "w": _WORD,
    "W": r"\x00-/:-@\[-\^`{-\U0010ffff",
    "b": r"\x08",
}
_OUTSIDE = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": f"[{_WORD}]",
    "W": f"[^{_WORD}]",
    "b": f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))",
    "B": f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))",
}
_SAME_ESCAPES = frozenset("sSnrtfv")
_QUANTIFIER = re.compile(r"\{(\d+)(,?)(\d*)\}")
_GROUP = re.compile(r"\((?:\?(?::|=|!|<=|<!|<([A-Za-z_$][\w$]*)>|([ims]*(?:-[ims]+)?):))?")
_HEX = re.compile(r"x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}")
_POINT = re.compile(r"u\{([0-9A-Fa-f]{1,6})\}")
_UNICODE = re.compile(r"[pP]\{[\w=]+\}")
_NAMED = re.compile(r"k<([A-Za-z_$][\w$]*)>")


def compile_pattern(source: str, position: int) -> tuple[regex.Pattern[str], regex.Pattern[str]]:
    """The pattern with regard to case and without; `^` and `$` are the edges of lines.

    `position` is where `source` begins in the query. Raises QueryError pointing at the character at fault.
    """
    import regex

    if len(source) > _MAX_CHARS:
        raise QueryError(f"This pattern is longer than {_MAX_CHARS} characters.", position + _MAX_CHARS)
    translated = _Translator(source, position).translate()
    flags = regex.VERSION0 | regex.MULTILINE | regex.UNICODE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return regex.compile(translated, flags), regex.compile(translated, flags | regex.IGNORECASE)
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        # Places in the translated text say little about the text as written.
        at = position if len(translated) != len(source) else position + (getattr(error, "pos", None) or 0)
        message = getattr(error, "msg", None) or "it is too large"
        raise QueryError(f"This pattern cannot be used: {message}.", min(at, position + len(source))) from error


class _Translator:
    """One pass over a pattern. `_steps` holds what each open group unfolds to so far, with that of its last part."""

    def __init__(self, source: str, position: int) -> None:
        self._source = source
        self._position = position
        self._at = 0
        self._out: list[str] = []
        self._steps = [0]
        self._last = 0
        self._opened: list[int] = []

    def translate(self) -> str:
        """The pattern in the other language. Raises QueryError."""
        while self._at < len(self._source):
            char = self._source[self._at]
            match char:
                case "\\":
                    self._put(self._escape(in_class=False))
                case "[":
                    self._put(self._class())
                case "(":
                    self._open()
                case ")":
                    self._close()
                case "{" | "*" | "+" | "?":
                    self._repeat(char)
                case _:
                    self._at += 1
                    self._put("\\" + char if char == "}" else char)
        if self._opened:
            raise self._fault("A group of this pattern is not closed", self._opened[-1])
        return "".join(self._out)

    def _put(self, text: str) -> None:
        self._out.append(text)
        self._last = 0 if text == "|" else 1
        self._count(1)

    def _count(self, steps: int, at: int | None = None) -> None:
        self._steps[-1] += steps
        if self._steps[-1] > _MAX_STEPS:
            raise self._fault("This pattern repeats too much", self._at - 1 if at is None else at)

    def _open(self) -> None:
        match = _GROUP.match(self._source, self._at)
        assert match is not None
        if self._source.startswith("?", match.end()) and match.end() == self._at + 1:
            raise self._fault("This kind of group is not one of JavaScript's", self._at)
        if len(self._opened) >= _MAX_DEPTH:
            raise self._fault("The groups of this pattern nest too deep", self._at)
        self._opened.append(self._at)
        self._steps.append(0)
        name = match[1]
        self._last = 0
        self._out.append(f"(?P<{name.replace('$', '_')}>" if name else match[0])
        self._at = match.end()

    def _close(self) -> None:
        if not self._opened:
            raise self._fault("A bracket is closed that was not opened", self._at)
        self._opened.pop()
        steps = self._steps.pop() + 1
        self._at += 1
        self._out.append(")")
        self._last = steps
        self._count(steps)

    def _repeat(self, char: str) -> None:
        match = _QUANTIFIER.match(self._source, self._at)
        if char == "{" and match is None:
            self._at += 1
            self._put("\\{")
            return
        if not self._last:
            raise self._fault("There is nothing to repeat here", self._at)
        text = match[0] if char == "{" and match else char
        self._at += len(text)
        if self._source.startswith("?", self._at):
            text += "?"
            self._at += 1
        if match is not None and char == "{":
            if len(match[1] + match[3]) > 10:
                raise self._fault("This pattern repeats too much", match.start())
            if match[3] and int(match[3]) < int(match[1]):
                raise self._fault("The numbers of this repeat are out of order", match.start())
            self._count(self._last * max(0, int(match[1]) - 1), match.start())
        self._out.append(text)
        self._last = 0

    def _escape(self, *, in_class: bool) -> str:
        """The translation of the escape that begins here."""
        start = self._at
        if start + 1 >= len(self._source):
            raise self._fault("A backslash ends this pattern", start)
        rest = start + 1
        char = self._source[rest]
        self._at = rest + 1
        rewritten = (_IN_SETS if in_class else _OUTSIDE).get(char)
        if rewritten is not None:
            return rewritten
        if char in _SAME_ESCAPES:
            return f"\\{char}"
        for form in (_HEX, _UNICODE):
            if found := form.match(self._source, rest):
                self._at = found.end()
                return "\\" + found[0]
        if found := _POINT.match(self._source, rest):
            self._at = found.end()
            point = int(found[1], 16)
            if point > 0x10FFFF:
                raise self._fault("There is no such character", start)
            return f"\\U{point:08x}"
        if not in_class and (found := _NAMED.match(self._source, rest)):
            self._at = found.end()
            return f"(?P={found[1].replace('$', '_')})"
        if char == "c" and self._source[rest + 1 : rest + 2].isalpha() and self._source[rest + 1].isascii():
            self._at = rest + 2
            return f"\\x{ord(self._source[rest + 1].upper()) % 32:02x}"
        if char == "0":
            return "\\x00"
        if char in "123456789" and not in_class:
            return f"(?:\\{char})"
        return char if char.isalnum() or not char.isascii() else f"\\{char}"

    def _class(self) -> str:
        start = self._at
        self._at += 1
        negated = self._source.startswith("^", self._at)
        self._at += negated
        parts: list[str] = []
        while not self._source.startswith("]", self._at):
            if self._at >= len(self._source):
                raise self._fault("A set of this pattern is not closed", start)
            char = self._source[self._at]
            if char == "\\":
                parts.append(self._escape(in_class=True))
                continue
            self._at += 1
            parts.append("\\" + char if char in "[&|~^" else char)
        self._at += 1
        if not parts:
            return r"[\s\S]" if negated else r"(?!)"
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def _fault(self, message: str, at: int) -> QueryError:
        return QueryError(f"{message}.", self._position + at)
