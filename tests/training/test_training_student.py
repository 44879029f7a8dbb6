"""Vocabulary, start and training of a student, with the real tokenizer and a network of two layers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.options import EmbedOptions
from training.distil import Recipe, Run, Texts, fitted_length, loss_of
from training.export import export
from training.student import companions_mean, embed, moved_back
from training.vocabulary import extend_tokenizer, learn_pieces

ENGLISH = ["How do I link to a block?", "Naïve café, 10% off — don't!", "tokenisation of UNUSUAL words: xylophonists"]


@pytest.fixture(scope="module")
def teacher_folder() -> Path:
    folder = resolve_model(EmbedOptions(model="all-MiniLM-L6-v2")).folder
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def tokenizer(teacher_folder: Path) -> Tokenizer:
    words = Counter({"회의록": 9, "회의": 9, "링크": 9, "링크하는": 5, "방법": 7})
    return extend_tokenizer(teacher_folder / "tokenizer.json", learn_pieces(words, 3000))


def test_english_is_split_as_before(teacher_folder: Path, tokenizer: Tokenizer) -> None:
    before = Tokenizer.from_file(str(teacher_folder / "tokenizer.json"))
    before.no_padding()
    before.no_truncation()
    for text in ENGLISH:
        assert tokenizer.encode(text).ids == before.encode(text).ids


def test_korean_is_split_into_its_words_however_it_is_composed(tokenizer: Tokenizer) -> None:
    import unicodedata

    assert tokenizer.encode("회의록").tokens[1:-1] == ["회의록"]
    decomposed = unicodedata.normalize("NFD", "회의록")
    assert tokenizer.encode(decomposed).tokens == tokenizer.encode("회의록").tokens


def test_a_new_piece_starts_at_the_english_words_it_occurs_with() -> None:
    rows = np.eye(6, dtype=np.float32)
    english = [[0, 2, 0], [0, 2, 3, 0], [0, 4, 0], [0, 4, 3, 0]] * 20
    korean = [[0, 6, 0], [0, 6, 0], [0, 7, 0], [0, 7, 0]] * 20
    start = companions_mean(english, korean, rows, 9, seed=1)
    assert start.shape == (3, 6)
    assert start[0].argmax() == 2
    assert start[1].argmax() == 4
    assert np.isclose(np.linalg.norm(start[2]), 1.0, atol=1e-5)


def test_the_loss_is_nothing_at_the_teachers_own_vectors() -> None:
    wanted = torch.nn.functional.normalize(torch.randn(12, 8), dim=1)
    weights = torch.ones(12)
    at_home = loss_of(wanted, wanted, weights, Recipe())
    away = loss_of(torch.nn.functional.normalize(torch.randn(12, 8), dim=1), wanted, weights, Recipe())
    assert float(at_home) == pytest.approx(0, abs=1e-4)
    assert float(away) > 0.5


def test_texts_are_cut_to_lengths_that_fill_a_batch() -> None:
    assert [fitted_length(n, 256) for n in (7, 39, 45, 64, 300)] == [7, 39, 40, 64, 256]


def small_run(folder: Path, steps: int) -> tuple[Run, Texts, Texts]:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False)
    generator = np.random.default_rng(1)
    ids = [[1, *generator.integers(20, 40, size=int(n)).tolist(), 2] for n in generator.integers(4, 9, size=60)]
    vectors = generator.standard_normal((60, 16)).astype(np.float16)
    recipe = Recipe(batch_tokens=64, batches_per_step=2, warmup_steps=2, steps=steps, save_every=5)
    texts = Texts(ids, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16))
    return Run(model, 20, recipe, folder), texts, texts


def test_training_lowers_the_loss_and_leaves_the_old_rows_alone(tmp_path: Path) -> None:
    run, korean, english = small_run(tmp_path, 60)
    old = run.model.embeddings.word_embeddings.weight[:20].detach().clone()
    run.train(korean, english, dict)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    losses = [line["loss"] for line in log if "loss" in line]
    assert losses[-1] < losses[0]
    assert torch.equal(run.model.embeddings.word_embeddings.weight[:20], old)


def test_a_stopped_run_goes_on_from_its_last_save(tmp_path: Path) -> None:
    run, korean, english = small_run(tmp_path, 20)
    run.step, before = 10, run.model.embeddings.word_embeddings.weight.detach().clone() + 1
    with torch.no_grad():
        run.model.embeddings.word_embeddings.weight.copy_(before)
    run.save()
    again, *_ = small_run(tmp_path, 20)
    assert again.step == 10
    assert torch.equal(again.model.embeddings.word_embeddings.weight, before)
    again.train(korean, english, dict)
    assert again.step == 20


def test_an_export_is_a_model_folder_that_gives_the_students_vectors(
    tmp_path: Path, teacher_folder: Path, tokenizer: Tokenizer
) -> None:
    from sentence_transformers import SentenceTransformer

    student = BertModel.from_pretrained(str(teacher_folder), dtype=torch.float32, add_pooling_layer=False)
    student.resize_token_embeddings(tokenizer.get_vocab_size(), mean_resizing=False)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    export(student.state_dict(), tmp_path / "tokenizer.json", teacher_folder, tmp_path / "model")
    loaded = SentenceTransformer(str(tmp_path / "model"), device="cpu", local_files_only=True)
    text = "회의록 링크 a meeting"
    with torch.inference_mode():
        expected = embed(student.eval(), torch.tensor([tokenizer.encode(text).ids]))[0].numpy()
    found = loaded.encode(text, normalize_embeddings=True)
    assert float(found @ expected) > 0.9999


def test_moving_back_meets_the_teacher_and_leaves_the_rows_as_they_were(teacher_folder: Path) -> None:
    teacher = BertModel.from_pretrained(str(teacher_folder), dtype=torch.float32, add_pooling_layer=False)
    original = teacher.state_dict()
    trained = {name: value + 1 if value.is_floating_point() else value for name, value in original.items()}
    half, whole = (moved_back(trained, teacher_folder, share) for share in (0.5, 1.0))
    rows, matrix = "embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"
    torch.testing.assert_close(half[matrix], original[matrix] + 0.5)
    torch.testing.assert_close(whole[matrix], original[matrix])
    assert torch.equal(whole[rows], trained[rows])
