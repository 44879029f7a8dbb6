"""Bytes of a file to text, whatever encoding it was saved in.

Obsidian writes UTF-8; files brought from elsewhere may be UTF-16 or a national encoding. What is not UTF-8 is read as
what it most likely is and reported; what is no text at all is refused. Line breaks are kept as they are, so that line
numbers stay those of the file.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter

from obsidian_indexer.errors import NoteError
from obsidian_indexer.records import NoteWarning

# Other control characters than tab, line breaks, form feed and escape (ISO-2022 uses it) do not occur in text.
_CONTROL_BYTES = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\x1b")
_CONTROL_CHARS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
# Above this share of control characters valid UTF-8 is a binary file that happens to decode.
_BINARY_SHARE = 0.1
# Bytes that are no UTF-8 need less: random bytes hold 10 % controls, legacy encodings none.
_LEGACY_BINARY_SHARE = 0.01
# A file is UTF-8 with damage, not another encoding, when at most this share of its sequences is bad.
_DAMAGED_SHARE = 0.1
_DETECTION_BYTES = 128_000
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_HIGH_BYTES = bytes(range(0x80, 0x100))
# Every fifth file of four bytes, one of them zero, would pass for two letters.
_SHORTEST_WIDE = 6
# Text without a mark keeps to one script beside ASCII, and to letters in use; bytes that are no text do neither.
_ONE_SCRIPT = 0.9
_EAST_ASIAN = frozenset(("CJK", "HANGUL", "HIRAGANA", "KATAKANA", "BOPOMOFO", "FULLWIDTH", "HALFWIDTH"))
# The character sets of everyday Chinese, Japanese and Korean: 2,000 to 13,000 of the 30,000 and more in Unicode.
_EVERYDAY = ("euc_kr", "gb2312", "shift_jis", "big5")


def decode(data: bytes) -> tuple[str, tuple[NoteWarning, ...]]:
    """The text of a file without its byte order mark, and what had to be guessed or replaced on the way.

    Warning codes: `encoding` (not UTF-8), `bad-bytes` (replaced by U+FFFD), `nul-bytes` (likewise). Raises NoteError
    when the bytes are no text.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _decode_other(data)
    if "\0" not in text:
        return text, ()
    for mark, encoding, name in _BOMS:  # the little-endian mark of UTF-16 is no UTF-8, but zero bytes around it may be
        if data.startswith(mark):
            return _decode_as(data[len(mark) :], encoding, name)
    wide = _utf16_without_mark(data)
    if wide is not None:
        return wide
    if len(_CONTROL_CHARS.findall(text)) > _BINARY_SHARE * len(text):
        raise NoteError("The file is not text.")
    return _without_nuls(text, ())


def _decode_other(data: bytes) -> tuple[str, tuple[NoteWarning, ...]]:
    for mark, encoding, name in _BOMS:
        if data.startswith(mark):
            return _decode_as(data[len(mark) :], encoding, name)
    if b"\0" in data:
        wide = _utf16_without_mark(data)
        if wide is not None:
            return wide
    sample = data[:_DETECTION_BYTES]
    controls = len(sample) - len(sample.translate(None, _CONTROL_BYTES))
    if controls > max(1, _LEGACY_BINARY_SHARE * len(sample)):
        raise NoteError("The file is not text.")
    damaged = data.decode("utf-8-sig", errors="replace")
    bad = damaged.count("\ufffd")
    good = sum(1 for char in damaged[:_DETECTION_BYTES] if char > "\x7f" and char != "\ufffd")
    if bad <= _DAMAGED_SHARE * (bad + good):
        return _replaced(damaged)
    legacy = _legacy_encoding(data)
    if legacy is None:
        return _replaced(damaged)
    return _decode_as(data, legacy, "CP949 (EUC-KR)" if legacy == "cp949" else legacy)


def _decode_as(data: bytes, encoding: str, name: str) -> tuple[str, tuple[NoteWarning, ...]]:
    warning = NoteWarning("encoding", f"Read as {name}; Obsidian expects UTF-8.", 1)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text, more = _replaced(data.decode(encoding, errors="replace"))
        return _without_nuls(text, (warning, *more))
    return _without_nuls(text, (warning,))


def _replaced(text: str) -> tuple[str, tuple[NoteWarning, ...]]:
    bad = text.count("\ufffd")
    message = f"{bad} {'byte is' if bad == 1 else 'bytes are'} not UTF-8 and shown as \ufffd."
    return _without_nuls(text, (NoteWarning("bad-bytes", message, _line_of(text, "\ufffd")),))


