"""Membership of supports, each row of the table by itself."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from exmc.transforms import SUPPORTS, TRANSFORMS

# Support name -> (bounds, members, others).
MEMBERSHIP = {
    "real": ((), [0.0, -1e300, 3], []),
    "positive": ((), [1e-300, 5], [0.0, -1.0]),
    "nonnegative": ((), [0.0, 5], [-1e-300]),
    "unit_interval": ((), [0.0, 0.5, 1.0], [-1e-9, 1.0 + 1e-9]),
    "signed_unit_interval": ((), [0.0, -0.999, 1e-300], [-1.0, 1.0, 2.0]),
    "open_unit_interval": ((), [1e-9, 0.5], [0.0, 1.0]),
    "interval": ((-1.0, 2.0), [-1.0, 0.0, 2.0], [-1.1, 2.1]),
    "nonnegative_integer": ((), [0, 1, 7.0], [-1, 0.5]),
    "integer_interval": ((3,), [0, 3, 2.0], [-1, 4, 1.5]),
    "integer": ((), [-3, 0, 7.0], [0.5, -1.5]),
    "positive_integer": ((), [1, 7.0], [0, -1, 0.5]),
    "angle": ((), [-3.14, 0.0, 3.14], [-3.15, 3.15]),
    "boolean": ((), [0, 1, True, False], [2, -1, 0.5]),
    "at_least": ((-1.0,), [-1.0, 0.0, 1e300], [-1.1]),
    "at_most": ((-1.0,), [-1.0, -5.0], [-0.9]),
    "integer_range": ((-2, 3), [-2, 0, 3.0], [-3, 4, 0.5]),
    "counts": ((), [[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]], [[4.0, -1.0, 0.0], [1.5, 1.5, 0.0]]),
    "adjacency": (
        (),
        ([[0.0, 2.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]),
        ([[0.0, 1.0], [2.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]], [[0.0, -1.0], [-1.0, 0.0]]),
    ),
    "simplex": ((), [[0.25, 0.75], [0.0, 1.0]], [[0.5, 0.6], [-0.1, 1.1]]),
    "ordered": ((), [[-1.0, 2.0], [0.0, 0.0]], [[2.0, 1.0]]),
    "positive_ordered": ((), [[0.0, 2.0]], [[-1.0, 2.0], [2.0, 1.0]]),
    "sum_to_zero": ((), [[-1.5, 1.5], [0.0, 0.0], [1e300, -1e300]], [[1.0, 1.0]]),
    "cholesky_cov": ((), [[[2.0, 0.0], [-1.0, 3.0]]], [[[2.0, 1.0], [0.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]]),
    "cholesky_corr": ((), [[[1.0, 0.0], [0.6, -0.0 + 0.8]]], [[[1.0, 0.0], [0.6, 0.7]], [[2.0, 0.0], [0.0, 1.0]]]),
    "covariance": ((), [[[2.0, 1.0], [1.0, 3.0]]], [[[2.0, 1.0], [0.0, 3.0]], [[1.0, 2.0], [2.0, 1.0]]]),
    "correlation": ((), [[[1.0, 0.5], [0.5, 1.0]]], [[[2.0, 1.0], [1.0, 3.0]], [[1.0, 1.5], [1.5, 1.0]]]),
}


@pytest.mark.parametrize("name", SUPPORTS)
def test_support_membership(name):
    if name not in MEMBERSHIP:
        pytest.fail(f"{name} has no row in MEMBERSHIP of tests/transforms/test_supports.py: add members and others.")
    bounds, members, others = MEMBERSHIP[name]
    support = SUPPORTS[name]
    assert np.all(support.contains(np.array(members), *bounds))
    for other in others:
        assert not support.contains(np.array(other), *bounds)
    for odd in (np.nan, np.inf, -np.inf):
        assert not support.contains(np.full((2,) * support.event_rank, odd), *bounds)
    result = support.contains(np.zeros((2, 3, *(2,) * support.event_rank)), *bounds)
    assert result.shape == (2, 3)
    assert result.dtype == bool
    assert support.description
    assert sum(edge == "bound" for edge in support.edges) == len(bounds)
    assert pickle.loads(pickle.dumps(support)) == support


def test_bounds_of_a_support_broadcast():
    inside = SUPPORTS["interval"].contains(np.array([0.5, 1.5]), np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]]))
    np.testing.assert_array_equal(inside, [[True, False], [False, True]])


def test_the_table_of_transforms_is_keyed_by_name_and_knows_its_supports():
    assert {name: transform.name for name, transform in TRANSFORMS.items()} == {name: name for name in TRANSFORMS}
    for transform in TRANSFORMS.values():
        assert all(SUPPORTS[support.name] is support for support in transform.supports)


def test_counts_sum_to_their_total():
    np.testing.assert_array_equal(
        SUPPORTS["counts"].contains(np.array([[1, 2], [2, 2]]), np.array([3, 3])), [True, False]
    )
