"""How data are arranged for machine code: exactly, whatever the dtype."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.lower_data import index_dtype, narrowest, tiled


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0.0, 1.0, -128.0, 127.0], "int8"),
        ([0.0, 128.0], "int16"),
        ([0.0, 40_000.0], "float32"),
        ([0.5, -0.0, np.nan, np.inf], "float32"),
        ([-0.0, 1.0], "float32"),
        ([0.1], "float64"),
        ([1e300], "float64"),
        ([2.0**24 + 1.0], "float64"),
    ],
)
def test_narrowest_dtype_keeps_every_bit(values: list[float], dtype: str) -> None:
    array = np.array(values)
    assert narrowest(array) == dtype
    again = array.astype(narrowest(array)).astype(np.float64)
    np.testing.assert_array_equal(again.view(np.int64), array.view(np.int64))


def test_one_element_beyond_the_sample_is_seen() -> None:
    array = np.zeros(10_000)
    array[5003] = 0.1
    assert narrowest(array) == "float64"
    assert narrowest(np.arange(100)) == "int8"


def test_indices_fit_their_dtype() -> None:
    for size in (1, 128, 129, 2**15, 2**15 + 1, 2**31, 2**31 + 1):
        assert np.iinfo(index_dtype(size)).max >= size - 1


def test_tiles_hold_rows_column_by_column() -> None:
    matrix = np.arange(10.0).reshape(5, 2)
    tiles = tiled(matrix, 4)
    assert tiles.shape == (2, 2, 4)
    np.testing.assert_array_equal(tiles[0], matrix[:4].T)
    np.testing.assert_array_equal(tiles[1], [[8.0, 0.0, 0.0, 0.0], [9.0, 0.0, 0.0, 0.0]])
