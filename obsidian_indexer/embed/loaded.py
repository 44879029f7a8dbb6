"""The model that is loaded now: one at a time, kept between runs, shared by indexing and queries."""

from __future__ import annotations

import threading

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import EmbedOptions


class LoadedModel:
    """Loads a model once, whichever thread asks first; the others wait for it."""

    def __init__(self, options: EmbedOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._embedder: Embedder | None = None
        self._key: tuple[str, str | None] | None = None

    def get(self, spec: ModelSpec, dtype: str | None) -> Embedder:
        """The model in this number format ('None' leaves it to the device), loaded. Raises ModelError."""
        with self._lock:
            if self._embedder is not None and self._key is not None:
                identity, loaded_as = self._key
                if identity == spec.identity and dtype in (None, loaded_as):
                    return self._embedder
                self._embedder.engine.close()
                self._embedder = None
            embedder = Embedder.load(spec, self._options, dtype=dtype)
            self._embedder, self._key = embedder, (spec.identity, embedder.engine.dtype)
            return embedder

    def preload(self, spec: ModelSpec, dtype: str | None) -> None:
        """Load in the background; an error waits for whoever calls `get`."""

        def load() -> None:
            try:
                self.get(spec, dtype)
            except ModelError:
                return

        threading.Thread(target=load, name="load-model", daemon=True).start()

    def now(self) -> Embedder | None:
        """The loaded model, if any."""
        return self._embedder

    def close(self) -> None:
        """Give its memory back."""
        with self._lock:
            if self._embedder is not None:
                self._embedder.engine.close()
            self._embedder, self._key = None, None
