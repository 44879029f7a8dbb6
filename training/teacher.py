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

_WINDOW = 256
_SHARD = 20_000


def teach(texts: Sequence[str], model: str, folder: Path, dtype: str = "auto") -> NDArray[np.float16]:
    """float16[n, dim]: unit vectors of the texts, kept in shards so that a stopped run goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    options = EmbedOptions(model=model, dtype=dtype)
    spec = resolve_model(options)
    builds = Builds(folder / "engines")
    embedder: Embedder | None = None
    shards = []
    for start in range(0, len(texts), _SHARD):
        file = folder / f"{start:08}.npy"
        if not file.exists():
            if embedder is None:
                choice = settle(spec, options, builds, Workload(), dtype=None)
                embedder = Embedder.load(spec, options, builds, choice)
            np.save(file, _embed(embedder, texts[start : start + _SHARD]))
            print(f"teacher: {min(start + _SHARD, len(texts)):,} of {len(texts):,} texts", flush=True)
        shards.append(np.load(file))
    return np.concatenate(shards)


def _embed(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float16]:
    encoded = [
        ids if len(ids) <= _WINDOW else [*ids[: _WINDOW - 1], ids[-1]] for ids in embedder.tokenizer.encode(list(texts))
    ]
    vectors = np.zeros((len(texts), embedder.engine.dim), np.float16)
    for result in embedder.run(encoded):
        vectors[result.rows] = result.vectors
    return vectors
