"""How matrix products run in eight bits: which range, which scales, which channels not.

What enters a product keeps one range for all its channels, which a few channels would stretch until the others are
lost. They are evened out first, at the weights' cost: SmoothQuant (Xiao et al. 2023, arXiv 2211.10438). The one or two
that neither side could bear stay in floating point, a small product of their own: LLM.int8 (Dettmers et al. 2022,
arXiv 2208.07339). Weights have a scale for each output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# How far the spread of the channels moves from the activations (0) to the weights (1). At .5, .6, .7, .8 and .9 the
# mean cosine to float32 on a manual is .9988, .9991, .9992, .9992 and .9989.
_SMOOTHING = 0.75
# Channels whose greatest activation times their greatest weight is so many times the median are kept apart. In the
# bundled model these are five, of 170 to 890 times the median, where others have up to 40; it halves the distance to
# float32 for two per cent of the speed.
_APART, _MOST_APART = 100, 16
_TINY = 1e-5


@dataclass(frozen=True, slots=True)
class Ranges:
    """The least and the greatest activation of each channel in batches of sample texts: float32[batches, channels]."""

    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the products that read the same activations are computed.

    Activations times `shrink` (float32[channels], 0 for channels apart) are rounded to 256 steps from `start` to `end`,
    one of which is zero. Weights times `grow` (float32[channels]) make up for it. `apart`, int64[k], are the channels
    that stay in floating point.
    """

    shrink: Floats
    grow: Floats
    start: float
    end: float
    apart: NDArray[np.int64]

    @property
    def step(self) -> float:
        """What one step of the activations stands for."""
        return (self.end - self.start) / 255

    @property
    def zero(self) -> int:
        """The step that stands for zero."""
        return round(-self.start / self.step)


def plan(ranges: Ranges, weights: Sequence[Floats]) -> Recipe:
    """A recipe for products with these weights, float32[outputs, channels] each."""
    reach = np.maximum(-ranges.low, ranges.high).max(0).clip(_TINY)
    weight_reach = np.max([np.abs(weight).max(0) for weight in weights], axis=0).clip(_TINY)
    apart = _apart(reach * weight_reach)
    grow = (reach**_SMOOTHING / weight_reach ** (1 - _SMOOTHING)).astype(np.float32)
    shrink = 1 / grow
    shrink[apart] = grow[apart] = 0
    # The mean over the batches: single outliers may be cut off.
    low, high = (ranges.low * shrink).min(1).mean(), (ranges.high * shrink).max(1).mean()
    return Recipe(shrink, grow, *_with_zero(float(low), float(high)), apart)


def whole_rows(rows: Floats, most: int = 127) -> tuple[NDArray[np.int8], Floats]:
    """int8[n, width] within ±`most` and float32[n, 1], whose product is as near to the rows as may be."""
    step = (np.abs(rows).max(1, keepdims=True) / most).clip(np.finfo(np.float32).tiny)
    return np.round(rows / step).astype(np.int8), step


def _apart(product_reach: Floats) -> NDArray[np.int64]:
    """The channels that must stay in floating point, in order."""
    greatest = np.argsort(-product_reach)[:_MOST_APART]
    return np.sort(greatest[product_reach[greatest] > _APART * np.median(product_reach)])


def _with_zero(low: float, high: float) -> tuple[float, float]:
    """The range widened to hold zero, which falls on one of its 256 steps."""
    low, high = min(low, 0.0), max(high, _TINY)
    zero = round(-low / (high - low) * 255)
    if zero in (0, 255):
        return low, high
    step = max(-low / zero, high / (255 - zero))
    return -zero * step, (255 - zero) * step
