"""How the data of a program are handed to its machine code: the arrays of the pointer table, made from constants."""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from exmc.compile.primitives import Array

_LARGE = 2**22


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


class Packing(NamedTuple):
    """The pointer table of a tape's code.

    Attributes
    ----------
    scalars
        The constants in entry 0, the array of all scalars.
    layouts
        The entries after it.
    literals
        Numbers that layouts refer to instead of constants.
    embedded
        The tables of embedded functions, which follow, and the constants of their tapes.
    """

    scalars: tuple[int, ...]
    layouts: tuple[Layout, ...]
    literals: Mapping[int, float]
    embedded: tuple[tuple[Packing, Mapping[int, Array]], ...] = ()

    @property
    def entries(self) -> int:
        """The number of entries."""
        return 1 + len(self.layouts) + sum(inner.entries for inner, _ in self.embedded)

    def arrays(self, constants: Mapping[int, Array]) -> tuple[Array, ...]:
        """The entries of the table, in order."""
        found = [np.array([float(constants[c]) for c in self.scalars], dtype=np.float64)]
        orders: dict[int, Array] = {}
        for layout in self.layouts:
            value = constants.get(layout.constant)
            array = np.asarray(self.literals[layout.constant] if value is None else value)
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
            found.append(np.ascontiguousarray(array, dtype=layout.dtype))
        for inner, values in self.embedded:
            found += inner.arrays(values)
        return tuple(found)


def _short(index: Array) -> Array:
    # numpy sorts 16-bit integers by their digits.
    return index.astype(np.uint16) if index.size and index.max() < 2**16 else index


def tiled(matrix: Array, size: int) -> Array:
    """Rows in tiles of `size`, padded with zeros: shape (tiles, columns, size)."""
    rows, columns = matrix.shape
    whole = rows // size
    tiles = _empty((-(-rows // size), columns, size))
    tiles[:whole] = matrix[: whole * size].reshape(whole, size, columns).transpose(0, 2, 1)
    for tile in tiles[whole:]:
        tile[:, rows - whole * size :] = 0.0
        tile[:, : rows - whole * size] = matrix[whole * size :].T
    return tiles


def _empty(shape: tuple[int, ...]) -> Array:
    """An array of doubles to be filled; a large one with its pages mapped at once, a quarter of the time of singly."""
    size = 8 * math.prod(shape)
    if size < _LARGE or not hasattr(mmap, "MAP_POPULATE"):
        return np.empty(shape)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
    return np.frombuffer(memory, dtype=np.float64).reshape(shape)
