"""Static facts about indices, axes and shapes, shared by recording and derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from exmc.compile.primitives import Array

Bounds = tuple[tuple[int, int, int], ...]


def flat_indices(shape: tuple[int, ...]) -> Array:
    """Each element's number in row-major order, in an int64 array of `shape`."""
    return np.arange(math.prod(shape), dtype=np.int64).reshape(shape)


def normal_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes as sorted non-negative numbers; None means all."""
    if axis is None:
        return tuple(range(rank))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(sorted(int(a) % rank for a in axes))


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with 1 in place of the reduced axes."""
    return tuple(1 if a in axes else n for a, n in enumerate(shape))


def basic_bounds(shape: tuple[int, ...], index: Any) -> tuple[Bounds, tuple[int, ...]] | None:
    """The region that a basic index selects, and the shape of the result; None for an index with arrays.

    The region has (start, length, step) per axis of `shape`; integers have length 1 there and no axis in the result.
    """
    items = list(index) if isinstance(index, tuple) else [index]
    if not all(i is None or i is Ellipsis or isinstance(i, slice | int | np.integer) for i in items):
        return None
    if any(isinstance(i, bool) for i in items):
        return None
    used = sum(i is not None and i is not Ellipsis for i in items)
    fill = [slice(None)] * (len(shape) - used)
    at = items.index(Ellipsis) if Ellipsis in items else len(items)
    items[at : at + 1] = fill
    bounds: list[tuple[int, int, int]] = []
    result: list[int] = []
    for item in items:
        if item is None:
            result.append(1)
            continue
        size = shape[len(bounds)]
        if isinstance(item, slice):
            start, stop, step = item.indices(size)
            length = len(range(start, stop, step))
            bounds.append((start if length else 0, length, step))
            result.append(length)
        else:
            bounds.append((int(item) % size, 1, 1))
    return tuple(bounds), tuple(result)
