"""The one place where text from notes is made safe to show: used by every screen, every printed line and the log.

A terminal obeys escape sequences, C1 controls and text-direction overrides wherever they come from; a note must not be
able to clear the screen, write the clipboard, or show a path other than its own.
"""

from __future__ import annotations

import re

# Each pattern stops at the next introducer, so a text of nothing but introducers is still read in linear time.
_STRING_SEQUENCE = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\n\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
_CONTROL_SEQUENCE = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
_SHORT_SEQUENCE = r"\x1b[ -/]*[0-~]"
_SEQUENCE = re.compile(f"{_STRING_SEQUENCE}|{_CONTROL_SEQUENCE}|{_SHORT_SEQUENCE}")

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff{_BIDI}]")
_LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(r"[\t\n ]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_block(text: str) -> str:
    """Text of several lines without controls: tabs stay, every kind of line break becomes a newline."""
    text = _LINE_BREAK.sub("\n", _SEQUENCE.sub("", text))
    return _LONE_SURROGATE.sub("\ufffd", _UNSAFE.sub("", text))


def clean_line(text: str) -> str:
    """Text on one line without controls; runs of spaces, tabs and line breaks become one space."""
    return _SPACES.sub(" ", clean_block(text)).strip()
