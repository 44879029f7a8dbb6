"""A model's card is made of what was chosen and measured, and the app reads its languages from it."""

from __future__ import annotations

from pathlib import Path

from obsidian_indexer.embed.card import scripts_of
from training.card import render
from training.table import Pair, sources

MEASURED = {"ndcg_at_10": 0.5}


def figures(vectors: float, hit: float) -> dict[str, object]:
    scores = {"semantic": {"ndcg_at_10": vectors}, "keyword": MEASURED, "hybrid": {"ndcg_at_10": 0.987654}}
    hits = {"hit@1": hit, "hit@5": hit}
    return {
        "sets": {"belebele-ko": scores},
        "titles": {"questions": 3, "semantic": hits, "hybrid": hits},
        "teacher": {
            "english_cosine": 0.991,
            "english_worst_cosine": 0.9,
            "english_tokenised_alike": "10 of 10",
            "unseen_pairs_top1": 0.97,
            "korean_tokens_share": 0.4,
            "tokens_per_second_to_teacher": 1.01,
        },
    }


def test_the_card_holds_sources_and_figures_and_names_the_languages(tmp_path: Path) -> None:
    table = {"chosen": 1234, "left_out": {"twice": 5}, "sources": [("manual", "MIT", 1200)]}
    text = render(table, figures(0.777, 0.75))
    (tmp_path / "README.md").write_text(text, "utf-8")
    assert scripts_of(tmp_path) == {"LATIN", "HANGUL"}
    assert "| manual | MIT | 1,200 |" in text
    assert "| belebele-ko | 0.777 | 0.500 | 0.988 |" in text
    assert "| 3 titles | 0.75 | 0.75 | 0.75 | 0.75 |" in text
    assert "5 twice" in text
    assert "$" not in text


def test_sources_are_counted_with_their_licences_and_invented_sentences_are_not() -> None:
    pairs = [
        Pair("a", "가", "docs", "x", "MIT"),
        Pair("b", "나", "docs(dp)", "x", "MIT"),
        Pair("c", "다", "invented", "x"),
    ]
    assert sources([*pairs, Pair("d", "라", "wiki", "x", "CC BY-SA 4.0")]) == [
        ("docs", "MIT", 2),
        ("wiki", "CC BY-SA 4.0", 1),
    ]
