"""Which stored model a run fills, what it borrows to do so, and its work as whoever chooses an engine sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.workload import Workload, spread
from obsidian_indexer.events import EventSink
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.store.ann import AnnIndex
from obsidian_indexer.store.vectors import PendingTexts, StoredModel, TextVectors, VectorTable

# No model has this number, so every text is still pending for it.
_NO_MODEL = -1


class Machinery(Protocol):
    """What the processor borrows from the engine, which keeps it loaded between runs."""

    def embedder(self, spec: ModelSpec, dtype: str | None, work: Workload) -> Embedder:
        """The model, loaded; its format may be another one if the wanted one cannot be had. Raises ModelError."""

    def can_answer(self, spec: ModelSpec, dtype: str) -> bool:
        """Whether queries can be embedded in this number format as things are."""

    def preload(self, spec: ModelSpec, dtype: str | None, n_tokens: int) -> None:
        """Start loading the model in the background, for about so many tokens to come."""

    def ann(self, model: StoredModel) -> AnnIndex:
        """The vector store of a model, open. Raises StoreError."""

    def start_store(self) -> None:
        """Start what the vector store takes time to start, in the background."""


def sticky_dtype(vectors: VectorTable, spec: ModelSpec, options: EmbedOptions) -> str | None:
    """The number format of the vectors that this model already has here, if it is left to us.

    Torch alone cannot go on with vectors of an int8 engine.
    """
    if options.dtype != "auto":
        return None
    known = [m for m in vectors.models() if m.identity == spec.identity]
    if options.engine == "torch":
        known = [m for m in known if m.dtype != "int8"]
    active = vectors.active()
    if active is not None and active in known:
        return active.dtype
    return known[-1].dtype if known else None


def known_model(vectors: VectorTable, spec: ModelSpec, options: EmbedOptions) -> StoredModel | None:
    """The stored model that the settings mean, when that can be told without loading it."""
    dtype = sticky_dtype(vectors, spec, options) if options.dtype == "auto" else options.dtype
    if dtype is None:
        return None
    fingerprint = spec.fingerprint(dtype)
    return next((m for m in vectors.models() if m.fingerprint == fingerprint), None)


def pending_texts(vectors: TextVectors, model: StoredModel | None) -> PendingTexts:
    """What a model has still to read; without one, every text."""
    return vectors.pending(_NO_MODEL if model is None else model.id)


def workload(
    vectors: VectorTable,
    pending: PendingTexts,
    on_event: EventSink,
    check: Callable[[], None],
    building: Callable[[], AbstractContextManager[object]],
) -> Workload:
    """The pending work of a run, with samples from every text of the vault."""

    def sample(n: int) -> list[str]:
        picked = spread(vectors.pending(_NO_MODEL).keys, n)
        texts = vectors.texts(picked)
        return [texts[key][0] for key in picked if key in texts]

    return Workload(int(pending.n_tokens.sum()), sample, on_event, check, building)
