"""A cross-encoder: it reads a query and a passage together and says how well the one answers the other.

Any of sentence-transformers, by hub name or folder, under the rules of `resolve_model`: nothing is fetched unasked,
safetensors only, no code of the model's own. Loaded when first wanted and kept.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.spec import ModelSpec, read_json, resolve_model
from obsidian_indexer.embed.tokens import load_tokenizer
from obsidian_indexer.embed.torch_devices import find_devices, pick_format
from obsidian_indexer.errors import EmbeddingError, ModelError
from obsidian_indexer.options import EmbedOptions

# What the architecture of a model that scores pairs is called; any other would be given a head of random numbers.
_SCORING = ("ForSequenceClassification", "ForCausalLM")


class Reranker(Protocol):
    """Scores passages against a query, whatever runs it."""

    name: str

    def coverage(self, text: str) -> float:
        """Share of the letters of a text that the model can read; see `TextTokenizer.coverage`."""

    def scores(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """float32[n]: how well each passage answers the query; higher is better, the scale is the model's own.

        Raises EmbeddingError.
        """


class CrossEncoderReranker:
    """A cross-encoder through torch, on the device that embedding uses."""

    def __init__(self, spec: ModelSpec, options: EmbedOptions) -> None:
        _refuse_other_models(spec)
        import torch
        from sentence_transformers import CrossEncoder

        self.name = spec.name
        self._tokenizer = load_tokenizer(spec)
        device = find_devices(options.device)[0]
        dtype = pick_format(replace(options, dtype="auto"), device, None)
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # a progress bar of the loader
                self._model: Any = CrossEncoder(
                    str(spec.folder),
                    device=device,
                    local_files_only=True,
                    trust_remote_code=options.trust_remote_code,
                    model_kwargs={"use_safetensors": True, "dtype": getattr(torch, dtype)},
                    # Only the order counts, and a sigmoid would flatten the differences at the top.
                    activation_fn=torch.nn.Identity(),
                )
        except Exception as error:  # whatever a broken model makes the libraries raise
            raise ModelError(f"The model '{spec.name}' cannot be loaded ({_first_line(error)}).") from error
        if self._model.num_labels > 2:
            raise ModelError(
                f"The model '{spec.name}' sorts pairs into {self._model.num_labels} classes. Choose a reranker, which "
                "gives one score."
            )
        self.scores("warm", ["up"])

    def coverage(self, text: str) -> float:
        """Share of the letters of a text that the model can read."""
        return self._tokenizer.coverage(text)

    def scores(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """float32[n], one batch; of two classes, how far the second is ahead."""
        pairs = [(query, passage) for passage in passages]
        try:
            raw = self._model.predict(pairs, batch_size=max(1, len(pairs)), show_progress_bar=False)
        except RuntimeError as error:  # torch's own, its out of memory among them
            raise EmbeddingError(f"The model '{self.name}' failed ({_first_line(error)}).") from error
        values = np.asarray(raw, np.float32)
        scores = values if values.ndim == 1 else values[:, -1] - values[:, 0]
        if not np.isfinite(scores).all():
            raise EmbeddingError(f"The model '{self.name}' gave no numbers.")
        return scores


class LoadedReranker:
    """The reranker that the settings name, loaded once, whichever thread asks first; the others wait for it."""

    def __init__(self, name: str, options: EmbedOptions) -> None:
        self._options = replace(options, model=name)
        self._lock = threading.Lock()
        self._loaded: Reranker | None = None
        self._failure: ModelError | None = None

    def get(self) -> Reranker:
        """The reranker, loaded. Raises ModelError, the same each time."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._loaded is None:
                try:
                    self._loaded = CrossEncoderReranker(resolve_model(self._options), self._options)
                except ModelError as error:
                    self._failure = error
                    raise
            return self._loaded

    def close(self) -> None:
        """Give its memory back."""
        with self._lock:
            self._loaded = None


def _refuse_other_models(spec: ModelSpec) -> None:
    if spec.folder is not None:
        if read_json(spec.folder / "config_sentence_transformers.json").get("model_type") == "CrossEncoder":
            return
        named = read_json(spec.folder / "config.json").get("architectures")
        if isinstance(named, list) and any(str(name).endswith(_SCORING) for name in named):
            return
    raise ModelError(f"The model '{spec.name}' is not a cross-encoder: it was not made to score pairs of texts.")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
