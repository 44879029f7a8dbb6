"""What a model's card says of it: the languages it was made for, as the scripts they are written in."""

from __future__ import annotations

import unicodedata
from pathlib import Path

# The first word of the Unicode names of a script's letters, by ISO 639-1 code.
_SCRIPTS = {
    "ar": {"ARABIC"}, "bg": {"CYRILLIC"}, "el": {"GREEK"}, "fa": {"ARABIC"}, "he": {"HEBREW"}, "hi": {"DEVANAGARI"},
    "ja": {"HIRAGANA", "KATAKANA", "CJK"}, "ka": {"GEORGIAN"}, "ko": {"HANGUL"}, "ru": {"CYRILLIC"}, "sr": {"CYRILLIC"},
    "th": {"THAI"}, "uk": {"CYRILLIC"}, "zh": {"CJK"},
}  # fmt: skip
# fmt: off
_LATIN = frozenset((
    "af", "ca", "cs", "cy", "da", "de", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "hu", "id", "is", "it",
    "lt", "lv", "ms", "mt", "nl", "no", "pl", "pt", "ro", "sk", "sl", "sq", "sv", "sw", "tl", "tr", "vi",
))
# fmt: on


def scripts_of(folder: Path) -> frozenset[str] | None:
    """The scripts that the model in a folder reads by its README.md; None when it does not say, or not plainly."""
    try:
        text = (folder / "README.md").read_text("utf-8", "replace")
    except OSError:
        return None
    if not text.startswith("---"):
        return None
    import yaml  # only some models have a card

    try:
        card = yaml.safe_load(text.split("---", 2)[1])
    except (yaml.YAMLError, IndexError):
        return None
    declared = card.get("language") if isinstance(card, dict) else None
    languages = [declared] if isinstance(declared, str) else declared
    if not isinstance(languages, list) or not languages:
        return None
    found: set[str] = set()
    for language in languages:
        if language in _LATIN:
            found.add("LATIN")
        elif language in _SCRIPTS:
            found |= _SCRIPTS[language]
        else:  # 'multilingual', or a language not listed here: its pieces tell more
            return None
    return frozenset(found | {"LATIN"})


def share_read(text: str, scripts: frozenset[str]) -> float:
    """Share of the letters outside ASCII that are of these scripts; 1.0 where there are none."""
    letters = [char for char in text if not char.isascii() and char.isalpha()]
    return sum(script(letter) in scripts for letter in letters) / len(letters) if letters else 1.0


def script(letter: str) -> str:
    """The script of a letter, as `scripts_of` names it; '' for one without a name."""
    return unicodedata.name(letter, "").partition(" ")[0]
