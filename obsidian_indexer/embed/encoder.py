"""What an encoder is, read from its folder: its parts, its weights, and the order in which they are applied.

Covers the encoders that most embedding models are (BERT and XLM-RoBERTa with the usual modules behind them). `lay`
applies the parts with the operations of whichever library is to run them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.spec import ModelSpec

Weights = Mapping[str, NDArray[Any]]

_COPIED_NUMBERS = 2**18
_ENCODERS = ("bert", "xlm-roberta", "roberta", "camembert")
_ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
_POOLINGS = ("mean", "cls", "max", "mean_sqrt_len_tokens")
_DENSE_ACTIVATIONS = ("Tanh", "Identity")
_LEGACY_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


class UnsupportedModel(Exception):
    """The model has a part that the graph does not know; the message names it."""


@dataclass(frozen=True, slots=True)
class DenseLayer:
    """A linear layer behind the pooling."""

    folder: Path
    activation: str


@dataclass(frozen=True, slots=True)
class Layout:
    """What a model is made of, as its JSON files say. `folder` holds the encoder."""

    folder: Path
    config: Mapping[str, Any]
    pooling: str
    dense: tuple[DenseLayer, ...]

    @property
    def heads(self) -> int:
        """Heads of each attention. Raises KeyError, as `width` does."""
        return int(self.config["num_attention_heads"])

    @property
    def width(self) -> int:
        """Channels of a token."""
        return int(self.config["hidden_size"])

    @property
    def first_position(self) -> int:
        """The place of a text's first token: RoBERTa and its kin count from behind the padding index."""
        return 0 if self.config["model_type"] == "bert" else int(self.config.get("pad_token_id", 1)) + 1

    @property
    def epsilon(self) -> float:
        """What a layer normalisation adds to the variance."""
        return float(self.config.get("layer_norm_eps", 1e-12))

    @property
    def activation(self) -> str:
        """gelu, tanh (gelu by that approximation) or relu."""
        kind = str(self.config.get("hidden_act", "gelu"))
        return kind if kind in ("gelu", "relu") else "tanh"


def read_layout(folder: Path, *, prompts: bool) -> Layout:
    """What a model is made of, from small files alone; `prompts` says whether any text has a prompt.

    Raises UnsupportedModel.
    """
    modules = _modules(folder)
    encoder = folder / modules[0][1]
    _check_encoder(encoder)
    pooling, dense = "mean", []
    for kind, path in modules[1:]:
        match kind:
            case "Pooling":
                pooling = _pooling(_json(folder / path / "config.json"), prompts=prompts)
            case "Dense":
                dense.append(_dense(folder / path))
            case "Normalize":
                pass
            case _:
                raise UnsupportedModel(f"its module {kind}")
    return Layout(encoder, _json(encoder / "config.json"), pooling, tuple(dense))


def layout_of(spec: ModelSpec) -> Layout:
    """`read_layout` of a model as it was chosen. Raises UnsupportedModel."""
    assert spec.folder is not None
    return read_layout(spec.folder, prompts=bool(spec.query_prompt or spec.document_prompt))


def _modules(folder: Path) -> list[tuple[str, str]]:
    """(kind, path) of each module; a folder without a list of them is an encoder whose tokens are averaged."""
    file = folder / "modules.json"
    if not file.exists():
        return [("Transformer", "")]
    modules = [(str(entry["type"]).rpartition(".")[2], str(entry["path"])) for entry in json.loads(file.read_text())]
    if not modules or modules[0][0] != "Transformer":
        raise UnsupportedModel(f"its first module {modules[0][0] if modules else 'is missing'}")
    return modules


def _check_encoder(folder: Path) -> None:
    config = _json(folder / "config.json")
    task = _json(folder / "sentence_bert_config.json").get("transformer_task", "feature-extraction")
    checks = {
        f"its architecture {config.get('model_type')}": config.get("model_type") in _ENCODERS,
        "its positions": config.get("position_embedding_type", "absolute") == "absolute",
        "its activation": config.get("hidden_act", "gelu") in _ACTIVATIONS,
        "its decoder": not config.get("is_decoder", False),
        f"its task {task}": task == "feature-extraction",
        "its own code": "auto_map" not in config,
    }
    for part, known in checks.items():
        if not known:
            raise UnsupportedModel(part)


