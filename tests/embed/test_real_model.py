"""The bundled model, for real: the same vectors as the library's own `encode`, without any network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.loaded import LoadedModel
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import load_tokenizer
from obsidian_indexer.options import EmbedOptions

TEXTS = [
    "Notes are linked with double brackets.",
    "블록에 링크하는 방법",
    "A longer passage about coffee. " * 60,
    "x",
    "Émile déjà vu — “quoted” 🙂",
]


def on_torch(dtype: str) -> Embedder:
    options = EmbedOptions(engine="torch", dtype=dtype, device="cpu")
    return LoadedModel(options, Path("nowhere")).get(resolve_model(options), None)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return on_torch("float32")


def vectors_of(embedder: Embedder, texts: list[str]) -> np.ndarray:
    out = np.zeros((len(texts), embedder.engine.dim), np.float32)
    for result in embedder.run(embedder.tokenizer.encode(texts)):
        assert not result.failed
        out[result.rows] = result.vectors
    return out


def test_vectors_equal_those_of_encode(embedder: Embedder) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(embedder.spec.folder), device="cpu", local_files_only=True)
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(vectors_of(embedder, TEXTS), expected, atol=2e-5)


def test_sixteen_bit_vectors_point_the_same_way(embedder: Embedder) -> None:
    half = on_torch("bfloat16")
    assert half.engine.dtype == "bfloat16"
    cosines = (vectors_of(half, TEXTS) * vectors_of(embedder, TEXTS)).sum(axis=1)
    assert cosines.min() > 0.999


def test_a_text_alone_on_the_cpu_gives_the_same_vector(embedder: Embedder) -> None:
    ids = embedder.tokenizer.encode(TEXTS[:1])[0]
    np.testing.assert_allclose(embedder.engine.forward_exact(ids), embedder.engine.forward([ids])[0], atol=1e-5)


def test_the_measure_of_a_text_is_what_the_model_reads(embedder: Embedder) -> None:
    counts = embedder.tokenizer.count(TEXTS)
    encoded = embedder.tokenizer.encode(TEXTS)
    for text, count, ids in zip(TEXTS, counts, encoded, strict=True):
        assert len(ids) == min(count + embedder.tokenizer.n_special, 256), text


@pytest.mark.parametrize(("model", "korean"), [("default", True), ("all-MiniLM-L6-v2", False)])
def test_a_model_knows_the_scripts_it_was_made_for(model: str, korean: bool) -> None:
    tokenizer = load_tokenizer(resolve_model(EmbedOptions(model=model)))
    assert tokenizer.coverage("how do I link a block") == 1.0
    assert (tokenizer.coverage("블록에 링크하는 방법") == 1.0) is korean
    assert tokenizer.coverage("日本語のノート") < 0.5
