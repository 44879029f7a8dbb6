"""Words count for more in scripts that are looked up by pairs of characters."""

from __future__ import annotations

import pytest

from obsidian_indexer.search.weighing import Weights

FULL = Weights(semantic=0.5, titles=0.1, links=0.1, whole_notes=0.7, note_meaning=0.3, translations=0.15)


def test_latin_queries_have_the_weights_of_the_settings() -> None:
    assert FULL.for_words("how to link a note") == FULL
    assert FULL.for_words("") == FULL


def test_korean_queries_lean_on_words_and_mixed_ones_lie_between() -> None:
    korean, mixed = FULL.for_words("노트를 연결하는 방법"), FULL.for_words("노트 markdown")
    assert korean.semantic == pytest.approx(0.3)
    assert korean.semantic < mixed.semantic < FULL.semantic
    assert (korean.titles, korean.links, korean.whole_notes) == (FULL.titles, FULL.links, FULL.whole_notes)
