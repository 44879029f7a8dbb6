"""The reranker: any sentence-transformers cross-encoder on this machine, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from obsidian_indexer.embed.rerank import LoadedReranker
from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import EmbedOptions
from tests.embed.small_models import write_cross_encoder

EXACT = EmbedOptions(device="cpu", fast_mode=False)
QUERY, PASSAGES = "note link", ["block vault", "note link graph", "tag", "daily query search folder"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("models") / "ranker")


def test_passages_are_scored_as_the_library_scores_them(folder: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    library = CrossEncoder(str(folder), device="cpu")
    expected = library.predict([(QUERY, text) for text in PASSAGES], activation_fn=torch.nn.Identity())
    reranker = LoadedReranker(str(folder), EXACT).get()
    assert reranker.name == "ranker"
    np.testing.assert_allclose(reranker.scores(QUERY, PASSAGES), expected, atol=1e-5)
    assert len(reranker.scores(QUERY, PASSAGES[:1])) == 1


def test_it_is_loaded_once_and_again_after_closing(folder: Path) -> None:
    loaded = LoadedReranker(str(folder), EXACT)
    first = loaded.get()
    assert loaded.get() is first
    loaded.close()
    assert loaded.get() is not first


def test_it_says_which_scripts_it_reads(folder: Path) -> None:
    reranker = LoadedReranker(str(folder), EXACT).get()
    assert reranker.coverage("note link") == 1.0
    assert reranker.coverage("노트 연결") == 0.0


def test_of_two_classes_the_second_is_the_better_answer(tmp_path: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    folder = write_cross_encoder(tmp_path / "two", classes=2)
    logits = CrossEncoder(str(folder), device="cpu").predict(
        [(QUERY, text) for text in PASSAGES], activation_fn=torch.nn.Identity()
    )
    scores = LoadedReranker(str(folder), EXACT).get().scores(QUERY, PASSAGES)
    np.testing.assert_allclose(scores, logits[:, 1] - logits[:, 0], atol=1e-5)


def test_a_classifier_is_refused(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "three", classes=3)
    with pytest.raises(ModelError, match="3 classes"):
        LoadedReranker(str(folder), EXACT).get()


@pytest.mark.parametrize("name", ["default", "fake"])
def test_a_model_that_scores_no_pairs_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="not a cross-encoder"):
        LoadedReranker(name, EXACT).get()


def test_nothing_is_fetched_unasked() -> None:
    with pytest.raises(ModelError, match="nothing is fetched unasked"):
        LoadedReranker("nobody/ranker", EXACT).get()


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["BertForSequenceClassification"]}), "utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="safetensors"):
        LoadedReranker(str(tmp_path), EXACT).get()


def test_a_damaged_model_is_tried_once(folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            (damaged / file.name).write_bytes(file.read_bytes())
    (damaged / "model.safetensors").write_bytes(b"nothing of the kind")
    loaded = LoadedReranker(str(damaged), EXACT)
    with pytest.raises(ModelError, match="cannot be loaded") as first:
        loaded.get()
    with pytest.raises(ModelError) as again:
        loaded.get()
    assert again.value is first.value
