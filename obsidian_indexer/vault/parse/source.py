"""A file's text as lines, numbered as the file numbers them."""

from __future__ import annotations


def split_lines(text: str) -> list[str]:
    """The lines of a decoded file without their ends. Only CRLF, LF and lone CR end a line."""
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "\ufffd").split("\n")


def last_written_lines(lines: list[str]) -> list[int]:
    """For each line (0-based) the nearest line at or above it that holds more than blanks and quote marks."""
    nearest: list[int] = []
    last = 0
    for number, line in enumerate(lines):
        if line.strip(" \t>"):
            last = number
        nearest.append(last)
    return nearest
