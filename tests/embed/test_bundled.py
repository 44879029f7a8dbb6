"""Models that come with digests are checked when they are loaded; a card says which scripts a model reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from obsidian_indexer.embed.bundled import SUMS, bundled_model, check_sums
from obsidian_indexer.embed.card import script, scripts_of
from obsidian_indexer.errors import ModelError


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
    assert bundled_model("intfloat/multilingual-e5-small") is None


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
