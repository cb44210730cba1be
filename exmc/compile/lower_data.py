"""How data is handed to the machine code: dtypes, orders of axes, tiles, sorted rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from exmc.compile.primitives import Array

NARROW = 2**15
"""Data of so many elements leave the nearest cache, and are kept in the smallest dtype that holds them."""


class Layout(NamedTuple):
    """How a constant is handed to the machine code: as what, with its axes in which order, arranged how.

    An arrangement is () for none, or

    - ("tiles", axis, size): a matrix in tiles of `size` rows, each tile column by column, padded with zeros;
    - ("sorted", index): the rows in the order that sorts the constant `index`;
    - ("starts", groups): where each number below `groups` begins in the sorted constant, and where the last ends.
    """

    constant: int
    dtype: str
    order: tuple[int, ...]
    arrangement: tuple[str | int, ...] = ()


def arranged(array: Array, layout: Layout, constants: Mapping[int, Array], orders: dict[int, Array]) -> Array:
    """The array that a layout says; `orders` keeps the orders that sort indices, by constant."""
    array = array.transpose(layout.order)
    match layout.arrangement:
        case ("tiles", int(size)):
            array = tiled(array, size)
        case ("starts", int(groups)):
            array = np.concatenate([[0], np.cumsum(np.bincount(array, minlength=groups))])
        case ("sorted", int(index)):
            if index not in orders:
                orders[index] = np.argsort(_short(constants[index]), kind="stable")
            array = array[orders[index]]
    return np.ascontiguousarray(array, dtype=layout.dtype)


def _short(index: Array) -> Array:
    # numpy sorts 16-bit integers by their digits.
    return index.astype(np.uint16) if index.size and index.max() < 2**16 else index


def index_dtype(size: int) -> str:
    """The smallest dtype for indices below `size`, whatever their values."""
    return "int8" if size <= 2**7 else "int16" if size <= 2**15 else "int32" if size <= 2**31 else "int64"


def narrowest(array: Array) -> str:
    """The smallest dtype that holds every element of an array exactly."""
    for dtype in ("int8", "int16", "float32"):
        # A few elements rule most out.
        if _lossless(array.reshape(-1)[:: max(array.size // 64, 1)], dtype) and _lossless(array, dtype):
            return dtype
    return "float64"


def _lossless(array: Array, dtype: str) -> bool:
    wide = np.asarray(array, dtype=np.float64)
    with np.errstate(all="ignore"):
        there = wide.astype(dtype).astype(np.float64)
    # Bit by bit: -0 is no integer, and NaN is itself.
    return bool(np.array_equal(there.view(np.int64), wide.view(np.int64)))


def tiled(matrix: Array, size: int) -> Array:
    """Rows in tiles of `size`, padded with zeros: shape (tiles, columns, size)."""
    rows, columns = matrix.shape
    whole = rows // size
    tiles = np.empty((-(-rows // size), columns, size))
    tiles[:whole] = matrix[: whole * size].reshape(whole, size, columns).transpose(0, 2, 1)
    for tile in tiles[whole:]:
        tile[:, rows - whole * size :] = 0.0
        tile[:, : rows - whole * size] = matrix[whole * size :].T
    return tiles
