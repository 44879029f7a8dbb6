"""A model's folder to an OpenVINO graph, read straight from its weights: no torch, and no conversion to wait for.

The graph is built in a tenth of a second, so it is made afresh in each process and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from obsidian_indexer.embed.encoder import DenseLayer, EncoderWeights, Layout, float32, lay, read_weights


def read_graph(layout: Layout) -> Any:
    """The `openvino.Model` of a layout.

    Inputs: input_ids and attention_mask, int32[n, width], padded on the right. Output: float32[n, dim], unit length.
    Raises UnsupportedModel when the weights are not those of the architecture.
    """
    import openvino

    operations = _Operations(layout)
    unit = lay(layout, operations)
    model = openvino.Model([operations.op.result(unit)], [operations.ids, operations.mask], "encoder")
    model.input(0).tensor.set_names({"input_ids"})
    model.input(1).tensor.set_names({"attention_mask"})
    return model


class _Operations:
    """An encoder's parts as OpenVINO nodes."""

    def __init__(self, layout: Layout) -> None:
        import openvino
        from openvino import opset15

        self.op = op = opset15
        self._layout = layout
        self._weights = EncoderWeights(layout.folder)
        self.ids = op.parameter([-1, -1], openvino.Type.i32, name="input_ids")
        self.mask = op.parameter([-1, -1], openvino.Type.i32, name="attention_mask")
        self._read = op.convert(self.mask, "f32")
        # Padding gets a weight of e^-65504: nothing, and within the range of 16-bit numbers.
        bias = op.multiply(op.subtract(self._number(1.0), self._read), self._number(-65504.0))
        self._bias = op.unsqueeze(bias, self._ints(1, 2))

    def embed(self) -> Any:
        op, zero = self.op, self._int(0)
        first = self._layout.first_position
        width = op.gather(op.shape_of(self.ids), self._int(1), zero)
        positions = op.range(self._int(first), op.add(width, self._int(first)), self._int(1), "i64")
        words = op.gather(self._constant("embeddings.word_embeddings.weight"), self.ids, zero)
        places = op.gather(self._constant("embeddings.position_embeddings.weight"), positions, zero)
        kind = op.constant(self._weights["embeddings.token_type_embeddings.weight"][0])
        return op.add(op.add(words, kind), places)

    def linear(self, x: Any, names: Sequence[str]) -> list[Any]:
        op = self.op
        products = [op.matmul(x, self._constant(f"{name}.weight"), False, True) for name in names]
        return [op.add(product, self._constant(f"{name}.bias")) for product, name in zip(products, names, strict=True)]

    def attend(self, query: Any, key: Any, value: Any) -> Any:
        op = self.op
        heads, width = self._layout.heads, self._layout.width
        split, swap = self._ints(0, 0, heads, width // heads), self._ints(0, 2, 1, 3)
        query, key, value = (op.transpose(op.reshape(x, split, True), swap) for x in (query, key, value))
        # Spelt out rather than as one attention operation: an eighth faster in int8 and in bfloat16.
        scores = op.multiply(op.matmul(query, key, False, True), self._number((width // heads) ** -0.5))
        mixed = op.matmul(op.softmax(op.add(scores, self._bias), -1), value, False, False)
        return op.reshape(op.transpose(mixed, swap), self._ints(0, 0, width), True)

    def add(self, a: Any, b: Any) -> Any:
        return self.op.add(a, b)

    def norm(self, x: Any, name: str) -> Any:
        op = self.op
        centred = op.mvn(x, self._ints(-1), True, self._layout.epsilon, "INSIDE_SQRT")
        return op.add(op.multiply(centred, self._constant(f"{name}.weight")), self._constant(f"{name}.bias"))

    def activate(self, x: Any) -> Any:
        kind = self._layout.activation
        return self.op.relu(x) if kind == "relu" else self.op.gelu(x, "erf" if kind == "gelu" else "tanh")

    def pool(self, tokens: Any, pooling: str) -> Any:
        op, axis = self.op, self._ints(1)
        if pooling == "cls":
            return op.gather(tokens, self._int(0), self._int(1))
        each = op.unsqueeze(self._read, self._ints(-1))
        if pooling == "max":
            hidden = op.multiply(op.subtract(self._number(1.0), each), self._number(-1e9))
            return op.reduce_max(op.add(op.multiply(tokens, each), hidden), axis, False)
        total = op.reduce_sum(op.multiply(tokens, each), axis, False)
        count = op.reduce_sum(each, axis, False)
        return op.divide(total, count if pooling == "mean" else op.sqrt(count))

    def dense(self, vectors: Any, layer: DenseLayer) -> Any:
        op, weights = self.op, read_weights(layer.folder)
        out = op.matmul(vectors, op.constant(float32(weights["linear.weight"])), False, True)
        if "linear.bias" in weights:
            out = op.add(out, op.constant(float32(weights["linear.bias"])))
        return op.tanh(out) if layer.activation == "Tanh" else out

    def unit(self, vectors: Any) -> Any:
        return self.op.normalize_l2(vectors, self._ints(1), 1e-12, "max")

    def _constant(self, name: str) -> Any:
        return self.op.constant(self._weights[name], shared_memory=True)

    def _number(self, value: float) -> Any:
        return self.op.constant(np.float32(value))

    def _int(self, value: int) -> Any:
        return self.op.constant(np.array(value, np.int64))

    def _ints(self, *values: int) -> Any:
        return self.op.constant(np.array(values, np.int64))
