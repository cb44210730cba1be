"""Basic indices as regions, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.indexing import basic_bounds, flat_indices
from exmc.compile.primitives import region

INDICES = [
    np.s_[1],
    np.s_[-1],
    np.s_[1:3],
    np.s_[::-1],
    np.s_[3:0:-2],
    np.s_[5:2],
    np.s_[..., 0],
    np.s_[:, None, 1],
    np.s_[None, ..., ::2],
    np.s_[1, 2, 0],
    np.s_[()],
    np.s_[2:, ..., -2:-9:-1],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_basic_index_is_a_region(index) -> None:
    array = flat_indices((4, 3, 2))
    found = basic_bounds(array.shape, index)
    assert found is not None
    bounds, shape = found
    expected = array[index]
    assert shape == expected.shape
    np.testing.assert_array_equal(array[region(bounds)].reshape(shape), expected)


@pytest.mark.parametrize("index", [np.array([1, 0]), [0, 1], (0, np.array([1])), True, np.arange(4) != 1])
def test_index_with_arrays_is_no_region(index) -> None:
    assert basic_bounds((4, 3), index) is None
