"""Which trial is kept, and what is said about it."""

from __future__ import annotations

import pytest

from obsidian_indexer.tuning import Precision, Trial, choose_trial


def trial(engine: str, dtype: str, pace: float | None, budget: int = 2048, *, usable: bool = True) -> Trial:
    return Trial(engine, dtype, budget, tokens_per_second=pace, usable=usable)


INT8 = trial("openvino", "int8", 300.0)
BF16 = trial("openvino", "bfloat16", 220.0)
F32 = trial("torch", "float32", 100.0)


def test_without_an_index_the_fastest_is_kept() -> None:
    best, reason = choose_trial([F32, INT8, BF16], None, Precision.WEIGH)
    assert best is INT8
    assert "again" not in reason


def test_the_format_of_an_index_is_kept_where_another_gains_little() -> None:
    best, reason = choose_trial([F32, INT8, BF16], "bfloat16", Precision.WEIGH)
    assert best is BF16
    assert "int8 runs 1.4×" in reason


def test_another_format_is_taken_where_it_pays_and_the_cost_is_said() -> None:
    best, reason = choose_trial([F32, INT8, BF16], "float32", Precision.WEIGH)
    assert best is INT8
    assert "3.0×" in reason
    assert "embeds everything again" in reason


@pytest.mark.parametrize(("pace", "kept"), [(150.0, "int8"), (149.0, "float32")])
def test_the_line_is_drawn_at_one_and_a_half(pace: float, kept: str) -> None:
    best, _ = choose_trial([F32, trial("openvino", "int8", pace)], "float32", Precision.WEIGH)
    assert best is not None
    assert best.dtype == kept


def test_precision_can_be_kept_or_not_regarded() -> None:
    assert choose_trial([F32, INT8], "float32", Precision.KEEP)[0] is F32
    best, reason = choose_trial([BF16, INT8], "bfloat16", Precision.ANY)
    assert best is INT8
    assert "embeds everything again" in reason


def test_a_format_that_nothing_computes_here() -> None:
    assert choose_trial([F32], "int8", Precision.WEIGH)[0] is F32
    best, reason = choose_trial([F32], "int8", Precision.KEEP)
    assert best is None
    assert "int8" in reason


def test_what_is_unusable_or_unmeasured_is_never_kept() -> None:
    spoilt = trial("torch", "float16", 900.0, usable=False)
    assert choose_trial([spoilt, F32], None, Precision.ANY)[0] is F32
    assert choose_trial([spoilt, trial("torch", "float32", None)], None, Precision.ANY)[0] is None
    assert choose_trial([], None, Precision.WEIGH)[0] is None


def test_paces_alike_but_for_noise_give_the_smaller_batches() -> None:
    small, large = trial("torch", "float32", 99.0, 1024), trial("torch", "float32", 100.0, 4096)
    assert choose_trial([small, large], None, Precision.WEIGH)[0] is small
    small = trial("torch", "float32", 90.0, 1024)
    assert choose_trial([small, large], None, Precision.WEIGH)[0] is large
