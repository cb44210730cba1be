"""What is asked of data is answered for every element."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.facts import digest, narrowest


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


def test_one_element_beyond_the_first_piece_is_seen() -> None:
    array = np.zeros(50_000)
    assert narrowest(array) == "int8"
    array[-1] = -0.0
    assert narrowest(array) == "float32"


def test_digests_tell_bits_apart() -> None:
    array = np.array([[0.0, 1.0], [2.0, 3.0]])
    assert digest(array) == digest(array.copy())
    assert digest(array) != digest(array.T)
    assert digest(array) != digest(np.array([[-0.0, 1.0], [2.0, 3.0]]))
