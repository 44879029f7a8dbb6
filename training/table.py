"""Pairs of sentences, cleaned, checked against the held-out sets and bounded by source."""

from __future__ import annotations

import json
import lzma
import random
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MIXTURE = Path(__file__).with_name("mixture.toml")
_HANGUL = re.compile(r"[가-힣]")
_WORD = re.compile(r"\w+")
# A run this long that a held-out text holds too is no coincidence.
_SHARED_WORDS, _SHARED_SYLLABLES = 8, 16
_MAX_CHARS = 1200


@dataclass(frozen=True, slots=True)
class Pair:
    """One text in both languages, with where it comes from and on what terms."""

    en: str
    ko: str
    source: str
    domain: str
    licence: str = ""


def read_mixture(file: Path = MIXTURE) -> dict[str, Any]:
    """Caps, gluing rates and shares, by section."""
    return tomllib.loads(file.read_text("utf-8"))


def read_pairs(file: Path) -> Iterator[Pair]:
    """The pairs of a JSON-lines file, plain or xz."""
    with lzma.open(file, "rt", encoding="utf-8") if file.suffix == ".xz" else file.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Pair(_tidy(row["en"]), _tidy(row["ko"]), row["source"], row["domain"], row.get("licence", ""))


def write_pairs(file: Path, pairs: Iterable[Pair]) -> None:
    """JSON lines, one pair each."""
    with file.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def usable(pair: Pair) -> bool:
    """Whether a pair looks like a translation: Korean on one side only, lengths in proportion."""
    if not pair.en or not _HANGUL.search(pair.ko) or _HANGUL.search(pair.en):
        return False
    if max(len(pair.en), len(pair.ko)) > _MAX_CHARS:
        return False
    ratio = len(pair.en) / len(pair.ko)
    return 0.4 <= ratio <= 8 if len(pair.ko) < 12 else 0.8 <= ratio <= 4


class HeldOut:
    """Runs of words and of syllables that the measuring sets hold, to recognise a text that is in them."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._runs: set[int] = set()
        for folder in folders:
            for file in sorted(folder.rglob("*")):
                if file.suffix in (".md", ".jsonl") and file.is_file():
                    for text in _texts_of(file):
                        self._runs.update(_runs(text))

    def holds(self, pair: Pair) -> bool:
        """Whether either side shares a long run with a held-out text."""
        return any(run in self._runs for text in (pair.en, pair.ko) for run in _runs(text))


def _texts_of(file: Path) -> Iterator[str]:
    text = file.read_text("utf-8", "replace")
    if file.suffix == ".md":
        yield text
        return
    for line in text.splitlines():
        row = json.loads(line)
        yield f"{row.get('title', '')} {row.get('text', '')}"


def _runs(text: str) -> Iterator[int]:
    words = _WORD.findall(unicodedata.normalize("NFC", text).casefold())
    for i in range(len(words) - _SHARED_WORDS + 1):
        yield hash(tuple(words[i : i + _SHARED_WORDS]))
    syllables = "".join(_HANGUL.findall(unicodedata.normalize("NFC", text)))
    for i in range(len(syllables) - _SHARED_SYLLABLES + 1):
        yield hash(syllables[i : i + _SHARED_SYLLABLES])


def choose(
    pairs: Iterable[Pair], held_out: HeldOut, mixture: dict[str, Any], seed: int
) -> tuple[list[Pair], Counter[str]]:
    """The table's pairs in random order, and how many were left out for what reason."""
    left_out: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    by_source: dict[str, list[Pair]] = {}
    for pair in pairs:
        key = (pair.en.casefold(), pair.ko)
        if not usable(pair):
            left_out["not a translation by its form"] += 1
        elif key in seen:
            left_out["twice"] += 1
        elif held_out.holds(pair):
            left_out["in a held-out set"] += 1
        else:
            seen.add(key)
            by_source.setdefault(pair.source.removesuffix("(dp)"), []).append(pair)
    generator = random.Random(seed)
    chosen: list[Pair] = []
    caps = mixture["cap"]
    for source, found in sorted(by_source.items()):
        cap = caps.get(source, caps["*"])
        generator.shuffle(found)
        left_out["over its source's cap"] += max(0, len(found) - cap)
        chosen += found[:cap]
    generator.shuffle(chosen)
    return chosen, left_out


def sources(pairs: Iterable[Pair]) -> list[tuple[str, str, int]]:
    """Source, licence and number of pairs, the largest first; sentences aligned within documents count with these."""
    counted = Counter((pair.source.removesuffix("(dp)"), pair.licence) for pair in pairs if pair.licence)
    return [(source, licence, n) for (source, licence), n in counted.most_common()]
