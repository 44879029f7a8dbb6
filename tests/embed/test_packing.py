"""Texts laid end to end get the vectors that they get alone, and a model that cannot do so is padded.

The kernel of the cards is stood in for by plain attention, text by text.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from obsidian_indexer.embed import attention, layouts
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import TokenIds, load_tokenizer
from obsidian_indexer.embed.torch_engine import TorchEngine
from obsidian_indexer.options import EmbedOptions
from tests.embed.small_models import sentences, write_model

ON_CPU = EmbedOptions(device="cpu", dtype="float32")


def text_by_text(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seq_q: torch.Tensor,
    cu_seq_k: torch.Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
    enable_gqa: bool = False,
) -> torch.Tensor:
    """The reference: each text on its own, with a mask that says how far a token sees."""
    assert int((cu_seq_q[1:] - cu_seq_q[:-1]).max()) == max_q == max_k
    parts = []
    for start, end in pairwise(cu_seq_q.tolist()):
        q, k, v = (states[start:end].transpose(0, 1)[None] for states in (query, key, value))
        back, ahead = (end - start if reach < 0 else reach for reach in window_size)
        distance = torch.arange(end - start)[None, :] - torch.arange(end - start)[:, None]
        seen = (distance >= -back) & (distance <= ahead)
        out = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=seen, scale=scale, enable_gqa=enable_gqa
        )
        parts.append(out[0].transpose(0, 1))
    return torch.cat(parts)


def across_texts(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *bounds: Any, **others: Any) -> Any:
    """A kernel that does not regard where a text ends."""
    states = (each.transpose(0, 1)[None] for each in (query, key, value))
    return torch.nn.functional.scaled_dot_product_attention(*states)[0].transpose(0, 1)


def not_here(*args: Any, **others: Any) -> Any:
    raise RuntimeError("no kernel image is available for execution on the device")


def engine_for(folder: Path, kernel: attention.Kernel | None = None, **changes: object) -> TorchEngine:
    options = replace(ON_CPU, model=str(folder), **changes)  # type: ignore[arg-type]
    return TorchEngine(resolve_model(options), options, kernel=kernel)


def encode(folder: Path, count: int = 48) -> list[TokenIds]:
    return load_tokenizer(resolve_model(EmbedOptions(model=str(folder)))).encode(sentences(count))


def alone(engine: TorchEngine, texts: list[TokenIds]) -> NDArray[np.float32]:
    return np.concatenate([engine.forward([text]) for text in texts])


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken", "weightedmean"])
def test_packed_equals_padded_in_every_pooling(tmp_path: Path, pooling: str) -> None:
    folder = write_model(tmp_path, "bert", pooling=pooling, dense=24)
    packed, padded = engine_for(folder, text_by_text), engine_for(folder)
    assert (packed.detail, padded.detail) == ("without padding", "")
    texts = encode(folder)
    np.testing.assert_allclose(packed.forward(texts), padded.forward(texts), atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "distilbert", "modernbert", "qwen3"])
def test_packed_equals_each_text_alone_in_every_architecture(tmp_path: Path, kind: str) -> None:
    folder = write_model(tmp_path, kind)
    packed, padded = engine_for(folder, text_by_text), engine_for(folder)
    assert packed.detail == "without padding"
    texts = encode(folder)
    np.testing.assert_allclose(packed.forward(texts), alone(padded, texts), atol=1e-5)


def test_the_bundled_model_packs() -> None:
    spec = resolve_model(EmbedOptions())
    packed = TorchEngine(spec, ON_CPU, kernel=text_by_text)
    padded = TorchEngine(spec, ON_CPU)
    assert packed.detail == "without padding"
    texts = load_tokenizer(spec).encode(["one", "a longer sentence about notes " * 20, "블록에 링크하는 방법"])
    np.testing.assert_allclose(packed.forward(texts), padded.forward(texts), atol=1e-5)
    np.testing.assert_allclose(packed.forward_exact(texts[1]), padded.forward_exact(texts[1]), atol=1e-5)


@pytest.mark.parametrize("kernel", [across_texts, not_here, None], ids=["wrong", "missing", "none"])
def test_a_kernel_that_does_not_do_leaves_padded_batches(tmp_path: Path, kernel: attention.Kernel | None) -> None:
    folder = write_model(tmp_path, "bert")
    engine, padded = engine_for(folder, kernel), engine_for(folder)
    assert engine.detail == ("with padding" if kernel else "")
    texts = encode(folder)
    np.testing.assert_allclose(engine.forward(texts), padded.forward(texts), atol=1e-5)


def test_a_model_with_attention_of_its_own_is_padded(tmp_path: Path) -> None:
    folder = write_model(tmp_path, "mpnet")
    engine = engine_for(folder, text_by_text)
    assert engine.detail == "with padding"
    texts = encode(folder)
    np.testing.assert_allclose(engine.forward(texts), alone(engine, texts), atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "qwen3"])
def test_always_masking_changes_no_vector(tmp_path: Path, kind: str) -> None:
    folder = write_model(tmp_path, kind)
    engine, plain = engine_for(folder), engine_for(folder)
    attention.use_padded(engine._model)
    texts = encode(folder)
    np.testing.assert_allclose(engine.forward(texts), plain.forward(texts), atol=1e-5)


@pytest.mark.parametrize("way", ["packed", "padded"])
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_a_forward_pass_never_asks_the_device_for_a_value(tmp_path: Path, kind: str, way: str) -> None:
    """On the meta device there are no values: whoever reads one, and so would make the host wait, raises."""
    folder = write_model(tmp_path, kind)
    engine = engine_for(folder)
    texts = encode(folder)
    if way == "packed":
        attention.use_packed(engine._model, lambda query, *others, **settings: torch.empty_like(query))
        arrays = layouts.packed(texts, attention.first_position(engine._model))
    else:
        attention.use_padded(engine._model)
        arrays = layouts.padded(texts, 1)
    model = engine._model.to("meta")
    tensors = {name: torch.from_numpy(array).to("meta") for name, array in arrays.items()}
    features = layouts.as_features(tensors, max(map(len, texts)))
    assert engine._vectors(model, features).shape == (len(texts), engine.dim)
