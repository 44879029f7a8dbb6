"""A graph in eight bits: its matrix products by the ranges that sample texts take, its tables of vectors row by row.

What enters a product keeps one range for all its channels, which a few channels would stretch until the others are
lost. They are evened out first, at the weights' cost: SmoothQuant (Xiao et al. 2023, arXiv 2211.10438). The one or two
that neither side could bear stay in floating point, a small product of their own: LLM.int8 (Dettmers et al. 2022,
arXiv 2208.07339). Weights have a scale for each output. What follows the pooling stays in floating point too: it costs
nothing, and its errors are not averaged over a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.openvino_engine import compile_graph, openvino
from obsidian_indexer.embed.openvino_graph import UnsupportedModel
from obsidian_indexer.embed.tokens import TokenIds

Floats = NDArray[np.float32]

# How far the spread of the channels moves from the activations (0) to the weights (1). At .5, .6, .7, .8 and .9 the
# mean cosine to float32 on a manual is .9988, .9991, .9992, .9992 and .9989.
_SMOOTHING = 0.75
# Channels whose greatest activation times their greatest weight is so many times the median are kept apart. In the
# bundled model these are five, of 170 to 890 times the median, where others have up to 40; it halves the distance to
# float32 for two per cent of the speed.
_APART, _MOST_APART = 100, 16
_BATCH = 8
_TINY = 1e-5


@dataclass(frozen=True, slots=True)
class _Site:
    """Products that read the same activations, float[texts, tokens, channels]: the port these come from, the nodes."""

    source: Any
    products: list[Any]


def quantise(graph: Any, encoded: Sequence[TokenIds], threads: int, rest: Callable[[], None] = lambda: None) -> Any:
    """An int8 copy of a graph, calibrated on encoded texts; `rest` is called before each batch.

    Raises UnsupportedModel when there is nothing to quantise.
    """
    quantised = graph.clone()
    sites = _sites(quantised)
    if not sites:
        raise UnsupportedModel("its layers, which have no matrix products")
    compiled = compile_graph(_probe(quantised, sites), "f32", threads, 1)
    for site, (low, high) in zip(sites, _ranges(compiled, encoded, rest), strict=True):
        _rewrite(site, low, high)
    for node in quantised.get_ordered_ops():
        if node.get_type_name() == "Gather":
            _shrink_table(node)
    quantised.validate_nodes_and_infer_types()
    return quantised


def _sites(graph: Any) -> list[_Site]:
    sites: dict[tuple[str, int], _Site] = {}
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "MatMul" or node.get_attributes()["transpose_a"]:
            continue
        source, weight = node.input_value(0), node.input_value(1).get_node()
        if not _is_matrix(weight) or len(source.get_partial_shape()) != 3:
            continue
        key = (source.get_node().get_friendly_name(), source.get_index())
        sites.setdefault(key, _Site(source, [])).products.append(node)
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


def _ranges(compiled: Any, encoded: Sequence[TokenIds], rest: Callable[[], None]) -> list[tuple[Floats, Floats]]:
    """The least and the greatest values of each site, batch by batch: float32[batches, channels] each."""
    seen = []
    for batch in _full_batches(encoded):
        rest()
        found = compiled(batch)
        seen.append([np.array(found[i]) for i in range(len(found))])
    values = [np.stack(column) for column in zip(*seen, strict=True)]
    return list(zip(values[::2], values[1::2], strict=True))


def _full_batches(encoded: Sequence[TokenIds]) -> Iterator[list[NDArray[np.int32]]]:
    """Ids and mask of texts of like length, cut within to the shortest of them: padding would widen the ranges."""
    ordered = sorted(encoded, key=len)
    for start in range(0, len(ordered), _BATCH):
        batch = ordered[start : start + _BATCH]
        width = len(batch[0])
        ids = np.array([[*tokens[: width - 1], tokens[-1]] for tokens in batch], np.int32)
        yield [ids, np.ones_like(ids)]


def _rewrite(site: _Site, low: Floats, high: Floats) -> None:
    """Put the quantised activations and weights of a site in place of its own."""
    from openvino import opset15 as op

    weights = [_outputs_first(product) for product in site.products]
    reach = np.maximum(-low, high).max(0).clip(_TINY)
    weight_reach = np.max([np.abs(weight).max(0) for weight in weights], axis=0).clip(_TINY)
    apart = _apart(reach * weight_reach)
    scale = (reach**_SMOOTHING / weight_reach ** (1 - _SMOOTHING)).astype(np.float32)
    shrink = 1 / scale
    shrink[apart] = 0
    # The mean over the batches: single outliers may be cut off.
    start, end = _with_zero(float((low * shrink).min(1).mean()), float((high * shrink).max(1).mean()))
    bounds = [op.constant(np.float32(bound)) for bound in (start, end, start, end)]
    smooth = op.multiply(site.source, op.constant(shrink.reshape(1, 1, -1)))
    activations = op.fake_quantize(smooth, *bounds, 256)
    scale[apart] = 0
    for product, weight in zip(site.products, weights, strict=True):
        product.input(0).replace_source_output(activations.output(0))
        product.input(1).replace_source_output(_int8(weight * scale, product).output(0))
        if apart.size:
            _add_channels(site.source, product, apart, weight)


def _apart(product_reach: Floats) -> NDArray[np.int64]:
    """The channels that must stay in floating point, in order."""
    greatest = np.argsort(-product_reach)[:_MOST_APART]
    return np.sort(greatest[product_reach[greatest] > _APART * np.median(product_reach)])


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


def _whole(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """int8[n, width] and float32[n, 1], whose product is as near to the rows as may be."""
    step = (np.abs(rows).max(1, keepdims=True) / 127).clip(np.finfo(np.float32).tiny)
    return np.round(rows / step).astype(np.int8), step


def _int8(weight: Floats, product: Any) -> Any:
    """A node that gives the weights (float32[outputs, channels]), kept in eight bits and a scale for each output."""
    from openvino import opset15 as op

    whole, step = _whole(weight)
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
    whole, step = (op.gather(op.constant(part), ids, axis) for part in _whole(table.get_data()))
    rows = op.multiply(op.convert(whole, "f32"), step)
    for user in gather.output(0).get_target_inputs():
        user.replace_source_output(rows.output(0))


def _with_zero(low: float, high: float) -> tuple[float, float]:
    """The range widened to hold zero, which falls on one of its 256 steps."""
    low, high = min(low, 0.0), max(high, _TINY)
    zero = round(-low / (high - low) * 255)
    if zero in (0, 255):
        return low, high
    step = max(-low / zero, high / (255 - zero))
    return -zero * step, (255 - zero) * step
