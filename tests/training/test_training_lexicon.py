"""The dictionary that pairs of sentences hold."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("snowballstemmer")
pytest.importorskip("scipy")

from training.lexicon import make_lexicon, write_lexicon
from training.table import Pair


def pairs() -> list[Pair]:
    sentences = [
        ("The folder is new", "폴더가 새롭다"),
        ("Open the folders", "폴더를 열어라"),
        ("A folder holds files", "폴더에 파일이 있다"),
        ("Rename your folder", "폴더는 이름이 바뀐다"),
        ("Delete this folder", "폴더를 지워라"),
        ("Nothing happens here", "여기는 조용하다"),
        ("Rain falls on roofs", "비가 지붕에 내린다"),
    ]
    return [Pair(en, ko, "test", "test") for en, ko in sentences]


def test_words_that_stand_together_translate_each_other() -> None:
    to_english, to_korean = make_lexicon(pairs())
    assert to_english == {"폴더": ["folder"]}
    assert to_korean == {"folder": ["폴더"], "folders": ["폴더"]}


def test_a_file_has_a_line_for_each_word_in_order(tmp_path: Path) -> None:
    write_lexicon({"나": ["me", "i"], "가": ["go"]}, tmp_path / "ko-en.tsv")
    assert (tmp_path / "ko-en.tsv").read_text("utf-8") == "가\tgo\n나\tme i\n"
