"""Broadcasting of types: numpy's shapes, and dims that must agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exmc.errors import ModelError
from exmc.ir.types import ArrayType, broadcast

SHAPES = st.lists(st.sampled_from([0, 1, 2, 3]), max_size=3).map(tuple)


@given(st.lists(SHAPES, min_size=1, max_size=3))
def test_shapes_broadcast_as_in_numpy(shapes: list[tuple[int, ...]]) -> None:
    types = [ArrayType(s, (None,) * len(s)) for s in shapes]
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ModelError, match="do not fit"):
            broadcast(types)
    else:
        assert broadcast(types).shape == expected


def test_dims_are_joined_by_axis_from_the_last() -> None:
    joined = broadcast([ArrayType((2, 3), ("a", None)), ArrayType((3,), ("b",)), ArrayType()])
    assert joined == ArrayType((2, 3), ("a", "b"))


def test_two_dims_on_one_axis_are_refused() -> None:
    with pytest.raises(ModelError, match="dims 'a' and 'b' meet"):
        broadcast([ArrayType((3,), ("a",)), ArrayType((3,), ("b",))])
    with pytest.raises(ModelError, match="dims 'a' and 'b' meet"):
        broadcast([ArrayType((1,), ("a",)), ArrayType((3,), ("b",))])


def test_a_stretched_dim_of_one_does_not_name_the_longer_axis() -> None:
    assert broadcast([ArrayType((1,), ("a",)), ArrayType((3,), (None,))]) == ArrayType((3,), (None,))
    assert broadcast([ArrayType((1,), ("a",)), ArrayType()]) == ArrayType((1,), ("a",))


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ArrayType(), "a scalar"),
        (ArrayType((3,), (None,)), "of shape (3,)"),
        (ArrayType((2, 3), ("a", None)), "of shape (2, 3) (a: 2, ?: 3)"),
    ],
)
def test_description(found: ArrayType, text: str) -> None:
    assert str(found) == text


def test_size() -> None:
    assert [t.size for t in (ArrayType(), ArrayType((2, 3), (None, None)), ArrayType((0,), (None,)))] == [1, 6, 0]
