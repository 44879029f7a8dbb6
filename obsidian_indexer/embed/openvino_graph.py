"""A model's folder to an OpenVINO graph, read straight from its weights: no torch, and no conversion to wait for.

Covers the encoders that most embedding models are (BERT and XLM-RoBERTa with the usual modules behind them). The graph
is built in a tenth of a second, so it is made afresh in each process and kept nowhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def read_layout(folder: Path, *, prompts: bool) -> Layout:
    """What the graph of a model would be, from small files alone; `prompts` says whether any text has a prompt.

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


def read_graph(layout: Layout) -> Any:
    """The `openvino.Model` of a layout.

    Inputs: input_ids and attention_mask, int32[n, width], padded on the right. Output: float32[n, dim], unit length.
    Raises UnsupportedModel when the weights are not those of the architecture.
    """
    try:
        weights = _weights(layout.folder)
        return _Builder(layout.config, weights).build(layout.pooling, layout.dense)
    except KeyError as error:
        raise UnsupportedModel(f"its weights, without {error}") from error
    except TypeError as error:  # the reader of weights knows no number format beyond numpy's
        raise UnsupportedModel(f"the number format of its weights ({error})") from error


def _weights(folder: Path) -> Weights:
    from safetensors import safe_open

    weights: dict[str, NDArray[Any]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(str(file), "numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - the handle is no mapping
                weights[name] = _read(tensors, name)
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


class _Builder:
    """Lays the graph of one encoder, layer on layer."""

    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        import openvino
        from openvino import opset15

        self._ov = openvino
        self._op = opset15
        self._config = config
        self._weights = weights
        marker = "embeddings.word_embeddings.weight"
        self._prefix = next((name.removesuffix(marker) for name in weights if name.endswith(marker)), "")
        self._heads = int(config["num_attention_heads"])
        self._width = int(config["hidden_size"])

    def build(self, pooling: str, dense: Sequence[DenseLayer]) -> Any:
        """The `openvino.Model`: ids and mask in, pooled unit vectors out."""
        op, i32 = self._op, self._ov.Type.i32
        ids = op.parameter([-1, -1], i32, name="input_ids")
        mask = op.parameter([-1, -1], i32, name="attention_mask")
        read = op.convert(mask, "f32")
        tokens = self._embed(ids)
        # Padding gets a weight of e^-65504: nothing, and within the range of 16-bit numbers.
        bias = op.multiply(op.subtract(self._number(1.0), read), self._number(-65504.0))
        bias = op.unsqueeze(bias, self._ints(1, 2))
        for layer in range(int(self._config["num_hidden_layers"])):
            tokens = self._layer(tokens, bias, f"encoder.layer.{layer}.")
        vectors = self._pool(tokens, read, pooling)
        for linear in dense:
            vectors = self._dense(vectors, linear)
        unit = op.normalize_l2(vectors, self._ints(1), 1e-12, "max")
        model = self._ov.Model([op.result(unit)], [ids, mask], "encoder")
        model.input(0).tensor.set_names({"input_ids"})
        model.input(1).tensor.set_names({"attention_mask"})
        return model

    def _embed(self, ids: Any) -> Any:
        op, zero = self._op, self._int(0)
        # RoBERTa and its kin count positions from behind the padding index.
        first = 0 if self._config["model_type"] == "bert" else int(self._config.get("pad_token_id", 1)) + 1
        width = op.gather(op.shape_of(ids), self._int(1), zero)
        positions = op.range(self._int(first), op.add(width, self._int(first)), self._int(1), "i64")
        words = op.gather(self._constant("embeddings.word_embeddings.weight"), ids, zero)
        places = op.gather(self._constant("embeddings.position_embeddings.weight"), positions, zero)
        kind = op.constant(self._weight("embeddings.token_type_embeddings.weight")[0])
        return self._norm(op.add(op.add(words, kind), places), "embeddings.LayerNorm")

    def _layer(self, tokens: Any, bias: Any, name: str) -> Any:
        op = self._op
        head = self._width // self._heads
        split, swap = self._ints(0, 0, self._heads, head), self._ints(0, 2, 1, 3)
        query, key, value = (
            op.transpose(op.reshape(self._linear(tokens, f"{name}attention.self.{part}"), split, True), swap)
            for part in ("query", "key", "value")
        )
        # Spelt out rather than as one attention operation: an eighth faster in int8 and in bfloat16.
        scores = op.multiply(op.matmul(query, key, False, True), self._number(head**-0.5))
        mixed = op.matmul(op.softmax(op.add(scores, bias), -1), value, False, False)
        mixed = op.reshape(op.transpose(mixed, swap), self._ints(0, 0, self._width), True)
        tokens = self._norm(
            op.add(self._linear(mixed, f"{name}attention.output.dense"), tokens), f"{name}attention.output.LayerNorm"
        )
        inner = self._activation(self._linear(tokens, f"{name}intermediate.dense"))
        return self._norm(op.add(self._linear(inner, f"{name}output.dense"), tokens), f"{name}output.LayerNorm")

    def _pool(self, tokens: Any, read: Any, pooling: str) -> Any:
        op, axis = self._op, self._ints(1)
        if pooling == "cls":
            return op.gather(tokens, self._int(0), self._int(1))
        each = op.unsqueeze(read, self._ints(-1))
        if pooling == "max":
            hidden = op.multiply(op.subtract(self._number(1.0), each), self._number(-1e9))
            return op.reduce_max(op.add(op.multiply(tokens, each), hidden), axis, False)
        total = op.reduce_sum(op.multiply(tokens, each), axis, False)
        count = op.reduce_sum(each, axis, False)
        return op.divide(total, count if pooling == "mean" else op.sqrt(count))

    def _dense(self, vectors: Any, layer: DenseLayer) -> Any:
        op, weights = self._op, _weights(layer.folder)
        out = op.matmul(vectors, op.constant(_float32(weights["linear.weight"])), False, True)
        if "linear.bias" in weights:
            out = op.add(out, op.constant(_float32(weights["linear.bias"])))
        return op.tanh(out) if layer.activation == "Tanh" else out

    def _linear(self, x: Any, name: str) -> Any:
        product = self._op.matmul(x, self._constant(f"{name}.weight"), False, True)
        return self._op.add(product, self._constant(f"{name}.bias"))

    def _norm(self, x: Any, name: str) -> Any:
        op = self._op
        epsilon = float(self._config.get("layer_norm_eps", 1e-12))
        centred = op.mvn(x, self._ints(-1), True, epsilon, "INSIDE_SQRT")
        return op.add(op.multiply(centred, self._constant(f"{name}.weight")), self._constant(f"{name}.bias"))

    def _activation(self, x: Any) -> Any:
        kind = self._config.get("hidden_act", "gelu")
        if kind == "relu":
            return self._op.relu(x)
        return self._op.gelu(x, "erf" if kind == "gelu" else "tanh")

    def _weight(self, name: str) -> NDArray[np.float32]:
        full = self._prefix + name
        if full not in self._weights:  # older checkpoints name the parts of a normalisation differently
            full = full.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        return _float32(self._weights[full])

    def _constant(self, name: str) -> Any:
        return self._op.constant(self._weight(name), shared_memory=True)

    def _number(self, value: float) -> Any:
        return self._op.constant(np.float32(value))

    def _int(self, value: int) -> Any:
        return self._op.constant(np.array(value, np.int64))

    def _ints(self, *values: int) -> Any:
        return self._op.constant(np.array(values, np.int64))


def _float32(array: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, np.float32)
