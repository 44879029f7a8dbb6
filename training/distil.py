"""Training: the student gives each Korean text, and each English one, the teacher's vector of the English.

Reimers and Gurevych 2020, "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation"; beside
the distance to the teacher's vector, the likeness of every text to every other in the step is matched.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.student import embed

if TYPE_CHECKING:
    import torch
    from transformers import BertModel

# Texts up to this length share a batch with texts of just their length, longer ones are cut to the next step below:
# attention without a mask is twice as fast on a CPU.
_EXACT_BELOW, _STEP = 40, 8


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that shapes a run. Tokens are counted without padding, of which there is none."""

    batch_tokens: int = 768
    batches_per_step: int = 4
    english_share: float = 0.2
    network_rate: float = 1e-4
    rows_rate: float = 1e-3
    warmup_steps: int = 100
    steps: int = 3800
    decay_share: float = 0.737
    relation_weight: float = 0.3
    relation_scale: float = 20.0
    window: int = 256
    seed: int = 7
    save_every: int = 200


@dataclass(frozen=True, slots=True)
class Texts:
    """What is learnt: ids[i] is to get vectors[i] (float16[n, dim])."""

    ids: Sequence[Sequence[int]]
    vectors: NDArray[np.float16]


def fitted_length(n_tokens: int, window: int) -> int:
    """The length a text is cut to."""
    n_tokens = min(n_tokens, window)
    return n_tokens if n_tokens < _EXACT_BELOW else n_tokens - n_tokens % _STEP