def _without_nuls(text: str, warnings: tuple[NoteWarning, ...]) -> tuple[str, tuple[NoteWarning, ...]]:
    """NUL ends strings in too many places further on, so it becomes U+FFFD, as in any Markdown reader."""
    count = text.count("\0")
    if not count:
        return text, warnings
    if count > _BINARY_SHARE * len(text):
        raise NoteError("The file is not text.")
    warning = NoteWarning("nul-bytes", f"{count} NUL characters are shown as \ufffd.", _line_of(text, "\0"))
    return text.replace("\0", "\ufffd"), (*warnings, warning)


def _line_of(text: str, needle: str) -> int:
    before = text[: text.index(needle)].replace("\r\n", "\n")
    return before.count("\n") + before.count("\r") + 1


def _utf16_without_mark(data: bytes) -> tuple[str, tuple[NoteWarning, ...]] | None:
    """The text if the bytes are UTF-16 of either order that lost its mark, None if they do not read as such."""
    sample = data[:_DETECTION_BYTES]
    nuls = sample.count(0)
    # Half the bytes of Latin letters in UTF-16 are zero; in other scripts those of blanks and line breaks are.
    mostly_ascii = len(sample.translate(None, _HIGH_BYTES)) - nuls > 0.9 * (len(sample) - nuls)
    if len(data) % 2 or len(data) < _SHORTEST_WIDE or nuls < (0.3 if mostly_ascii else 0.02) * len(sample):
        return None
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        begin = text[:_DETECTION_BYTES]
        common = sum(1 for char in begin if char.isascii() or char.isalpha())
        if begin and not _CONTROL_CHARS.search(begin) and common > 0.9 * len(begin) and _reads_as_language(begin):
            return _decode_as(data, encoding, "UTF-16 without its mark")
    return None


def _reads_as_language(text: str) -> bool:
    """Whether text that came with zero bytes is what somebody wrote, not any bytes taken in pairs."""
    # The zero bytes of text are those of blanks, line breaks and Latin letters; few letters end in one (U+AC00 does).
    ascii_chars = sum(1 for char in text if char.isascii())
    if ascii_chars < max(1, sum(1 for char in text if not ord(char) % 256)):
        return False
    letters = [char for char in text if char > "\xff" and char.isalpha()]
    if not letters:
        return True
    scripts = Counter(_script(char) for char in letters)
    script, count = scripts.most_common(1)[0]
    if count < _ONE_SCRIPT * len(letters):
        return False
    return script != "east Asian" or max(_share_in(letters, charset) for charset in _EVERYDAY) >= _ONE_SCRIPT


def _script(letter: str) -> str:
    """The script of a letter by the first word of its name; those that Chinese, Japanese and Korean mix are one."""
    word = re.split("[ -]", unicodedata.name(letter, ""), maxsplit=1)[0]
    return "east Asian" if word in _EAST_ASIAN else word


def _share_in(letters: list[str], charset: str) -> float:
    kept = "".join(letters).encode(charset, errors="ignore").decode(charset)
    return len(kept) / len(letters)


def _legacy_encoding(data: bytes) -> str | None:
    """The national encoding that the bytes are most likely in, as Python names it, or None."""
    try:
        korean = data.decode("cp949")
    except UnicodeDecodeError:
        korean = ""
    # Korean is asked first and by its own measure: general detection takes short Korean notes for Chinese. Other
    # encodings read as Korean give many syllables that no Korean word has; CP949 writes those with a low second byte.
    letters = [char for char in korean[:_DETECTION_BYTES] if char > "\x7f" and char.isalpha()]
    usual = sum(1 for char in letters if "가" <= char <= "힣" and char.encode("cp949")[1] > 0xA0)
    if letters and usual >= 0.9 * len(letters):
        return "cp949"
    from charset_normalizer import from_bytes

    matches = list(from_bytes(data[:_DETECTION_BYTES], cp_exclusion=["cp949", "euc_kr", "johab"]))
    # Western and Central European letters often score the same; the Western set is the likelier one.
    matches.sort(key=lambda match: (match.chaos, -match.coherence, match.encoding != "cp1252"))
    for match in matches[:1]:
        try:
            data.decode(match.encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return match.encoding
    return None