def _pooling(config: Mapping[str, Any], *, prompts: bool) -> str:
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [name for key, name in _LEGACY_POOLINGS.items() if config.get(key)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else list(modes)
    if len(modes) != 1 or modes[0] not in _POOLINGS:
        raise UnsupportedModel(f"its pooling {'+'.join(modes)}")
    if prompts and config.get("include_prompt") is False:
        raise UnsupportedModel("its pooling, which leaves the prompt out")
    return str(modes[0])


def _dense(folder: Path) -> DenseLayer:
    config = _json(folder / "config.json")
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if activation not in _DENSE_ACTIVATIONS or config.get("use_residual"):
        raise UnsupportedModel(f"its dense layer ({activation})")
    return DenseLayer(folder, activation)


def _json(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    value = json.loads(path.read_text("utf-8"))
    return value if isinstance(value, dict) else {}


class EncoderWeights:
    """The weights of an encoder by the names that BERT gives them, whatever its checkpoint calls them."""

    def __init__(self, folder: Path) -> None:
        self._arrays = read_weights(folder)
        marker = "embeddings.word_embeddings.weight"
        self._prefix = next((name.removesuffix(marker) for name in self._arrays if name.endswith(marker)), "")

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """float32, in the shape of the checkpoint. Raises KeyError."""
        full = self._prefix + name
        if full not in self._arrays:  # older checkpoints name the parts of a normalisation differently
            full = full.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        return float32(self._arrays[full])


X = TypeVar("X")


class Operations(Protocol[X]):
    """The parts of an encoder, as one library computes them on values `X`.

    Token values are float32[texts, tokens, channels], pooled ones float32[texts, channels]. Names are those of weights.
    """

    def embed(self) -> X:
        """The sum of the vectors of words, positions and kind, not yet normalised."""

    def linear(self, x: X, names: Sequence[str]) -> list[X]:
        """Several linear layers that read the same."""

    def attend(self, query: X, key: X, value: X) -> X:
        """Attention of every head over the tokens that are no padding."""

    def add(self, a: X, b: X) -> X:
        """A residual connection."""

    def norm(self, x: X, name: str) -> X:
        """A layer normalisation."""

    def activate(self, x: X) -> X:
        """What the configuration names as hidden_act."""

    def pool(self, tokens: X, pooling: str) -> X:
        """One vector for each text."""

    def dense(self, vectors: X, layer: DenseLayer) -> X:
        """A linear layer behind the pooling."""

    def unit(self, vectors: X) -> X:
        """The same directions with length one."""


def lay(layout: Layout, op: Operations[X]) -> X:
    """The unit vectors of a batch: every part of the encoder, in order.

    Raises UnsupportedModel when the weights are not those of the architecture.
    """
    try:
        tokens = op.norm(op.embed(), "embeddings.LayerNorm")
        for layer in range(int(layout.config["num_hidden_layers"])):
            tokens = _layer(tokens, f"encoder.layer.{layer}.", op)
        vectors = op.pool(tokens, layout.pooling)
        for linear in layout.dense:
            vectors = op.dense(vectors, linear)
        return op.unit(vectors)
    except KeyError as error:
        raise UnsupportedModel(f"its weights, without {error}") from error


def _layer(tokens: X, name: str, op: Operations[X]) -> X:
    query, key, value = op.linear(tokens, [f"{name}attention.self.{part}" for part in ("query", "key", "value")])
    (mixed,) = op.linear(op.attend(query, key, value), [f"{name}attention.output.dense"])
    tokens = op.norm(op.add(mixed, tokens), f"{name}attention.output.LayerNorm")
    (inner,) = op.linear(tokens, [f"{name}intermediate.dense"])
    (outer,) = op.linear(op.activate(inner), [f"{name}output.dense"])
    return op.norm(op.add(outer, tokens), f"{name}output.LayerNorm")


def read_weights(folder: Path) -> Weights:
    """The arrays of every safetensors file in a folder, in their own format.

    Raises UnsupportedModel for a format that numpy does not have.
    """
    from safetensors import safe_open

    weights: dict[str, NDArray[Any]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(str(file), "numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - the handle is no mapping
                try:
                    weights[name] = _read(tensors, name)
                except TypeError as error:
                    raise UnsupportedModel(f"the number format of its weights ({error})") from error
    return weights


def _read(tensors: Any, name: str) -> NDArray[Any]:
    """A tensor, copied some rows at a time: each copy keeps the interpreter lock, 50 ms for a whole vocabulary."""
    whole = tensors.get_slice(name)
    shape = whole.get_shape()
    if len(shape) < 2:
        return np.asarray(tensors.get_tensor(name))
    rows = max(1, _COPIED_NUMBERS // max(1, math.prod(shape[1:])))
    tensor = np.empty(shape, whole[:0].dtype)
    for start in range(0, shape[0], rows):
        end = min(start + rows, shape[0])
        tensor[start:end] = whole[start:end]
    return tensor


def float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """The array in float32, laid out row by row; itself when it is so already."""
    return np.ascontiguousarray(array, np.float32)
