"""A graph in eight bits: near to the original, smaller, and only where that is worth anything."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed.encoder import UnsupportedModel
from obsidian_indexer.embed.openvino_engine import openvino, padded
from obsidian_indexer.embed.quantise import measure_ranges, quantise

WORDS, INNER, OUTER = 50, 32, 24
RNG = np.random.default_rng(5)
TABLE = RNG.normal(size=(WORDS, INNER)).astype(np.float32)
# One channel is far larger than the others, though of no more weight, as encoders have them.
CHANNELS = np.where(np.arange(INNER) == 3, 60, 1).astype(np.float32)
WEIGHT = RNG.normal(size=(OUTER, INNER)).astype(np.float32) / CHANNELS
TEXTS = [RNG.integers(0, WORDS, size=length).tolist() for length in RNG.integers(3, 20, size=60)]


def small_graph(*, outputs_first: bool = True, products: int = 1, matrix: NDArray[np.float32] = WEIGHT) -> Any:
    """Ids to rows of the table, through products with the matrix, summed: float32[n, 24], unit length."""
    from openvino import opset15 as op

    i32 = openvino().Type.i32
    ids, mask = op.parameter([-1, -1], i32, name="input_ids"), op.parameter([-1, -1], i32, name="attention_mask")
    tokens = op.multiply(op.gather(op.constant(TABLE), ids, op.constant(np.int64(0))), op.constant(CHANNELS))
    weight = op.constant(matrix if outputs_first else np.ascontiguousarray(matrix.T))
    layers = [op.matmul(tokens, weight, False, outputs_first) for _ in range(products)]
    total = layers[0] if layers else tokens
    for layer in layers[1:]:
        total = op.add(total, layer)
    shown = op.multiply(total, op.unsqueeze(op.convert(mask, "f32"), op.constant(np.array([2]))))
    pooled = op.reduce_sum(shown, op.constant(np.array([1])), False)
    head = np.eye(OUTER if layers else INNER, dtype=np.float32)
    head = op.matmul(pooled, op.constant(head), False, True)
    unit = op.normalize_l2(head, op.constant(np.array([1])), 1e-12, "max")
    return openvino().Model([op.result(unit)], [ids, mask], "small")


def in_eight_bits(graph: Any, texts: list[list[int]] = TEXTS) -> Any:
    return quantise(graph, measure_ranges(graph, texts, 1))


def vectors(graph: Any) -> NDArray[np.float32]:
    compiled = openvino().Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(padded(TEXTS, 64))[0])


def kinds(graph: Any) -> Counter[str]:
    return Counter(node.get_type_name() for node in graph.get_ops())


@pytest.mark.parametrize("outputs_first", [True, False])
def test_vectors_stay_near_though_one_channel_is_far_larger(outputs_first: bool) -> None:
    graph = small_graph(outputs_first=outputs_first)
    exact = vectors(graph)
    cosines = (exact * vectors(in_eight_bits(graph))).sum(axis=1)
    # Were the channels not evened out, the worst would be .85.
    assert 0.99 < cosines.min() < 0.99999
    np.testing.assert_array_equal(vectors(graph), exact)


def test_a_channel_that_neither_side_can_bear_is_multiplied_in_floating_point() -> None:
    matrix = WEIGHT.copy()
    matrix[:, 3], matrix[0, 3] = 0, 1000
    quantised = in_eight_bits(small_graph(matrix=matrix))
    kept = [
        node.get_data()
        for node in quantised.get_ops()
        if node.get_type_name() == "Constant" and tuple(node.get_output_shape(0)) == (OUTER, 1)
    ]
    assert any(np.array_equal(data[:, 0], matrix[:, 3]) for data in kept)


def test_products_that_read_the_same_share_its_range_and_the_head_stays_exact() -> None:
    quantised = in_eight_bits(small_graph(products=3))
    assert kinds(quantised)["FakeQuantize"] == 1
    held = {
        (node.get_element_type().to_string(), tuple(node.get_output_shape(0)))
        for node in quantised.get_ops()
        if node.get_type_name() == "Constant" and len(node.get_output_shape(0)) == 2
    }
    assert ("i8", (OUTER, INNER)) in held
    assert ("i8", (WORDS, INNER)) in held
    assert ("f32", (OUTER, OUTER)) in held
    assert ("f32", (WORDS, INNER)) not in held


def test_what_comes_rarely_does_not_widen_the_range_of_all() -> None:
    """Each batch of like length has its say; padding has none, so one long text among short ones changes nothing."""
    alike = [text[:5] for text in TEXTS if len(text) >= 5]
    ends = quantised_range(alike)
    assert ends == pytest.approx(quantised_range([*alike[:-1], [*alike[-1], *[7] * 40]]), rel=0.2)


def quantised_range(texts: list[list[int]]) -> tuple[float, float]:
    quantised = in_eight_bits(small_graph(), texts)
    (node,) = (node for node in quantised.get_ops() if node.get_type_name() == "FakeQuantize")
    return tuple(float(node.input_value(i).get_node().get_data()) for i in (1, 2))


def test_zero_stays_zero() -> None:
    low, high = quantised_range(TEXTS)
    steps = -low / (high - low) * 255
    assert steps == pytest.approx(round(steps), abs=1e-3)


def test_a_graph_without_products_is_left_alone() -> None:
    with pytest.raises(UnsupportedModel, match="no matrix products"):
        in_eight_bits(small_graph(products=0))
