"""A model's folder to an ONNX graph in eight bits, with the operations that ONNX Runtime adds to the standard.

Its kernels gain by eight-bit numbers also on processors that have no instructions made for them. There two products are
added in sixteen bits, so weights are kept within ±64: with activations of up to 255 no sum overflows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.encoder import DenseLayer, EncoderWeights, Layout, float32, lay, read_weights
from obsidian_indexer.embed.int8 import Ranges, plan, whole_rows

_MOST_WEIGHT = 64
_STANDARD, _CONTRIBUTED = ("", 21), ("com.microsoft", 1)
_IR_VERSION = 10


def int8_graph(layout: Layout, ranges: Sequence[Ranges]) -> Any:
    """The `onnx.ModelProto` of a layout; `ranges` are what enters its groups of products, from input to output.

    Inputs: input_ids and attention_mask, int32[n, width], padded on the right. Output: float32[n, dim], unit length.
    Raises UnsupportedModel when the weights are not those of the architecture.
    """
    from onnx import TensorProto, helper

    operations = _Operations(layout, ranges)
    unit = lay(layout, operations)
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT32, ["n", "width"]) for name in operations.inputs]
    outputs = [helper.make_tensor_value_info(unit, TensorProto.FLOAT, ["n", operations.dim])]
    graph = helper.make_graph(operations.nodes, "encoder", inputs, outputs, operations.constants)
    opsets = [helper.make_opsetid(*opset) for opset in (_STANDARD, _CONTRIBUTED)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)


class _Operations:
    """An encoder's parts as ONNX nodes; values are known by their names."""

    inputs = ("input_ids", "attention_mask")

    def __init__(self, layout: Layout, ranges: Sequence[Ranges]) -> None:
        from onnx import TensorProto

        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.dim = 0
        self._layout = layout
        self._weights = EncoderWeights(layout.folder)
        self._ranges = iter(ranges)
        self._float = TensorProto.FLOAT
        self._read = self._node("Cast", "attention_mask", to=self._float)

    def embed(self) -> str:
        words = self._rows("embeddings.word_embeddings.weight", "input_ids")
        first = self._layout.first_position
        width = self._node("Gather", self._node("Shape", "input_ids"), self._ints(1))
        end = self._node("Add", width, self._ints(first))
        table = self._constant(self._weights["embeddings.position_embeddings.weight"])
        places = self._node("Slice", table, self._ints(first), end, self._ints(0))
        kind = self._constant(self._weights["embeddings.token_type_embeddings.weight"][0])
        return self.add(words, self.add(places, kind))

    def linear(self, x: str, names: Sequence[str]) -> list[str]:
        weights = [self._weights[f"{name}.weight"] for name in names]
        recipe = plan(next(self._ranges), weights)
        step, zero = self._constant(np.float32(recipe.step)), self._constant(np.uint8(recipe.zero))
        smooth = self._node("Mul", x, self._constant(recipe.shrink))
        activations = self._node("QuantizeLinear", smooth, step, zero)
        picked = self._node("Gather", x, self._constant(recipe.apart), axis=2) if recipe.apart.size else ""
        products = []
        for name, weight in zip(names, weights, strict=True):
            whole, scale = whole_rows(weight * recipe.grow, _MOST_WEIGHT)
            scales, zeros = self._constant(scale[:, 0]), self._constant(np.zeros(len(whole), np.int8))
            bias = self._constant(self._weights[f"{name}.bias"])
            kept = self._constant(whole.T)
            product = self._node(
                "MatMulIntegerToFloat", activations, kept, step, scales, zero, zeros, bias, domain=_CONTRIBUTED[0]
            )
            if picked:
                product = self.add(product, self._node("MatMul", picked, self._constant(weight[:, recipe.apart].T)))
            products.append(product)
        return products

    def attend(self, query: str, key: str, value: str) -> str:
        inputs = (query, key, value, "", "attention_mask")
        return self._node("MultiHeadAttention", *inputs, domain=_CONTRIBUTED[0], num_heads=self._layout.heads)

    def add(self, a: str, b: str) -> str:
        return self._node("Add", a, b)

    def norm(self, x: str, name: str) -> str:
        scale, shift = (self._constant(self._weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self._node("LayerNormalization", x, scale, shift, axis=-1, epsilon=self._layout.epsilon)

    def activate(self, x: str) -> str:
        kind = self._layout.activation
        if kind == "relu":
            return self._node("Relu", x)
        return self._node("Gelu", x, approximate="none" if kind == "gelu" else "tanh")

    def pool(self, tokens: str, pooling: str) -> str:
        self.dim = self._layout.width
        if pooling == "cls":
            return self._node("Gather", tokens, self._constant(np.int64(0)), axis=1)
        axis = self._ints(1)
        each = self._node("Unsqueeze", self._read, self._ints(-1))
        shown = self._node("Mul", tokens, each)
        if pooling == "max":
            hidden = self._node("Mul", self._node("Sub", each, self._number(1.0)), self._number(1e9))
            return self._node("ReduceMax", self.add(shown, hidden), axis, keepdims=0)
        total = self._node("ReduceSum", shown, axis, keepdims=0)
        count = self._node("ReduceSum", each, axis, keepdims=0)
        return self._node("Div", total, count if pooling == "mean" else self._node("Sqrt", count))

    def dense(self, vectors: str, layer: DenseLayer) -> str:
        weights = read_weights(layer.folder)
        weight = float32(weights["linear.weight"])
        self.dim = len(weight)
        out = self._node("MatMul", vectors, self._constant(weight.T))
        if "linear.bias" in weights:
            out = self.add(out, self._constant(float32(weights["linear.bias"])))
        return self._node("Tanh", out) if layer.activation == "Tanh" else out

    def unit(self, vectors: str) -> str:
        return self._node("LpNormalization", vectors, axis=-1, p=2)

    def _rows(self, name: str, ids: str) -> str:
        """Rows of a table that is kept in eight bits and a scale for each row."""
        whole, scale = (self._node("Gather", self._constant(part), ids) for part in whole_rows(self._weights[name]))
        return self._node("Mul", self._node("Cast", whole, to=self._float), scale)

    def _node(self, kind: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        from onnx import helper

        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name

    def _constant(self, array: NDArray[Any] | np.generic) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(np.shape(array)), name))
        return name

    def _number(self, value: float) -> str:
        return self._constant(np.float32(value))

    def _ints(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))
