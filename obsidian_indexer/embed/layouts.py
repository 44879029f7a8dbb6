"""Batches of token ids as arrays: padded into a rectangle, or laid end to end."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds

T = TypeVar("T")
Arrays = dict[str, NDArray[np.generic]]


def padded(batch: Sequence[TokenIds], pad_id: int) -> Arrays:
    """`input_ids` and `attention_mask`: int64[n, longest], padded on the right."""
    lengths = _lengths(batch)
    mask = np.arange(lengths.max()) < lengths[:, np.newaxis]
    ids = np.full(mask.shape, pad_id, np.int64)
    ids[mask] = _ids(batch)
    return {"input_ids": ids, "attention_mask": mask.astype(np.int64)}


def packed(batch: Sequence[TokenIds], first_position: int) -> Arrays:
    """Texts laid end to end as one row, by the names that transformers and sentence-transformers use for it.

    `input_ids` and `position_ids` are int64[1, tokens]; `seq_idx` (int32[1, tokens]) says which text a token belongs
    to, `cu_seq_lens` (int32[n + 1]) where each text starts and the last one ends.
    """
    lengths = _lengths(batch)
    ends = np.cumsum(lengths)
    positions = np.arange(first_position, first_position + ends[-1]) - np.repeat(ends - lengths, lengths)
    return {
        "input_ids": _ids(batch)[np.newaxis],
        "position_ids": positions[np.newaxis],
        "seq_idx": np.repeat(np.arange(len(batch), dtype=np.int32), lengths)[np.newaxis],
        "cu_seq_lens": np.concatenate([[0], ends]).astype(np.int32),
    }


def as_features(tensors: Mapping[str, T], longest: int) -> dict[str, T | int]:
    """What the model is called with; of texts laid end to end it is also told the bounds, by four names."""
    features: dict[str, T | int] = dict(tensors)
    bounds = features.pop("cu_seq_lens", None)
    if bounds is not None:
        features |= {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": longest, "max_length_k": longest}
    return features


def flat(batch: Sequence[TokenIds]) -> Arrays:
    """What a static embedding reads: `input_ids` of all texts (int64[tokens]) and `offsets`, where each starts."""
    lengths = _lengths(batch)
    return {"input_ids": _ids(batch), "offsets": np.cumsum(lengths) - lengths}


def _lengths(batch: Sequence[TokenIds]) -> NDArray[np.int64]:
    return np.fromiter(map(len, batch), np.int64, len(batch))


def _ids(batch: Sequence[TokenIds]) -> NDArray[np.int64]:
    if all(isinstance(ids, array) and ids.typecode == "i" for ids in batch):
        # A run keeps its tokens so. Number by number, a fast card would wait for them.
        return np.frombuffer(b"".join(batch), np.intc).astype(np.int64)  # type: ignore[arg-type]
    return np.fromiter(chain.from_iterable(batch), np.int64, sum(map(len, batch)))
