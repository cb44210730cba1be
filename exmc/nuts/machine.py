"""What the functions of the kernel may use beyond plain Python: each in Python here, its machine code in `generate`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from exmc.density import DENSITY_SIGNATURE

FloatArray = NDArray[np.float64]
Words = NDArray[np.uint64]
Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "part_of_the_kernel"


def compiled(function: Function) -> Function:
    """Mark `function` as part of the kernel: it stays plain Python, of the kind that machine code is made of.

    Such a function allocates nothing and raises nothing; `exmc.nuts.generate` refuses one that could.
    """
    setattr(function, _MARK, True)
    return function


def is_compiled(function: object) -> bool:
    """Whether `function` was marked."""
    return hasattr(function, _MARK)


def call_density(
    address: int, position: FloatArray, gradient: FloatArray, workspace: FloatArray, pointers: NDArray[Any]
) -> float:
    """Call the C function at `address` with the addresses of the arrays' data (`exmc.density`)."""
    arrays = (position, gradient, workspace, pointers)
    value: float = DENSITY_SIGNATURE(address)(*(array.ctypes.data for array in arrays))
    return value


def multiply_high(left: Any, right: Any) -> Any:
    """The upper 64 bits of the 128-bit product of two uint64."""
    return np.uint64(int(left) * int(right) >> 64)


def vector(address: int, size: int) -> FloatArray:
    """The float64 array of shape (size,) at `address`."""
    return np.ctypeslib.as_array((ctypes.c_double * size).from_address(address))


def matrix(address: int, rows: int, columns: int) -> FloatArray:
    """The float64 array of shape (rows, columns) at `address`."""
    return vector(address, rows * columns).reshape(rows, columns)


def words(address: int, size: int) -> Words:
    """The uint64 array of shape (size,) at `address`."""
    return np.ctypeslib.as_array((ctypes.c_uint64 * size).from_address(address))
