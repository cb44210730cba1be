"""Data: which arrays they take, and how they keep them."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.errors import DataError
from exmc.ir.expressions import ref
from exmc.ir.nodes import Data
from exmc.ir.types import ArrayType


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        ([1, 2], "int", np.int64),
        (np.array([1, 2], np.uint8), "int", np.int64),
        (np.array([1, 2], np.int32), "int", np.int64),
        (np.array([1, 2], np.float32), "float", np.float64),
        (np.array([1.0, 2.0], ">f8"), "float", np.float64),
        ([True, False], "bool", np.bool_),
        (3.0, "float", np.float64),
    ],
)
def test_kinds(values: object, kind: str, dtype: type) -> None:
    data = Data("x", values)
    assert data.kind == kind
    assert data.values.dtype == dtype
    assert data.values.dtype.isnative
    assert data.type == ArrayType(np.shape(values), (None,) * np.ndim(values), kind)


def test_objects_that_are_all_numbers_are_numbers() -> None:
    """As numpy makes them of a table whose columns have different types."""
    data = Data("x", np.array([[1, True], [2.5, np.float32(3.0)]], dtype=object))
    assert data.values.tolist() == [[1.0, 1.0], [2.5, 3.0]]
    assert Data("x", np.ma.masked_array([1.0], [False])).values.tolist() == [1.0]
    assert Data("x", np.array([2**63 - 1], dtype=np.uint64)).values.tolist() == [2**63 - 1]


def test_values_are_copied_and_read_only() -> None:
    source = np.array([1.0, 2.0])
    data = Data("x", source)
    source[0] = 9.0
    assert data.values.tolist() == [1.0, 2.0]
    assert not data.values.flags.writeable


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        ([[1, 2], [3]], "different lengths"),
        (["a", "b"], "'a' is not a number"),
        ([1.0, {}], "is not a number"),
        ([1j], "1j"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "lose its mask"),
        (np.array([2**63], dtype=np.uint64), "beyond 64 bits"),
        ([10**30, 1], "beyond 64 bits"),
        ([ref("a")], "is an expression.*concatenate"),
        (np.array(["2020-01-01"], dtype="datetime64[ns]"), "2020-01-01T"),
        (np.array([], dtype="S1"), "bytes8' is not a number"),
    ],
)
def test_what_is_no_data(values: object, fragment: str) -> None:
    with pytest.raises(DataError, match=fragment) as caught:
        Data("x", values)
    assert caught.value.where == ("data", "x")


def test_one_dim_an_axis() -> None:
    with pytest.raises(DataError, match="one dim per axis"):
        Data("x", [1.0], ("a", "b"))
