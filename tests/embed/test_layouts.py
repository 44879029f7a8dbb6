"""Batches as arrays: what is padded, what is laid end to end, where each text starts."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest

from obsidian_indexer.embed import layouts
from obsidian_indexer.embed.tokens import TokenIds

BATCH = [[5, 6, 7], [8], [9, 10]]


def test_padded_rows_are_filled_on_the_right_and_masked() -> None:
    arrays = layouts.padded(BATCH, 1)
    assert arrays["input_ids"].tolist() == [[5, 6, 7], [8, 1, 1], [9, 10, 1]]
    assert arrays["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]


def test_texts_end_to_end_count_their_positions_and_know_their_bounds() -> None:
    arrays = layouts.packed(BATCH, 2)
    assert arrays["input_ids"].tolist() == [[5, 6, 7, 8, 9, 10]]
    assert arrays["position_ids"].tolist() == [[2, 3, 4, 2, 2, 3]]
    assert arrays["seq_idx"].tolist() == [[0, 0, 0, 1, 2, 2]]
    assert arrays["cu_seq_lens"].tolist() == [0, 3, 4, 6]
    assert arrays["cu_seq_lens"].dtype == np.int32


@pytest.mark.parametrize("layout", [partial(layouts.padded, pad_id=1), partial(layouts.packed, first_position=0)])
def test_tokens_kept_tight_make_the_same_arrays(layout: Callable[[Sequence[TokenIds]], layouts.Arrays]) -> None:
    expected, tight = layout(BATCH), layout([array("i", ids) for ids in BATCH])
    assert {name: values.tolist() for name, values in tight.items()} == {
        name: values.tolist() for name, values in expected.items()
    }


def test_flat_texts_say_where_each_starts() -> None:
    arrays = layouts.flat([*BATCH, []])
    assert arrays["input_ids"].tolist() == [5, 6, 7, 8, 9, 10]
    assert arrays["offsets"].tolist() == [0, 3, 4, 6]
