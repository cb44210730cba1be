"""What users may pass to a builder; `test_builder` has the errors as they meet them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from exmc.errors import DataError, ModelError
from exmc.ir.expressions import ref
from exmc.ir.inputs import Labelled, as_dims, as_labelled, as_labels, as_name, as_shape

HERE = ("variables", "x")


def test_names_dims_and_shapes() -> None:
    assert (as_name("a", HERE), as_name(ref("a"), HERE)) == ("a", "a")
    assert (as_dims(None, HERE), as_dims("a", HERE), as_dims(["a", None], HERE)) == (None, ("a",), ("a", None))
    assert (as_shape(None, HERE), as_shape(np.int8(3), HERE), as_shape([2, 0], HERE)) == (None, (3,), (2, 0))
    assert type(as_shape(np.int8(3), HERE)[0]) is int


@pytest.mark.parametrize("labels", [[-1, 1, 2.5], np.array([-1, 1, 2.5], dtype=object)])
def test_labels(labels: object) -> None:
    assert as_labels("g", labels) == (-1, 1, 2.5)
    assert [type(label) for label in as_labels("g", labels)] == [int, int, float]


def test_labels_are_of_one_kind() -> None:
    """In the results, numbers among texts would be texts."""
    with pytest.raises(ModelError, match="texts stand among numbers"):
        as_labels("g", ["a", 1])


@pytest.mark.parametrize("label", [True, None, float("inf"), float("nan"), ("a", "b"), np.True_])
def test_what_is_no_label(label: object) -> None:
    with pytest.raises(ModelError, match="no label") as caught:
        as_labels("g", ["a", label])
    assert caught.value.where == ("coords", "g")


def test_plain_arrays_say_nothing_of_themselves() -> None:
    assert as_labelled([1.0], None, HERE) == Labelled([1.0])
    assert as_labelled([1.0], ("g",), HERE) == Labelled([1.0], ("g",))


def test_an_array_of_xarray_with_dims_given_too() -> None:
    array = xr.DataArray([1.0], dims="g", coords={"g": [3]})
    assert as_labelled(array, ("g",), HERE).coords == {"g": (3,)}
    with pytest.raises(DataError) as caught:
        as_labelled(array, ("h",), HERE)
    assert caught.value.where == HERE
