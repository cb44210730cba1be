"""The types of the operations on matrices: what is square, what fits, which dims remain."""

from __future__ import annotations

from typing import Any

from exmc.errors import ModelError
from exmc.ir.types import ArrayType, Kind


def _numeric(types: list[ArrayType]) -> Kind:
    return "float" if any(t.kind == "float" for t in types) else "int"


def _square(operation: str, operand: ArrayType) -> None:
    if len(operand.shape) != 2 or operand.shape[0] != operand.shape[1]:
        raise ModelError(f"{operation} takes a square matrix, not a value {operand}.")


def _side(operation: str, matrix: ArrayType, right: ArrayType) -> None:
    if len(right.shape) not in (1, 2) or right.shape[0] != matrix.shape[0]:
        raise ModelError(f"{operation} cannot join values {matrix} and {right}.")


def same_square(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """A matrix like the operand."""
    (operand,) = types
    _square("an operation on a matrix", operand)
    return ArrayType(operand.shape, operand.dims, "float")


def square_to_scalar(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """One number."""
    (operand,) = types
    _square("a determinant", operand)
    return ArrayType((), (), "float")


def row_numbers(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """One number for each row."""
    (operand,) = types
    _square("an operation on a matrix", operand)
    return ArrayType(operand.shape[:1], operand.dims[:1], "float")


def solution(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """What has the shape of the right-hand side."""
    matrix, right = types
    _square("solve", matrix)
    _side("solve", matrix, right)
    return ArrayType(right.shape, right.dims, "float")


def diagonal(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """A matrix's diagonal, or the diagonal matrix of a vector."""
    (operand,) = types
    if len(operand.shape) == 1:
        # The second axis cannot have the same dim as the first.
        return ArrayType(operand.shape * 2, (operand.dims[0], None), _numeric(types))
    _square("diag", operand)
    return ArrayType(operand.shape[:1], operand.dims[:1], _numeric(types))


def outer_product(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """Each element of one vector times each of another."""
    left, right = types
    if len(left.shape) != 1 or len(right.shape) != 1:
        raise ModelError(f"outer takes two vectors, not values {left} and {right}.")
    dims = (left.dims[0], right.dims[0] if right.dims[0] != left.dims[0] else None)
    return ArrayType(left.shape + right.shape, dims, _numeric(types))


def kronecker(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """Each element of one matrix times the other matrix."""
    left, right = types
    if len(left.shape) != 2 or len(right.shape) != 2:
        raise ModelError(f"kron takes two matrices, not values {left} and {right}.")
    shape = (left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])
    return ArrayType(shape, (None, None), _numeric(types))
