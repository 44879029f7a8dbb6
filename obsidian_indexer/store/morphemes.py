"""Korean words as their morphemes: `걸었다` and `걷는` share one, and no pair of syllables.

kiwipiepy, the package of the extra 'korean', takes words apart. It needs some seconds to load and half a GB, so it is
loaded when a text with Hangul is first handed in, once a process.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from obsidian_indexer.errors import ConfigError

MARK = "·"
"""Stands before a morpheme, so that it equals no pair of syllables. No word holds it; SQLite's tokenizer keeps it."""

# In the tags of the Sejong corpus: nouns, numerals, verbs, adjectives, roots, adverbs, and what is written in Latin
# letters, digits and Han. Endings and particles say little.
_TELLING = ("NN", "NR", "VV", "VA", "XR", "MAG", "SL", "SN", "SH")
_HANGUL = re.compile("[\uac00-\ud7a3]")
# A note that changes is taken apart as it was and as it is, and most of its passages are the same.
_REMEMBERED = 1024

_one_at_a_time = threading.Lock()


def analyser_version() -> str | None:
    """Names what takes words apart here, program and model; None where it is not installed."""
    # Not with this file, which every search imports.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"kiwipiepy {version('kiwipiepy')}, model {version('kiwipiepy_model')}"
    except PackageNotFoundError:
        return None


def required_analyser() -> str:
    """The same. Raises ConfigError where it is not installed."""
    found = analyser_version()
    if found is None:
        raise ConfigError(
            "search.korean_morphemes needs the extra 'korean': install it with \"pip install -e '.[korean]'\", or "
            "kiwipiepy alone with 'pip install kiwipiepy'; or set it to false."
        )
    return found


def marked_morphemes(text: str) -> Sequence[str]:
    """The telling morphemes of the lines that hold Hangul, in order, each behind `MARK`.

    Raises ConfigError without the extra, where there is such a line.
    """
    if text.isascii():
        return ()
    lines = unicodedata.normalize("NFKC", text).split("\n")
    korean = "\n".join(line for line in lines if _HANGUL.search(line))
    return take_apart(korean) if korean else ()


@lru_cache(_REMEMBERED)
def take_apart(text: str) -> tuple[str, ...]:
    """The same of a text that is all Korean, remembered for a while. Raises ConfigError without the extra."""
    with _one_at_a_time:
        morphemes = load_analyser()(text)
    return tuple(f"{MARK}{form.lower()}" for form, tag in morphemes if tag.startswith(_TELLING) and form.isalnum())


@cache
def load_analyser() -> Callable[[str], Sequence[tuple[str, str]]]:
    """What gives the morphemes of a text, each with its tag. Raises ConfigError without the extra."""
    required_analyser()
    from kiwipiepy import Kiwi

    kiwi = Kiwi(num_workers=1)
    return lambda text: [(token.form, token.tag) for token in kiwi.tokenize(text)]
