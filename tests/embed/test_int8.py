"""Products in eight bits: near to the exact ones, whatever single channels are like. Computed here in whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.embed import int8
from obsidian_indexer.embed.int8 import Ranges, plan, whole_rows

OUTER, INNER, BATCHES, ROWS = 24, 32, 6, 40
RNG = np.random.default_rng(5)
Floats = NDArray[np.float32]


def activations(channels: Floats) -> Floats:
    """float32[batches, rows, channels], each channel as large as it is told."""
    return (RNG.normal(size=(BATCHES, ROWS, INNER)) * channels).astype(np.float32)


def ranges_of(x: Floats) -> Ranges:
    return Ranges(x.min(1), x.max(1))


def product(x: Floats, weight: Floats, most: int = 127) -> Floats:
    """x times the weights, transposed, as an engine for eight bits computes it."""
    recipe = plan(ranges_of(x), [weight])
    steps = np.clip(np.round(x * recipe.shrink / recipe.step) + recipe.zero, 0, 255).astype(np.int64)
    whole, scale = whole_rows(weight * recipe.grow, most)
    assert np.abs(whole).max() <= most
    exact = x[..., recipe.apart] @ weight[:, recipe.apart].T
    return ((steps - recipe.zero) @ whole.T.astype(np.int64)) * recipe.step * scale[:, 0] + exact


def worst_cosine(found: Floats, exact: Floats) -> float:
    norms = np.linalg.norm(found, axis=-1) * np.linalg.norm(exact, axis=-1)
    return float(((found * exact).sum(-1) / norms).min())


def one_larger(factor: float) -> Floats:
    return np.where(np.arange(INNER) == 3, factor, 1).astype(np.float32)


@pytest.mark.parametrize(("most", "least"), [(127, 0.999), (64, 0.998)])
def test_a_channel_that_is_far_larger_though_of_no_more_weight_harms_no_other(most: int, least: float) -> None:
    channels = one_larger(60)
    weight = RNG.normal(size=(OUTER, INNER)).astype(np.float32) / channels
    x = activations(channels)
    exact = x @ weight.T
    assert least < worst_cosine(product(x, weight, most), exact) < 0.99999
    # Were the channels not evened out, the worst would be far below.
    step = (x.max() - x.min()) / 255
    assert worst_cosine(np.round(x / step) * step @ weight.T, exact) < 0.99


def test_a_channel_that_neither_side_can_bear_stays_in_floating_point(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = RNG.normal(size=(OUTER, INNER)).astype(np.float32)
    weight[:, 3], weight[0, 3] = 0, 1000
    x = activations(one_larger(60))
    exact = (x @ weight.T)[..., 1:]
    assert plan(ranges_of(x), [weight]).apart.tolist() == [3]
    apart = worst_cosine(product(x, weight)[..., 1:], exact)
    monkeypatch.setattr(int8, "_MOST_APART", 0)
    together = worst_cosine(product(x, weight)[..., 1:], exact)
    assert apart > 0.999
    assert 1 - together > 3 * (1 - apart)


def test_products_that_read_the_same_share_a_range_that_serves_all() -> None:
    x = activations(one_larger(1))
    weights = [RNG.normal(size=(OUTER, INNER)).astype(np.float32) * size for size in (1, 30)]
    recipe = plan(ranges_of(x), weights)
    for weight in weights:
        steps = np.clip(np.round(x * recipe.shrink / recipe.step) + recipe.zero, 0, 255) - recipe.zero
        whole, scale = whole_rows(weight * recipe.grow)
        assert worst_cosine(steps @ whole.T * recipe.step * scale[:, 0], x @ weight.T) > 0.999


@pytest.mark.parametrize("offset", [-30.0, -1.0, 0.0, 0.7, 30.0])
def test_zero_is_one_of_the_steps(offset: float) -> None:
    x = activations(one_larger(1)) + np.float32(offset)
    recipe = plan(ranges_of(x), [np.ones((OUTER, INNER), np.float32)])
    assert 0 <= recipe.zero <= 255
    assert recipe.start + recipe.zero * recipe.step == pytest.approx(0, abs=1e-2 * recipe.step)


def test_what_comes_in_one_batch_does_not_stretch_the_range_of_all() -> None:
    x = activations(one_larger(1))
    usual = plan(ranges_of(x), [np.ones((OUTER, INNER), np.float32)])
    x[0, 0] *= 3
    assert plan(ranges_of(x), [np.ones((OUTER, INNER), np.float32)]).end < 1.5 * usual.end
