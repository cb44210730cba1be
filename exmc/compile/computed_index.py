"""Gathers, scatters and sorts whose places depend on the position."""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import Box, defvjp, primitive
from numpy.typing import NDArray

Array = NDArray[Any]
Value = Any
"""A number, an array or an autograd box around one."""


def pick_elements(x: Any, numbers: Any) -> Array:
    """The elements of x, in row-major order, of these numbers; NaN for a number that x does not have."""
    flat = np.asarray(x, dtype=np.float64).reshape(-1)
    numbers = np.asarray(numbers)
    known = (numbers >= 0) & (numbers < flat.size)
    if not flat.size:
        return np.full(numbers.shape, np.nan)
    return np.where(known, flat[np.where(known, numbers, 0).astype(np.int64)], np.nan)


def place_elements(values: Any, numbers: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of `shape` to whose elements of these numbers the values are added; unknown numbers are passed over."""
    numbers = np.asarray(numbers)
    known = (numbers >= 0) & (numbers < math.prod(shape))
    result = np.zeros(shape)
    np.add.at(result.reshape(-1), numbers[known].astype(np.int64), np.broadcast_to(values, numbers.shape)[known])
    return result


def order_elements(x: Any) -> Array:
    """The numbers that sort the last axis: equal elements keep their order, and NaN comes last."""
    return np.argsort(np.asarray(x), axis=-1, kind="stable")


pick = primitive(pick_elements)
place = primitive(place_elements)

defvjp(pick, lambda ans, x, numbers: lambda g: place(g, numbers, anp.shape(x)), None)
defvjp(place, lambda ans, values, numbers, shape: lambda g: _known(pick(g, numbers), numbers, shape), None)


def _known(picked: Value, numbers: Value, shape: tuple[int, ...]) -> Value:
    """What was picked, and 0 for the numbers that place passes over."""
    inside = anp.logical_and(anp.greater_equal(numbers, 0), anp.less(numbers, math.prod(shape)))
    return anp.where(inside, picked, 0.0)


def take_along_axis(x: Value, indices: Value, axis: int | None) -> Value:
    """As numpy has it; `axis` None means the elements in row-major order."""
    if axis is None:
        x, axis = anp.ravel(x), 0
    shape = anp.shape(x)
    axis %= len(shape)
    stride = math.prod(shape[axis + 1 :])
    grid = np.indices(tuple(1 if a == axis else n for a, n in enumerate(shape)), sparse=True)
    start = sum(g * math.prod(shape[a + 1 :]) for a, g in enumerate(grid))
    return pick(x, start + _counted_from_the_front(indices, shape[axis]) * stride)


def row_numbers(indices: Value, shape: tuple[int, ...]) -> Value:
    """The numbers of the elements of ``x[indices]``, for an x of `shape` and an array of whole numbers."""
    size = math.prod(shape[1:])
    first = _counted_from_the_front(indices, shape[0]) * size
    within = np.arange(size).reshape(shape[1:])
    return anp.reshape(first, (*anp.shape(first), *(1,) * (len(shape) - 1))) + within


def sort(x: Value, axis: int | None = -1, kind: str | None = None) -> Value:
    """The elements in order along an axis."""
    x, axis = (anp.ravel(x), 0) if axis is None else (x, axis)
    return take_along_axis(x, anp.argsort(x, axis=axis, kind="stable"), axis)


def argmax(x: Value, axis: int | None = None) -> Value:
    """The number of the first largest element, of NaN if there is one."""
    x, axis = (anp.ravel(x), 0) if axis is None else (x, axis % anp.ndim(x))
    size = anp.shape(x)[axis]
    top = anp.max(x, axis=axis, keepdims=True)
    chosen = anp.logical_or(anp.equal(x, top), anp.isnan(x))
    numbers = np.arange(size).reshape((size, *(1,) * (anp.ndim(x) - axis - 1)))
    return anp.min(anp.where(chosen, numbers, size), axis=axis)


def argmin(x: Value, axis: int | None = None) -> Value:
    """The number of the first smallest element, of NaN if there is one."""
    return argmax(anp.negative(x), axis)


def is_computed(index: Any) -> bool:
    """Whether an index depends on the position; one that is traced because it is data does not."""
    return isinstance(index, Box) and not getattr(index._node, "fixed", False)


def _counted_from_the_front(indices: Value, size: int) -> Value:
    return anp.where(anp.less(indices, 0), indices + size, indices)