def batches(texts: Texts, recipe: Recipe, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """Rows of texts of one length, `batch_tokens` at a time, in random order."""
    lengths = np.array([fitted_length(len(ids), recipe.window) for ids in texts.ids])
    found = []
    for length in np.unique(lengths):
        rows = generator.permutation(np.flatnonzero(lengths == length))
        count = max(1, recipe.batch_tokens // int(length))
        found += [rows[i : i + count] for i in range(0, len(rows), count)]
    generator.shuffle(found)
    return found


def endless(
    korean: Texts, english: Texts, recipe: Recipe, turn: int
) -> Iterator[list[tuple[Texts, NDArray[np.int64]]]]:
    """Steps of batches, for as long as they are asked for; the same for the same seed. `turn` skips whole passes."""
    while True:
        generator = np.random.default_rng([recipe.seed, turn])
        mine = [(korean, rows) for rows in batches(korean, recipe, generator)]
        theirs = [(english, rows) for rows in batches(english, recipe, generator)]
        theirs = theirs[: int(len(mine) * recipe.english_share / (1 - recipe.english_share))]
        both = mine + theirs
        order = generator.permutation(len(both))
        for i in range(0, len(order) - recipe.batches_per_step + 1, recipe.batches_per_step):
            yield [both[j] for j in order[i : i + recipe.batches_per_step]]
        turn += 1


def tensor_of(texts: Texts, rows: NDArray[np.int64], window: int) -> torch.Tensor:
    """int64[n, length]: the ids of texts of one fitted length, their last token kept."""
    import torch

    length = fitted_length(len(texts.ids[rows[0]]), window)
    return torch.tensor([[*texts.ids[row][: length - 1], texts.ids[row][-1]] for row in rows])


def loss_of(found: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """2·(1 − cos) to the teacher, and the divergence of likenesses within the step from the teacher's."""
    import torch

    distance = 2 * (1 - (found * wanted).sum(dim=1))
    scale = recipe.relation_scale
    taught = scale * (wanted @ wanted.T)
    across = _divergence(taught, scale * (found @ wanted.T))
    own = torch.eye(len(found), dtype=torch.bool)
    within = _divergence(taught.masked_fill(own, -1e4), (scale * (found @ found.T)).masked_fill(own, -1e4))
    return (weights * (distance + recipe.relation_weight * (across + within))).sum() / weights.sum()


def _divergence(taught: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    import torch

    target = torch.log_softmax(taught, dim=1)
    return (target.exp() * (target - torch.log_softmax(found, dim=1))).sum(dim=1)


class Run:
    """A training run that can be stopped and goes on from its last save; a file named `finish` starts the decay."""

    def __init__(self, model: BertModel, n_old: int, recipe: Recipe, folder: Path) -> None:
        import torch

        self.model, self.recipe, self.folder = model, recipe, folder
        self._n_old = n_old
        torch.set_num_threads(1)
        self._pool = ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,))
        self._rows = model.embeddings.word_embeddings.weight.requires_grad_(False)
        self._network = [p for p in model.parameters() if p.requires_grad]
        # A step meets few of the pieces: only their rows have gradients and are moved. A rare piece has a gradient once
        # in many steps: with the usual 0.999 its mean square is then so small that one sentence moves it by half its
        # length.
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.SparseAdam([self._rows], lr=recipe.rows_rate, betas=(0.9, 0.95)),
            torch.optim.AdamW(self._network, lr=recipe.network_rate, weight_decay=0.01, fused=True),
        ]
        self._peaks = [recipe.rows_rate, recipe.network_rate]
        self.step = 0
        self._decay_from: int | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._restore()

    def _rate(self) -> float:
        if self._decay_from is None and (
            self.step >= self.recipe.steps * (1 - self.recipe.decay_share) or self._told()
        ):
            self._decay_from = self.step
        if self._decay_from is None:
            return min(1.0, (self.step + 1) / self.recipe.warmup_steps)
        return max(0.0, 1 - (self.step - self._decay_from) / self._decay_steps())

    def _decay_steps(self) -> int:
        assert self._decay_from is not None
        in_proportion = int(self._decay_from * self.recipe.decay_share / (1 - self.recipe.decay_share))
        return max(1, min(in_proportion, self.recipe.steps - self._decay_from))

    def _told(self) -> bool:
        return (self.folder / "finish").exists()

    def train(self, korean: Texts, english: Texts, measure: Any) -> None:
        """Train to the end of the schedule. `measure()` gives figures to log at every save."""
        import torch

        turn, skip = self._position(korean, english)
        steps = endless(korean, english, self.recipe, turn)
        for _ in range(skip):
            next(steps)
        started, n_tokens, total = time.time(), 0, 0.0
        for step in steps:
            factor = self._rate()
            if self._decay_from is not None and self.step >= self._decay_from + self._decay_steps():
                break
            loss, tokens = self._learn(step)
            torch.nn.utils.clip_grad_norm_(self._network, 1.0)
            for optimizer, peak in zip(self._optimizers, self._peaks, strict=True):
                optimizer.param_groups[0]["lr"] = peak * factor
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            self.step += 1
            n_tokens += tokens
            total += loss
            if self.step % 10 == 0:
                self._log(
                    loss=round(total / 10, 4),
                    tokens_per_s=round(n_tokens / (time.time() - started)),
                    rate=round(factor, 3),
                )
                started, n_tokens, total = time.time(), 0, 0.0
            if self.step % self.recipe.save_every == 0:
                self.save()
                self._log(**measure())
        self.save()
        self._log(**measure(), ended=True)

    def _learn(self, step: Sequence[tuple[Texts, NDArray[np.int64]]]) -> tuple[float, int]:
        """Put the gradients of a step in place; its loss and tokens.

        Every batch has a core of its own, which several jobs on one machine disturb less than threads within each
        operation; the loss needs all of them, so gradients pass through it first and then back through each.
        """
        import torch

        ids = [tensor_of(*part, self.recipe.window) for part in step]
        met, places = torch.unique(torch.cat([part.flatten() for part in ids]), return_inverse=True)
        rows = self._rows[met].requires_grad_()
        parameters = [rows, *self._network]

        def forward(part: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return embed(self.model, part, rows)

        def backward(found: torch.Tensor, gradient: torch.Tensor) -> Sequence[torch.Tensor]:
            gradients: Sequence[torch.Tensor] = torch.autograd.grad(found, parameters, gradient)
            return gradients

        parts = places.split([part.numel() for part in ids])
        found = list(self._pool.map(forward, [part.view_as(own) for part, own in zip(parts, ids, strict=True)]))
        wanted = [torch.from_numpy(texts.vectors[rows].astype(np.float32)) for texts, rows in step]
        lengths = [fitted_length(len(texts.ids[rows[0]]), self.recipe.window) for texts, rows in step]
        counts = [len(rows) for _, rows in step]
        weights = torch.cat([torch.full((n,), float(length) ** 0.5) for n, length in zip(counts, lengths, strict=True)])
        ends = [vectors.detach().requires_grad_() for vectors in found]
        loss = loss_of(torch.cat(ends), torch.nn.functional.normalize(torch.cat(wanted), dim=1), weights, self.recipe)
        for gradients in self._pool.map(backward, found, torch.autograd.grad(loss, ends)):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        assert rows.grad is not None
        new = met >= self._n_old
        self._rows.grad = torch.sparse_coo_tensor(
            met[new][None], rows.grad[new], self._rows.shape, is_coalesced=True, check_invariants=False
        )
        return float(loss.detach()), sum(n * length for n, length in zip(counts, lengths, strict=True))

    def _position(self, korean: Texts, english: Texts) -> tuple[int, int]:
        """The pass over the texts, and the steps done of it, that a restored run is at."""
        generator = np.random.default_rng([self.recipe.seed, 0])
        mine = len(batches(korean, self.recipe, generator))
        per_pass = int(mine / (1 - self.recipe.english_share)) // self.recipe.batches_per_step
        return divmod(self.step, max(1, per_pass))

    def _log(self, **figures: Any) -> None:
        line = json.dumps({"step": self.step, **figures})
        print(line, flush=True)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def save(self) -> None:
        """Keep weights, optimiser and place, in one step."""
        import torch

        part = self.folder / "state.part"
        torch.save(
            {
                "model": self.model.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
                "step": self.step,
                "decay_from": self._decay_from,
                "recipe": asdict(self.recipe),
            },
            part,
        )
        part.rename(self.folder / "state.pt")

    def _restore(self) -> None:
        import torch

        file = self.folder / "state.pt"
        if file.exists():
            state = torch.load(file, weights_only=True)
            self.model.load_state_dict(state["model"])
            for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(kept)
            self.step, self._decay_from = state["step"], state["decay_from"]
