"""float16 vectors: compared by either way as numpy compares them in float64, and made float32 without loss."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.store.halves import Codes, cosines, widen


def unit(n: int, dim: int, seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    vectors: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


@pytest.mark.parametrize("n_queries", [0, 1, 3, 8, 16])
@pytest.mark.parametrize("n_rows", [0, 1, 1500])
@pytest.mark.parametrize("dim", [1, 50, 384])
def test_cosines_are_those_of_a_plain_product(n_rows: int, n_queries: int, dim: int) -> None:
    halves, queries = unit(n_rows, dim, 1).astype(np.float16), unit(n_queries, dim, 2)
    found = cosines(halves, queries)
    assert (found.shape, found.dtype) == ((n_queries, n_rows), np.float32)
    np.testing.assert_allclose(found, queries.astype(np.float64) @ halves.T.astype(np.float64), atol=5e-4)


@pytest.mark.parametrize("n_queries", [1, 16])
def test_every_other_row_is_compared_where_it_lies(n_queries: int) -> None:
    halves, queries = unit(301, 64, 1).astype(np.float16), unit(n_queries, 64, 2)
    np.testing.assert_array_equal(cosines(halves[::2], queries), cosines(halves[::2].copy(), queries))


@pytest.mark.parametrize("n_queries", [1, 16])
def test_the_same_text_has_the_same_cosine_wherever_it_lies(n_queries: int) -> None:
    halves = np.tile(unit(1, 384, 1).astype(np.float16), (2100, 1))
    found = cosines(halves, unit(n_queries, 384, 2))
    assert np.ptp(found, axis=1).max() < 1e-6


def test_halves_become_floats_exactly() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)].reshape(-1, 8)
    out = np.empty(halves.shape, np.float32)
    widen(halves, out)
    assert out.tobytes() == halves.astype(np.float32).tobytes()


def test_many_comparisons_leave_pythons_own_objects_alone() -> None:
    halves, query = np.eye(8, dtype=np.float16), np.eye(8, dtype=np.float32)[:1]
    cosines(halves, query)
    before = sys.getrefcount(None)
    for _ in range(1000):
        cosines(halves, query)
    assert abs(sys.getrefcount(None) - before) < 500


@pytest.mark.parametrize("dim", [256, 300, 384])
def test_the_distance_of_codes_is_the_number_of_signs_that_differ(dim: int) -> None:
    halves, query = unit(2000, dim, 1).astype(np.float16), unit(1, dim, 2)[0]
    apart = Codes.of(halves).distances(query)
    middle = halves.mean(axis=0, dtype=np.float32)
    assert apart.tolist() == ((halves > middle) != (query > middle)).sum(axis=1).tolist()


def test_vectors_that_point_one_way_have_different_codes() -> None:
    vectors = unit(2000, 384, 1) + 3 * unit(1, 384, 2)
    halves = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    apart = Codes.of(halves).distances(halves[7].astype(np.float32))
    assert apart[7] == 0
    assert np.median(apart) > 384 / 3


@pytest.mark.parametrize(("rows", "dim"), [(0, 384), (20, 64)])
def test_no_vectors_and_short_ones_have_no_codes(rows: int, dim: int) -> None:
    codes = Codes.of(unit(rows, dim, 1).astype(np.float16))
    assert len(codes) == len(codes.distances(unit(1, dim, 1)[0])) == 0
