"""The types of covariance functions of Gaussian processes, and of their Hilbert-space approximation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from exmc import hilbert
from exmc.errors import ModelError
from exmc.ir.rules import TypeRule
from exmc.ir.types import ArrayType


def between_points(function: Callable[..., Any], parameters: int) -> Callable[..., Any]:
    """``function(x, z, *parameters)``, z None, or the second operand if there is one more than the parameters need."""

    def evaluate(x: Any, *rest: Any) -> Any:
        z, given = (rest[0], rest[1:]) if len(rest) > parameters else (None, rest)
        return function(x, z, *given)

    return evaluate


def covariance(name: str, parameters: tuple[str, ...], of_coordinates: str) -> TypeRule:
    """A matrix over one set of points or between two; the parameter `of_coordinates` may have one number for each."""

    def infer(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
        split = len(types) - len(parameters)
        points, given = types[:split], types[split:]
        x, z = _checked_points(name, points[0]), _checked_points(name, points[-1])
        if x.shape[1:] != z.shape[1:]:
            raise ModelError(f"{name} cannot compare points {x} with points {z}.")
        for key, found in zip(parameters, given, strict=True):
            _check_parameter(name, key, found, x.shape[1:] if key == of_coordinates else ())
        rows, columns = x.dims[0], z.dims[0]
        # The second axis cannot have the same dim as the first.
        return ArrayType((x.shape[0], z.shape[0]), (rows, columns if columns != rows else None))

    return infer


def white_noise(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """A square matrix over points, of one scale or one for each."""
    x, scale = types
    _checked_points("white_noise", x)
    _check_parameter("white_noise", "scale", scale, x.shape[:1])
    return ArrayType(x.shape[:1] * 2, (x.dims[0], None))


def basis(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
    """One column a basis function."""
    x, boundary = types
    _checked_points("hsgp_basis", x)
    if boundary.shape != x.shape[1:]:
        wanted = f"{x.shape[1]} numbers, one for each coordinate" if x.shape[1:] else "one number"
        raise ModelError(f"hsgp_basis takes as the boundary of points {x} {wanted}, not {_said(boundary)}.")
    return ArrayType((x.shape[0], _functions("hsgp_basis", boundary, options)), (x.dims[0], None))


def scales(name: str) -> TypeRule:
    """The rule of the scales of coefficients: one a basis function."""

    def infer(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
        boundary, scale, length = types
        if len(boundary.shape) > 1:
            raise ModelError(f"{name} takes a number or a vector as boundary, not {_said(boundary)}.")
        _check_parameter(name, "scale", scale, ())
        _check_parameter(name, "length", length, boundary.shape)
        return ArrayType((_functions(name, boundary, options),), (None,))

    return infer


def _functions(name: str, boundary: ArrayType, options: dict[str, Any]) -> int:
    """How many basis functions the option ``m`` asks for."""
    m = options.get("m")
    numbers = hilbert.counts(m, boundary.size) if isinstance(m, int | tuple) else ()
    if len(numbers) != boundary.size or not all(isinstance(n, int) and n > 0 for n in numbers):
        raise ModelError(
            f"{name} needs m, the number of basis functions of each coordinate, not {m!r}.",
            remedy="Write m=20, or for two coordinates m=[20, 10].",
        )
    return math.prod(numbers)


def _checked_points(name: str, points: ArrayType) -> ArrayType:
    if len(points.shape) not in (1, 2) or 0 in points.shape:
        raise ModelError(
            f"{name} takes points of shape (n,) or (n, d), not {_said(points)}.",
            remedy=f"First come one or two sets of points, then the parameters: {name}(x, …) or {name}(x, z, …).",
        )
    return points


def _check_parameter(name: str, key: str, found: ArrayType, several: tuple[int, ...]) -> None:
    if found.shape not in ((), several):
        wanted = f"one number, or {several[0]} in a vector" if several else "one number"
        raise ModelError(f"{name} takes {wanted} as {key}, not {_said(found)}.")


def _said(found: ArrayType) -> str:
    return f"a value {found}" if found.shape else "a scalar"
