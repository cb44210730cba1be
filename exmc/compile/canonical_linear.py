"""What the functions of matrices mean in primitives: a factor, substitution, and an inverse."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import autograd.numpy as anp

from exmc import linalg
from exmc.compile.arguments import Rule, Unsupported, operand
from exmc.compile.tape import TapeBuilder


def _matrix(builder: TapeBuilder, argument: Any) -> int:
    value = builder.apply("to_float", operand(builder, argument))
    shape = builder.types[value].shape
    if len(shape) != 2 or shape[0] != shape[1]:
        raise Unsupported
    return value


def _cholesky(builder: TapeBuilder, matrix: Any) -> int:
    return builder.apply("cholesky", _matrix(builder, matrix))


def _substitute(builder: TapeBuilder, lower: int, right: int, transposed: bool) -> int:
    return builder.apply("substitute", lower, right, transposed=transposed)


def _solve_triangular(builder: TapeBuilder, lower: Any, right: Any, transposed: bool = False) -> int:
    value = builder.apply("to_float", operand(builder, right))
    return _substitute(builder, _matrix(builder, lower), value, bool(transposed))


def _solve_posdef(builder: TapeBuilder, matrix: Any, right: Any) -> int:
    lower = _cholesky(builder, matrix)
    value = builder.apply("to_float", operand(builder, right))
    return _substitute(builder, lower, _substitute(builder, lower, value, False), True)


def _logdet(builder: TapeBuilder, matrix: Any) -> int:
    lower = _cholesky(builder, matrix)
    size = builder.types[lower].shape[0]
    flat = builder.apply("reshape", lower, shape=(size * size,))
    diagonal = builder.apply("slice", flat, bounds=((0, size, size + 1),))
    total = builder.apply("sum", builder.apply("log", diagonal), axes=(0,))
    return builder.apply("multiply", builder.literal(2.0), total)


def _general_inverse(builder: TapeBuilder, matrix: Any) -> int:
    return builder.apply("inverse", _matrix(builder, matrix))


def _inverse(builder: TapeBuilder, matrix: Any) -> int:
    return builder.apply("inverse_from_factor", _cholesky(builder, matrix))


LINEAR_RULES: Mapping[Any, Rule] = MappingProxyType(
    {
        linalg.cholesky: _cholesky,
        # numpy's raises while it is recorded, if at all; machine code never does.
        anp.linalg.cholesky: _cholesky,
        linalg.solve_triangular: _solve_triangular,
        linalg.solve_posdef: _solve_posdef,
        linalg.logdet: _logdet,
        linalg.inverse_posdef: _inverse,
        linalg.inverse: _general_inverse,
    }
)
"""By autograd function."""
