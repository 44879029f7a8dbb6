"""Models that come with digests are checked when they are loaded; a card says which scripts a model reads."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

import pytest

from obsidian_indexer.embed.bundled import SUMS, bundled_model, check_sums
from obsidian_indexer.embed.card import script, scripts_of
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import load_tokenizer
from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import EmbedOptions


def write_model(folder: Path) -> None:
    (folder / "1_Pooling").mkdir(parents=True)
    lines = []
    for name in ("model.safetensors", "1_Pooling/config.json"):
        (folder / name).write_bytes(name.encode())
        lines.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n")
    (folder / SUMS).write_text("".join(lines), "ascii")


def test_whole_files_pass_and_a_changed_one_is_named(tmp_path: Path) -> None:
    write_model(tmp_path)
    check_sums(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"model.safetensorz")
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged"):
        check_sums(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "1_Pooling" / "config.json").unlink()
    with pytest.raises(ModelError, match=r"1_Pooling.config\.json cannot be read"):
        check_sums(tmp_path)


def test_a_model_without_digests_is_taken_as_it_is(tmp_path: Path) -> None:
    check_sums(tmp_path)


def test_the_default_names_a_bundled_model_and_a_hub_name_does_not() -> None:
    default = bundled_model("default")
    assert default is not None
    assert (default[1] / "tokenizer.json").exists()
    assert bundled_model(default[0]) == default
    check_sums(default[1])
    english = bundled_model("all-MiniLM-L6-v2")
    assert english is not None
    assert english[0] == "all-MiniLM-L6-v2"
    assert bundled_model("intfloat/multilingual-e5-small") is None


def test_english_is_tokenised_by_both_bundled_models_alike_and_korean_in_far_fewer_pieces() -> None:
    ours, english = (load_tokenizer(resolve_model(EmbedOptions(model=m))) for m in ("default", "all-MiniLM-L6-v2"))
    prose = ["Émile's café — “déjà vu”, 3.14 naïve co-operation", "snake_case HTTPServer [[Link|text]] #tag/sub 🙂"]
    assert ours.encode(prose) == english.encode(prose)
    korean = ["옵시디언에서 노트와 노트를 서로 연결하는 방법을 알려 주세요"]
    assert ours.count(korean)[0] * 2 <= english.count(korean)[0]
    assert ours.count([unicodedata.normalize("NFD", korean[0])]) == ours.count(korean)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlanguage: en\n---\n# Model", {"LATIN"}),
        ("---\nlanguage: [en, ko]\n---\n", {"LATIN", "HANGUL"}),
        ("---\nlanguage:\n- ja\n- zh\n---\n", {"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
        ("---\nlanguage: multilingual\n---\n", None),
        ("---\nlicense: mit\n---\n", None),
        ("---\nlanguage: [en\n---\n", None),
        ("# No front matter", None),
    ],
)
def test_a_card_says_which_scripts_a_model_reads(tmp_path: Path, card: str, expected: set[str] | None) -> None:
    (tmp_path / "README.md").write_text(card, "utf-8")
    assert scripts_of(tmp_path) == expected


def test_a_folder_without_a_card_says_nothing(tmp_path: Path) -> None:
    assert scripts_of(tmp_path) is None


def test_letters_have_the_script_that_cards_name() -> None:
    assert [script(letter) for letter in "a한の漢я"] == ["LATIN", "HANGUL", "HIRAGANA", "CJK", "CYRILLIC"]
