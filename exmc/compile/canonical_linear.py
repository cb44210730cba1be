"""What the functions of matrices mean in primitives: factors, and solutions with them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import autograd.numpy as anp
import numpy as np

from exmc import graphs, linalg
from exmc.compile.arguments import Rule, Unsupported, operand
from exmc.compile.primitives import Array
from exmc.compile.tape import TapeBuilder


def _matrix(builder: TapeBuilder, argument: Any) -> int:
    value = builder.apply("to_float", operand(builder, argument))
    shape = builder.types[value].shape
    if len(shape) < 2 or shape[-2] != shape[-1]:
        raise Unsupported
    return value


def _factor(primitive: str) -> Rule:
    return lambda builder, matrix: builder.apply(primitive, _matrix(builder, matrix))


def _side(builder: TapeBuilder, right: Any) -> int:
    return builder.apply("to_float", operand(builder, right))


def _solved(builder: TapeBuilder, primitive: str, factors: int, side: int, transposed: bool) -> int:
    """The solutions for right-hand sides that may have other leading axes than the factors."""
    shapes = [builder.types[v].shape for v in (factors, side)]
    own = linalg.side_axes(*map(len, shapes))
    lead = np.broadcast_shapes(shapes[0][:-2], shapes[1][: len(shapes[1]) - own])
    factors = _broadcast(builder, factors, lead + shapes[0][-2:])
    side = _broadcast(builder, side, lead + shapes[1][-own:])
    return builder.apply(primitive, factors, side, transposed=transposed)


def _broadcast(builder: TapeBuilder, value: int, shape: tuple[int, ...]) -> int:
    return value if builder.types[value].shape == shape else builder.apply("broadcast", value, shape=shape)


def _solve_triangular(builder: TapeBuilder, lower: Any, right: Any, transposed: bool = False) -> int:
    return _solved(builder, "substitute", _matrix(builder, lower), _side(builder, right), bool(transposed))


def _solve_posdef(builder: TapeBuilder, matrix: Any, right: Any) -> int:
    lower = builder.apply("cholesky", _matrix(builder, matrix))
    half = _solved(builder, "substitute", lower, _side(builder, right), False)
    return _solved(builder, "substitute", lower, half, True)


def _squared_norm(builder: TapeBuilder, matrix: Any, right: Any) -> int:
    square, side = _matrix(builder, matrix), _side(builder, right)
    own = linalg.side_axes(*(len(builder.types[v].shape) for v in (square, side)))
    half = _solved(builder, "substitute", builder.apply("cholesky", square), side, False)
    rank = len(builder.types[half].shape)
    return builder.apply("sum", builder.apply("multiply", half, half), axes=(rank - own,))


def _solve(builder: TapeBuilder, matrix: Any, right: Any, transposed: bool = False) -> int:
    factors = builder.apply("lu_factor", _matrix(builder, matrix))
    return _solved(builder, "lu_solve", factors, _side(builder, right), bool(transposed))


def _inverse(builder: TapeBuilder, matrix: Any) -> int:
    value = _matrix(builder, matrix)
    shape = builder.types[value].shape
    identity = _broadcast(builder, builder.constant(_eye(shape[-1])), shape)
    return _solved(builder, "lu_solve", builder.apply("lu_factor", value), identity, False)


def _diagonal(builder: TapeBuilder, factors: int) -> int:
    """The diagonals of factors of shape (..., rows, n), shape (..., n)."""
    *lead, rows, size = builder.types[factors].shape
    flat = builder.apply("reshape", factors, shape=(*lead, rows * size))
    bounds = (*((0, n, 1) for n in lead), (0, size, size + 1))
    return builder.apply("slice", flat, bounds=bounds)


def _sum_of_logarithms(builder: TapeBuilder, diagonal: int) -> int:
    logarithm = builder.apply("log", diagonal)
    return builder.apply("sum", logarithm, axes=(len(builder.types[logarithm].shape) - 1,))


def _logdet(builder: TapeBuilder, matrix: Any) -> int:
    diagonal = _diagonal(builder, builder.apply("cholesky", _matrix(builder, matrix)))
    return builder.apply("multiply", builder.literal(2.0), _sum_of_logarithms(builder, diagonal))


def _logabsdet(builder: TapeBuilder, matrix: Any) -> int:
    diagonal = _diagonal(builder, builder.apply("lu_factor", _matrix(builder, matrix)))
    return _sum_of_logarithms(builder, builder.apply("absolute", diagonal))


def _determinant_sign(builder: TapeBuilder, matrix: Any) -> int:
    factors = builder.apply("lu_factor", _matrix(builder, matrix))
    signs = builder.apply("sign", _diagonal(builder, factors))
    *lead, rows, size = builder.types[factors].shape
    bounds = (*((0, n, 1) for n in lead), (rows - 1, 1, 1), (0, size, 1))
    swaps = builder.apply("reshape", builder.apply("slice", factors, bounds=bounds), shape=(*lead, size))
    own = builder.constant(_numbers(size))
    swapped = builder.apply("not_equal", swaps, own)
    factor = builder.apply("where", swapped, builder.apply("negative", signs), signs)
    return builder.apply("prod", factor, axes=(len(lead),))


@functools.lru_cache(64)
def _eye(size: int) -> Array:
    # The same array each time, which the tape therefore holds once.
    return np.eye(size)


@functools.lru_cache(64)
def _numbers(size: int) -> Array:
    return np.arange(float(size))


LINEAR_RULES: Mapping[Any, Rule] = MappingProxyType(
    {
        linalg.cholesky: _factor("cholesky"),
        # numpy's raises while it is recorded, if at all; machine code never does.
        anp.linalg.cholesky: _factor("cholesky"),
        linalg.solve_triangular: _solve_triangular,
        linalg.solve_posdef: _solve_posdef,
        linalg.squared_norm: _squared_norm,
        linalg.logdet: _logdet,
        linalg.inverse_posdef: lambda builder, matrix: builder.apply(
            "inverse_from_factor", builder.apply("cholesky", _matrix(builder, matrix))
        ),
        graphs.adjacency: lambda builder, first, second, size: builder.apply(
            "adjacency", operand(builder, first), operand(builder, second), size=int(size)
        ),
        graphs.eigenvalues: _factor("eigenvalues"),
        graphs.eigenvectors: _factor("eigenvectors"),
        linalg.solve: _solve,
        linalg.inverse: _inverse,
        linalg.logabsdet: _logabsdet,
        linalg.determinant_sign: _determinant_sign,
    }
)
"""By autograd function."""
