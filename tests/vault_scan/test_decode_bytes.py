"""Text out of bytes: what is guessed, what is replaced, what is refused, and on which line the reader is told."""

from __future__ import annotations

import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsidian_indexer.errors import NoteError
from obsidian_indexer.vault.decode import decode

KOREAN = "# 회의록\n\n오늘 회의에서는 다음 분기의 계획을 정했다. 참석자는 모두 다섯 명이다.\n- 예산 검토\n- 일정 조정\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x06\x00\x00\x00\x1f\xf3\xff\x61" * 4


def codes(data: bytes) -> list[tuple[str, int]]:
    return [(warning.code, warning.line) for warning in decode(data)[1]]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_utf8_comes_back_as_written(text: str) -> None:
    expected = text.removeprefix("\ufeff")
    assert decode(text.encode()) == (expected, ())


@given(st.binary(max_size=400))
def test_any_bytes_give_text_without_nul_or_a_refusal(data: bytes) -> None:
    text = ""
    with contextlib.suppress(NoteError):
        text, _ = decode(data)
    assert "\0" not in text


def test_the_mark_of_utf8_is_taken_off() -> None:
    assert decode(codecs.BOM_UTF8 + b"---\na: 1\n") == ("---\na: 1\n", ())


def test_line_breaks_are_kept() -> None:
    text = "a\r\nb\rc\u2028d\x0be\x85f\n"
    assert decode(text.encode())[0] == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(
    "text", [KOREAN, "# Plain English\n\nwith two lines\n", "짧다\n", "회의록\n가나다 가방 가격", "Über\n漢字\n"]
)
def test_utf16_with_or_without_its_mark(encoding: str, text: str) -> None:
    data = text.encode(encoding)
    assert decode(data)[0] == text
    assert codes(data) == [("encoding", 1)]


@pytest.mark.parametrize("text", [KOREAN, "회의록", "오늘 할 일: 장보기, 빨래\n", "메모 memo 한 줄"])
@pytest.mark.parametrize("encoding", ["cp949", "euc-kr"])
def test_korean_encodings(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    decoded, warnings = decode(data)
    assert decoded == text
    assert [warning.code for warning in warnings] == ["encoding"]
    assert "CP949" in warnings[0].message


def test_other_encodings_are_detected() -> None:
    text = "私は昨日、友達と一緒に映画を見に行きました。とても面白かったです。また行きたいと思います。\n" * 3
    assert decode(text.encode("shift_jis"))[0] == text


def test_western_letters_are_not_taken_for_korean() -> None:
    text = "Ärger über Österreich: die Straße führt über die Brücke nach Köln, sagte er größtenteils höflich.\n" * 3
    assert decode(text.encode("cp1252"))[0] == text


def test_a_few_bad_bytes_are_replaced_and_their_line_told() -> None:
    data = KOREAN.encode() + b"third \xff byte\r\nnext\n"
    text, warnings = decode(data)
    assert text == KOREAN + "third \ufffd byte\r\nnext\n"
    assert [(warning.code, warning.line) for warning in warnings] == [("bad-bytes", 6)]


def test_a_single_bad_byte_in_english_keeps_the_rest() -> None:
    text, warnings = decode(b"plain text with one \xff byte and more words after it\n")
    assert text.startswith("plain text with one ")
    assert text.endswith(" byte and more words after it\n")
    assert len(warnings) == 1


def test_stray_nuls_are_replaced_and_told() -> None:
    text, warnings = decode(b"first line\r\nsecond\x00 line, long enough\n")
    assert text == "first line\r\nsecond\ufffd line, long enough\n"
    assert [(warning.code, warning.line) for warning in warnings] == [("nul-bytes", 2)]


@pytest.mark.parametrize(
    "data",
    [
        PNG,
        b"\0" * 4096,
        bytes(range(256)) * 4,
        b"PK\x03\x04" + bytes(range(0, 250, 3)) * 9,
        b"\0\1\2\3",
        b"\x00\x01\x02binary\xff\xfe\x00",  # six letters of four scripts, if taken for UTF-16
        b"\xa1\x82\x0a\x00\xc3\xb5\xd7\x9a\x05\x01",  # a line break, and syllables and ideographs nobody writes
    ],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(NoteError, match="not text"):
        decode(data)


def test_an_empty_file_is_empty_text() -> None:
    assert decode(b"") == ("", ())
