"""What operations on arrays compute where autograd.numpy has no function of that form."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
from autograd.numpy.numpy_boxes import ArrayBox

from exmc.ir.positions import positions


def concatenate(*parts: Any, axis: int | None = None) -> Any:
    """Arrays one after the other along an axis; without one, their elements in one vector."""
    if axis is None:
        return anp.concatenate([anp.reshape(p, (-1,)) for p in parts])
    return anp.concatenate(parts, axis=axis)


def stack(*parts: Any, axis: int = 0) -> Any:
    """Arrays of one shape side by side along a new axis."""
    return anp.concatenate([anp.expand_dims(p, axis) for p in parts], axis=axis)


def sd(x: Any, axis: int | None = None) -> Any:
    """The standard deviation, with divisor n - 1."""
    centred = x - (anp.mean(x) if axis is None else anp.expand_dims(anp.mean(x, axis=axis), axis))
    count = anp.size(x) if axis is None else anp.shape(x)[axis]
    return anp.sqrt(anp.sum(anp.square(centred), axis=axis) / (count - 1))


def kron(left: Any, right: Any) -> Any:
    """The Kronecker product of two matrices."""
    rows, columns = (anp.shape(left)[axis] * anp.shape(right)[axis] for axis in (0, 1))
    return anp.reshape(left[:, None, :, None] * right[None, :, None, :], (rows, columns))


def cumprod(x: Any, axis: int | None = None) -> Any:
    """The products of the first elements, as floats."""
    return anp.cumprod(1.0 * x, axis=axis)


# What brackets mean to autograd; it also takes a key that is traced of an array that is not.
_taken = ArrayBox.__getitem__


def element(base: Any, *keys: Any) -> Any:
    """`base[keys]`, in which keys may be traced where `base` is not."""
    if len(keys) == 1:
        return _taken(base, keys[0])
    if all(isinstance(key, slice | int) for key in keys):
        return base[keys]
    # Keys that are traced may stand as arguments of a function, but not in a tuple.
    return _taken(anp.reshape(base, (-1,)), positions(anp.shape(base), *keys))
