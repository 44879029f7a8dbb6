"""The card itself, where there is one: the same vectors, memory that is found and that runs out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import load_tokenizer
from obsidian_indexer.embed.torch_engine import TorchEngine
from obsidian_indexer.options import EmbedOptions

ON_CARD = EmbedOptions(device="cuda:0", engine="torch")
TEXTS = [f"note {i} about links and blocks " * (1 + i % 30) for i in range(600)]


@pytest.fixture(scope="module")
def engine() -> Iterator[TorchEngine]:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    engine = TorchEngine(resolve_model(ON_CARD), ON_CARD)
    yield engine
    engine.close()


def vectors_of(engine: TorchEngine, **changes: int) -> tuple[NDArray[np.float32], Embedder]:
    spec = resolve_model(ON_CARD)
    embedder = Embedder(spec, load_tokenizer(spec), engine, replace(ON_CARD, **changes))  # type: ignore[arg-type]
    out = np.zeros((len(TEXTS), engine.dim), np.float32)
    for result in embedder.run(embedder.tokenizer.encode(TEXTS)):
        assert not result.failed
        out[result.rows] = result.vectors
    return out, embedder


def test_the_card_gives_the_vectors_of_the_processor(engine: TorchEngine) -> None:
    spec = resolve_model(ON_CARD)
    exact = TorchEngine(spec, EmbedOptions(device="cpu", dtype="float32"))
    encoded = load_tokenizer(spec).encode(TEXTS[:60])
    cosines = (vectors_of(engine, token_budget=4096)[0][:60] * exact.forward(encoded)).sum(axis=1)
    assert cosines.min() > 0.999


def test_a_sixteen_bit_model_is_computed_without_padding(engine: TorchEngine) -> None:
    import torch

    if torch.cuda.get_device_capability(0) < (8, 0):
        pytest.skip("the kernel needs a card of the Ampere generation or later")
    assert engine.detail == "without padding"


def test_the_room_is_found(engine: TorchEngine) -> None:
    vectors_of(engine)
    assert engine.room_tokens > 100_000


def test_out_of_memory_is_survived(engine: TorchEngine) -> None:
    import torch

    expected, _ = vectors_of(engine, token_budget=4096)
    torch.cuda.empty_cache()
    held = torch.cuda.memory_reserved(0)
    _, total = torch.cuda.mem_get_info(0)
    torch.cuda.set_per_process_memory_fraction((held + 64 * 2**20) / total, 0)
    try:
        vectors, embedder = vectors_of(engine, token_budget=10**6)
    finally:
        torch.cuda.set_per_process_memory_fraction(ON_CARD.gpu_memory_fraction, 0)
    assert embedder.ran_out_of_memory
    assert (vectors * expected).sum(axis=1).min() > 0.999
