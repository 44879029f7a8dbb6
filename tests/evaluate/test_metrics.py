"""The measures, against figures worked out by hand."""

from __future__ import annotations

import pytest

from obsidian_indexer.evaluate.metrics import Tally, first_rank, ndcg, recall

GAINS = {"a": 3, "b": 2, "c": 1, "d": 0}


def test_ndcg_of_a_known_ranking() -> None:
    # found: 2 / log2(2) + 0 / log2(3) + 3 / log2(4) = 3.5
    # best:  3 / log2(2) + 2 / log2(3) + 1 / log2(4) = 4.761860
    assert ndcg(["b", "x", "a"], GAINS) == pytest.approx(3.5 / 4.761860, abs=1e-6)


def test_ndcg_of_the_best_ranking_is_one() -> None:
    assert ndcg(["a", "b", "c", "x"], GAINS) == pytest.approx(1.0)


def test_ndcg_looks_no_further_than_the_cut() -> None:
    places = [f"x{i}" for i in range(10)]
    assert ndcg([*places, "a"], {"a": 1}) == 0.0
    # Eleven answers, ten places: the best that can be done counts as 1.
    answers = [f"a{i}" for i in range(11)]
    assert ndcg(answers, dict.fromkeys(answers, 1)) == pytest.approx(1.0)


def test_a_document_judged_worthless_is_no_answer() -> None:
    assert first_rank(["d", "c"], GAINS) == 2
    assert ndcg(["n"], {"n": -1, "a": 1}) == 0.0


def test_recall_is_the_share_of_the_answers() -> None:
    assert recall(["c", "x", "a"], GAINS) == pytest.approx(2 / 3)


def test_a_tally_means_over_questions() -> None:
    tally = Tally()
    tally.add(["x", "a"], {"a": 1}, took_ms=1.0)
    tally.add(["a"], {"a": 1}, took_ms=2.0)
    tally.add([], {"a": 1}, took_ms=9.0)
    tally.add([f"x{i}" for i in range(10)] + ["a"], {"a": 1}, took_ms=4.0)
    scores = tally.scores()
    assert scores.questions == 4
    assert scores.mrr_at_10 == pytest.approx((1 / 2 + 1) / 4)
    assert scores.hit_at_1 == 0.25
    assert scores.hit_at_5 == 0.5
    assert scores.unanswered == 1
    assert scores.median_ms == 3.0


def test_a_tally_of_nothing_is_all_zero() -> None:
    assert Tally().scores().ndcg_at_10 == 0.0
