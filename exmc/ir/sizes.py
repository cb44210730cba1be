"""The operations whose result's shape is told by operands: what they make, and of which type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np

from exmc.errors import ExpressionError, ModelError
from exmc.ir.expressions import Constant, Expression
from exmc.ir.types import ArrayType


@dataclass(frozen=True, slots=True)
class Sized:
    """One row: the operands from `first` on are whole numbers, literal in a built model; `infer` types the result."""

    first: int
    infer: Callable[[list[ArrayType], list[int]], ArrayType]


def sized_type(operation: str, operands: tuple[Expression, ...], types: list[ArrayType]) -> ArrayType:
    """The type of a sized operation's result; raises `ModelError` for operands that are no sizes."""
    row = SIZED[operation]
    sizes = []
    for operand in operands[row.first :]:
        if not (isinstance(operand, Constant) and type(operand.value) is int):
            raise ExpressionError(f"{operation} takes whole numbers, literal or of data alone.")
        sizes.append(operand.value)
    return row.infer(types[: row.first], sizes)


def zeros(*sizes: int) -> Any:
    """An array of zeros."""
    return np.zeros(sizes)


def ones(*sizes: int) -> Any:
    """An array of ones."""
    return np.ones(sizes)


def eye(size: int) -> Any:
    """The identity matrix."""
    return np.eye(size)


def arange(*bounds: int) -> Any:
    """The whole numbers from 0, or from the first bound, up to but without the last."""
    return np.arange(*bounds)


def reshape(value: Any, *sizes: Any) -> Any:
    """The same elements, in row-major order, in an array of these sizes; one of them may be -1."""
    return anp.reshape(value, sizes)


def _filled(_types: list[ArrayType], sizes: list[int]) -> ArrayType:
    _check_sizes(sizes)
    return ArrayType(tuple(sizes), (None,) * len(sizes), "float")


def _identity(_types: list[ArrayType], sizes: list[int]) -> ArrayType:
    _check_sizes(sizes)
    return ArrayType((sizes[0], sizes[0]), (None, None), "float")


def _range(_types: list[ArrayType], bounds: list[int]) -> ArrayType:
    return ArrayType((len(range(*bounds)),), (None,), "int")


def _reshaped(types: list[ArrayType], sizes: list[int]) -> ArrayType:
    (operand,) = types
    _check_sizes([size for size in sizes if size != -1])
    known = int(np.prod([size for size in sizes if size != -1]))
    free = sizes.count(-1)
    if free > 1 or (operand.size != known if not free else known == 0 or operand.size % known):
        raise ModelError(f"a value {operand} cannot take the shape {tuple(sizes)}.")
    shape = tuple(operand.size // known if size == -1 else size for size in sizes)
    return ArrayType(shape, (None,) * len(shape), operand.kind)


def _check_sizes(sizes: list[int]) -> None:
    for size in sizes:
        if size < 0:
            raise ModelError(f"an axis cannot have {size} elements.")


SIZED: dict[str, Sized] = {
    "zeros": Sized(0, _filled),
    "ones": Sized(0, _filled),
    "eye": Sized(0, _identity),
    "arange": Sized(0, _range),
    "reshape": Sized(1, _reshaped),
}
