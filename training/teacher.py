"""The teacher's vectors of English texts: what the student is to give their translations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.build import Builds
from obsidian_indexer.embed.engines import settle
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.options import EmbedOptions

_SHARD = 20_000


def load_embedder(model: str, builds: Path) -> Embedder:
    """A model by name or folder on the engine that the app chooses for it. Raises ModelError."""
    options = EmbedOptions(model=model)
    spec = resolve_model(options)
    return Embedder.load(spec, options, Builds(builds), settle(spec, options, Builds(builds), Workload()))


def embed_all(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """float32[n, dim]: unit vectors of the texts, each cut at the model's window."""
    vectors = np.zeros((len(texts), embedder.engine.dim), np.float32)
    for result in embedder.run(embedder.tokenizer.encode(texts)):
        vectors[result.rows] = result.vectors
    return vectors


def teach(texts: Sequence[str], model: str, folder: Path) -> NDArray[np.float16]:
    """float16[n, dim]: unit vectors of the texts, kept in shards so that a stopped run goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    embedder: Embedder | None = None
    shards = []
    for start in range(0, len(texts), _SHARD):
        file = folder / f"{start:08}.npy"
        if not file.exists():
            embedder = embedder or load_embedder(model, folder / "engines")
            np.save(file, embed_all(embedder, texts[start : start + _SHARD]).astype(np.float16))
            print(f"teacher: {min(start + _SHARD, len(texts)):,} of {len(texts):,} texts", flush=True)
        shards.append(np.load(file))
    return np.concatenate(shards)
