"""A file's text as lines, numbered as the file numbers them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """The lines of a file without their ends. Only CRLF, LF and lone CR end a line."""

    lines: list[str]

    @classmethod
    def of(cls, text: str) -> Source:
        """The lines of a decoded text."""
        return cls(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def last_written_lines(lines: list[str]) -> list[int]:
    """For each line (0-based) the nearest line at or above it that holds more than blanks and quote marks."""
    nearest: list[int] = []
    last = 0
    for number, line in enumerate(lines):
        if line.strip(" \t>"):
            last = number
        nearest.append(last)
    return nearest
