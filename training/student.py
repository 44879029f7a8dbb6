"""The teacher's network with rows for the new pieces, started from the English words they occur with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

_COMPANIONS = 6
# A piece seen less often keeps more of a direction of its own than of its few companions'.
_SURE_AT = 5.0
_ROUNDS = 25
_PULL = 0.3


def companions_mean(
    english: Sequence[Sequence[int]], korean: Sequence[Sequence[int]], rows: NDArray[np.float32], size: int, seed: int
) -> NDArray[np.float32]:
    """float32[size - len(rows), dim]: a start for each new piece.

    The mean, weighted by score, of the old rows of the six English tokens with the highest n²/(n_ko·n_en), n being
    the pairs that hold both; for a piece met in few pairs or none, mixed with a random direction of the same length.
    """
    from scipy.sparse import csr_matrix

    n_old, dim = rows.shape
    generator = np.random.default_rng(seed)
    typical = float(np.linalg.norm(rows, axis=1).mean())
    own = generator.standard_normal((size - n_old, dim)).astype(np.float32)
    own *= typical / np.linalg.norm(own, axis=1, keepdims=True)
    ko, en = (_presence(side, size) for side in (korean, english))
    n_ko, n_en = np.asarray(ko.sum(axis=0)).ravel(), np.asarray(en.sum(axis=0)).ravel()
    both: csr_matrix = (ko.T.tocsr()[n_old:] @ en).tocsr()
    start = own.copy()
    for piece in range(size - n_old):
        lo, hi = both.indptr[piece], both.indptr[piece + 1]
        if lo == hi:
            continue
        tokens, n = both.indices[lo:hi], both.data[lo:hi]
        score = n * n / (n_ko[n_old + piece] * n_en[tokens])
        best = np.argsort(-score)[:_COMPANIONS]
        mean = np.average(rows[tokens[best]], axis=0, weights=score[best])
        sure = n_ko[n_old + piece] / (n_ko[n_old + piece] + _SURE_AT)
        start[piece] = sure * mean + (1 - sure) * own[piece]
    return start


def agreed(
    english: Sequence[Sequence[int]],
    korean: Sequence[Sequence[int]],
    rows: NDArray[np.float32],
    start: NDArray[np.float32],
) -> NDArray[np.float32]:
    """float32[n_new, dim]: new rows that make the mean of a text's rows that of its translation's.

    Ridge regression towards `start` by conjugate gradients: what several pieces of a text have in common is shared out
    among them, where companions alone would give it to each.
    """
    n_old, size = len(rows), len(rows) + len(start)
    ko, en = (_shares(side, size) for side in (korean, english))
    wanted = en[:, :n_old] @ rows - ko[:, :n_old] @ rows
    pieces = ko[:, n_old:].tocsr()
    seen = np.asarray(pieces.multiply(pieces).sum(axis=0)).ravel()[:, None]
    pull = _PULL * float(seen[seen > 0].mean()) if (seen > 0).any() else 1.0
    change = np.zeros_like(start)
    residual = (pieces.T @ (wanted - pieces @ start)).astype(np.float32)
    scale = 1.0 / (seen + pull).astype(np.float32)
    step = direction = scale * residual
    norm = float((residual * step).sum())
    for _ in range(_ROUNDS):
        image = pieces.T @ (pieces @ direction) + pull * direction
        length = norm / float((direction * image).sum())
        change += length * direction
        residual -= length * image
        step = scale * residual
        norm, before = float((residual * step).sum()), norm
        direction = step + (norm / before) * direction
    found: NDArray[np.float32] = start + change
    return found


def _shares(texts: Sequence[Sequence[int]], size: int):  # type: ignore[no-untyped-def]
    """A sparse matrix, texts × tokens: the share of each token in a text; rows sum to 1."""
    from scipy.sparse import csr_matrix

    lengths = [max(1, len(ids) - 2) for ids in texts]
    flat = np.concatenate([np.asarray(ids[1:-1], np.int32) for ids in texts])
    starts = np.cumsum([0, *(len(ids) - 2 for ids in texts)])
    values = np.repeat(1.0 / np.asarray(lengths, np.float32), [len(ids) - 2 for ids in texts])
    return csr_matrix((values, flat, starts), shape=(len(texts), size), dtype=np.float32)


def _presence(texts: Sequence[Sequence[int]], size: int):  # type: ignore[no-untyped-def]
    """A sparse matrix of ones: texts × tokens."""
    from scipy.sparse import csr_matrix

    columns = [sorted(set(ids[1:-1])) for ids in texts]
    starts = np.cumsum([0, *(len(c) for c in columns)])
    flat = np.concatenate([np.asarray(c, np.int32) for c in columns])
    return csr_matrix((np.ones(len(flat), np.float32), flat, starts), shape=(len(texts), size))


def new_student(
    teacher: Path, tokenizer: Tokenizer, korean: Sequence[Sequence[int]], english: Sequence[Sequence[int]], seed: int
) -> BertModel:
    """The network, float32, ready to train."""
    import torch
    from transformers import BertModel

    model = BertModel.from_pretrained(
        str(teacher), dtype=torch.float32, add_pooling_layer=False, attn_implementation="eager"
    )
    old = model.embeddings.word_embeddings.weight.detach().numpy()
    size = tokenizer.get_vocab_size()
    start = agreed(english, korean, old, companions_mean(english, korean, old, size, seed))
    model.resize_token_embeddings(size, mean_resizing=False)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[: len(old)] = torch.from_numpy(old)
        model.embeddings.word_embeddings.weight[len(old) :] = torch.from_numpy(start)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def moved_back(state: Mapping[str, torch.Tensor], teacher: Path, share: float) -> dict[str, torch.Tensor]:
    """A student's weights with its network, not its rows, that share of the way back to the teacher's.

    Wortsman et al. 2022, "Robust fine-tuning of zero-shot models": what the steps of training have in common stays,
    much of their noise goes.
    """
    from safetensors.torch import load_file

    original = load_file(teacher / "model.safetensors")
    moved = dict(state)
    for name, value in state.items():
        of_teacher = original.get(name, original.get(f"bert.{name}"))
        if of_teacher is not None and of_teacher.is_floating_point() and "word_embeddings" not in name:
            moved[name] = (1 - share) * value + share * of_teacher.to(value.dtype)
    return moved


def embed(model: BertModel, ids: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
    """float32[n, dim]: unit vectors of texts of one length (no padding), by the mean of their tokens.

    `ids` count in `rows` (float32[n_rows, dim]), or in the whole vocabulary.
    """
    import torch

    table = model.embeddings.word_embeddings.weight if rows is None else rows
    hidden = model(inputs_embeds=torch.nn.functional.embedding(ids, table)).last_hidden_state
    return torch.nn.functional.normalize(hidden.float().mean(dim=1), dim=1)
