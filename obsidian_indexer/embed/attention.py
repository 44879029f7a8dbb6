"""Attention over texts laid end to end, so that nothing is computed for padding.

transformers lets a caller bring the attention of its models, sentence-transformers pools such a row by itself, and
torch has the kernel. Whether a model takes part cannot be read off it, so it is tried: see `packs_rightly`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.tokens import TokenIds

if TYPE_CHECKING:
    import torch

# Names of our own among the kinds of attention that transformers knows.
_PACKED, _PADDED = "indexer_packed", "indexer_padded"
_UNKNOWN_TO_KERNEL = ("softcap", "s_aux", "position_bias", "cache")
# Two ways to compute a model in 16 bits differ by a tenth of this; texts that see each other, by much more.
_LEAST_COSINE = 0.999
_PROBED_LENGTHS = (3, 160, 24)


# Attention over texts laid end to end, called as `torch.nn.attention.varlen.varlen_attn`: query, key and value as
# [tokens, heads, width], where the texts of each start, the longest of each, and settings by name.
Kernel = Callable[..., "torch.Tensor"]


def torch_kernel() -> Kernel | None:
    """The kernel that torch brings (from 2.10 on); whether it runs on a card is seen when it is tried."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    kernel: Kernel = varlen_attn
    return kernel


def can_pack(model: Any) -> bool:
    """Whether a sentence-transformers model is one whose attention can be replaced."""
    inner = getattr(model[0], "model", None)
    return bool(getattr(inner, "is_backend_compatible", lambda: False)())


def use_packed(model: Any, kernel: Kernel) -> None:
    """Have the model attend over texts laid end to end."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(_PACKED, _attention_with(kernel))
    AttentionMaskInterface.register(_PACKED, _no_mask)
    # What the kernel must know travels by names that the model passes on without knowing them.
    if model[0].model_forward_params is not None:
        model[0].model_forward_params |= {"cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k"}
    model[0].model.set_attn_implementation(_PACKED)


def use_padded(model: Any) -> None:
    """Have the model attend over padded rows without asking the device whether there is padding.

    transformers would wait for the answer at every batch, to leave the mask out where all rows are equally long.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    inner = model[0].model
    if inner.config._attn_implementation in ("sdpa", _PACKED):
        AttentionInterface.register(_PADDED, sdpa_attention_forward)
        AttentionMaskInterface.register(_PADDED, _mask_always)
        inner.set_attn_implementation(_PADDED)


def first_position(model: Any) -> int:
    """The number of a text's first position; RoBERTa and its kin count from behind the padding token's."""
    for module in model[0].model.modules():
        padding = getattr(module, "padding_idx", None)
        if isinstance(padding, int) and hasattr(module, "position_embeddings"):
            return padding + 1
    return 0


def probe_texts(vocabulary: int, pad_id: int, max_tokens: int) -> list[TokenIds]:
    """Texts of different lengths and random tokens, one of them longer than the windows of local attention."""
    rng = np.random.default_rng(0)
    return [
        [int(token) for token in rng.integers(0, vocabulary, min(length, max_tokens)) if token != pad_id] or [0]
        for length in _PROBED_LENGTHS
    ]


def packs_rightly(together: NDArray[np.float32], alone: Sequence[NDArray[np.float32]]) -> bool:
    """Whether texts laid end to end got the vectors that each gets alone: float32[n, dim], and n of float32[dim]."""
    cosines = (together * np.stack(alone)).sum(axis=1)
    return bool((cosines > _LEAST_COSINE).all())


def _attention_with(kernel: Kernel) -> Callable[..., tuple[torch.Tensor, None]]:
    """Attention as transformers calls it, [1, heads, tokens, width] in and [1, tokens, heads, width] out."""

    def attend(
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *,
        cu_seq_lens_q: torch.Tensor,
        cu_seq_lens_k: torch.Tensor,
        max_length_q: int,
        max_length_k: int,
        scaling: float | None = None,
        is_causal: bool | None = None,
        sliding_window: int | None = None,
        **others: Any,
    ) -> tuple[torch.Tensor, None]:
        unknown = [name for name in _UNKNOWN_TO_KERNEL if others.get(name) is not None]
        if unknown:
            raise ValueError(f"attention with {unknown[0]} is not known to the kernel")
        causal = module.is_causal if is_causal is None else is_causal
        reach = -1 if sliding_window is None else sliding_window - 1
        settings: dict[str, Any] = {"scale": scaling, "window_size": (reach, 0 if causal else reach)}
        if query.shape[1] != key.shape[1]:
            settings["enable_gqa"] = True
        rows = [states.squeeze(0).transpose(0, 1) for states in (query, key, value)]
        out = kernel(*rows, cu_seq_lens_q, cu_seq_lens_k, max_length_q, max_length_k, **settings)
        return out.unsqueeze(0), None

    return attend


def _no_mask(*args: Any, **kwargs: Any) -> None:
    """The kernel is told where texts begin and end instead."""


def _mask_always(*args: Any, **kwargs: Any) -> torch.Tensor | None:
    from transformers.masking_utils import sdpa_mask

    mask: torch.Tensor | None = sdpa_mask(
        *args, **{**kwargs, "allow_is_bidirectional_skip": False, "allow_is_causal_skip": False}
    )
    return mask
