"""An OpenVINO graph in eight bits: its matrix products by `int8.py`, its tables of vectors row by row.

What follows the pooling stays in floating point: it costs nothing, and its errors are not averaged over a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.encoder import UnsupportedModel
from obsidian_indexer.embed.int8 import Floats, Ranges, plan, whole_rows
from obsidian_indexer.embed.openvino_engine import compile_graph, openvino
from obsidian_indexer.embed.tokens import TokenIds

_BATCH = 8


@dataclass(frozen=True, slots=True)
class _Site:
    """Products that read the same activations, float[texts, tokens, channels]: the port these come from, the nodes."""

    source: Any
    products: list[Any]


def measure_ranges(
    graph: Any, encoded: Sequence[TokenIds], threads: int, rest: Callable[[], None] = lambda: None
) -> list[Ranges]:
    """What enters each group of products that read the same, from input to output, on encoded texts.

    `rest` is called before each batch. Raises UnsupportedModel when there is nothing to quantise.
    """
    probed = graph.clone()
    compiled = compile_graph(_probe(probed, _sites(probed)), "f32", threads, 1)
    seen = []
    for batch in _full_batches(encoded):
        rest()
        found = compiled(batch)
        seen.append([np.array(found[i]) for i in range(len(found))])
    ends = [np.stack(column) for column in zip(*seen, strict=True)]
    return [Ranges(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True)]


def quantise(graph: Any, ranges: Sequence[Ranges]) -> Any:
    """An int8 copy of a graph, by what `measure_ranges` says of it. Raises UnsupportedModel."""
    quantised = graph.clone()
    for site, reach in zip(_sites(quantised), ranges, strict=True):
        _rewrite(site, reach)
    for node in quantised.get_ordered_ops():
        if node.get_type_name() == "Gather":
            _shrink_table(node)
    quantised.validate_nodes_and_infer_types()
    return quantised


def _sites(graph: Any) -> list[_Site]:
    """In the order in which they are computed."""
    sites: dict[tuple[str, int], _Site] = {}
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "MatMul" or node.get_attributes()["transpose_a"]:
            continue
        source, weight = node.input_value(0), node.input_value(1).get_node()
        if not _is_matrix(weight) or len(source.get_partial_shape()) != 3:
            continue
        key = (source.get_node().get_friendly_name(), source.get_index())
        sites.setdefault(key, _Site(source, [])).products.append(node)
    if not sites:
        raise UnsupportedModel("its layers, which have no matrix products")
    return list(sites.values())


def _is_matrix(node: Any) -> bool:
    """Whether a node is a constant, float32[rows, columns]."""
    known = node.get_type_name() == "Constant" and node.get_element_type() == openvino().Type.f32
    return known and len(node.get_output_shape(0)) == 2


def _probe(graph: Any, sites: Sequence[_Site]) -> Any:
    """A graph that gives the least and the greatest value of each channel at one site after another."""
    from openvino import opset15 as op

    axes = op.constant(np.array([0, 1]))
    ends = [reduce(site.source, axes, False) for site in sites for reduce in (op.reduce_min, op.reduce_max)]
    return openvino().Model([op.result(end) for end in ends], graph.get_parameters(), "ranges")


def _full_batches(encoded: Sequence[TokenIds]) -> Iterator[list[NDArray[np.int32]]]:
    """Ids and mask of texts of like length, cut within to the shortest of them: padding would widen the ranges."""
    ordered = sorted(encoded, key=len)
    for start in range(0, len(ordered), _BATCH):
        batch = ordered[start : start + _BATCH]
        width = len(batch[0])
        ids = np.array([[*tokens[: width - 1], tokens[-1]] for tokens in batch], np.int32)
        yield [ids, np.ones_like(ids)]


def _rewrite(site: _Site, ranges: Ranges) -> None:
    """Put the quantised activations and weights of a site in place of its own."""
    from openvino import opset15 as op

    weights = [_outputs_first(product) for product in site.products]
    recipe = plan(ranges, weights)
    bounds = [op.constant(np.float32(bound)) for bound in (recipe.start, recipe.end) * 2]
    smooth = op.multiply(site.source, op.constant(recipe.shrink.reshape(1, 1, -1)))
    activations = op.fake_quantize(smooth, *bounds, 256)
    for product, weight in zip(site.products, weights, strict=True):
        product.input(0).replace_source_output(activations.output(0))
        product.input(1).replace_source_output(_int8(weight * recipe.grow, product).output(0))
        if recipe.apart.size:
            _add_channels(site.source, product, recipe.apart, weight)


def _add_channels(source: Any, product: Any, channels: NDArray[np.int64], weight: Floats) -> None:
    """Add to a product what some channels give it in floating point."""
    from openvino import opset15 as op

    users = product.output(0).get_target_inputs()
    picked = op.gather(source, op.constant(channels), op.constant(np.int64(2)))
    exact = op.matmul(picked, op.constant(np.ascontiguousarray(weight[:, channels])), False, True)
    total = op.add(product, exact)
    for user in users:
        user.replace_source_output(total.output(0))


def _outputs_first(product: Any) -> Floats:
    """float32[outputs, channels]."""
    weight: Floats = product.input_value(1).get_node().get_data()
    return weight if product.get_attributes()["transpose_b"] else weight.T


def _int8(weight: Floats, product: Any) -> Any:
    """A node that gives the weights (float32[outputs, channels]), kept in eight bits and a scale for each output."""
    from openvino import opset15 as op

    whole, step = whole_rows(weight)
    if not product.get_attributes()["transpose_b"]:
        whole, step = whole.T, step.T
    kept = op.constant(np.ascontiguousarray(whole))
    return op.multiply(op.convert(kept, "f32"), op.constant(np.ascontiguousarray(step)))


def _shrink_table(gather: Any) -> None:
    """Keep a table in eight bits and a scale for each row: a quarter of the size, and a mean cosine .00001 lower."""
    from openvino import opset15 as op

    table, (_, ids, axis) = gather.input_value(0).get_node(), gather.input_values()
    if not _is_matrix(table) or axis.get_node().get_type_name() != "Constant" or axis.get_node().get_data() != 0:
        return
    whole, step = (op.gather(op.constant(part), ids, axis) for part in whole_rows(table.get_data()))
    rows = op.multiply(op.convert(whole, "f32"), step)
    for user in gather.output(0).get_target_inputs():
        user.replace_source_output(rows.output(0))
