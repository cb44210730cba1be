"""Rules of simplification about numbers: literals, neutral elements, signs, powers of two."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from exmc.compile.primitives import FLOAT, PRIMITIVES
from exmc.compile.rule import (
    Apply,
    Operands,
    Rewriter,
    Static,
    is_number,
    literal_of,
    made_by,
    same_type,
    spread,
    uniform,
)


def fold_literals(primitive: str) -> Apply:
    def apply(builder: Rewriter, operands: Operands, static: Static) -> int | None:
        values = [literal_of(builder, o) for o in operands]
        if static or any(v is None for v in values):
            return None
        with np.errstate(all="ignore"):
            # As float64, not Python numbers, whose division by zero raises.
            result = PRIMITIVES[primitive].evaluate(*(np.asarray(v) for v in values))
        return builder.literal(np.asarray(result).item())

    return apply


def uniform_operands(primitive: str) -> Apply:
    """An elementwise function of uniform arrays is uniform; beside a full array, a uniform one is its scalar."""

    def apply(builder: Rewriter, operands: Operands, static: Static) -> int | None:
        scalars = tuple(uniform(builder, o) for o in operands)
        if scalars == operands:
            return None
        shape = PRIMITIVES[primitive].infer(tuple(builder.types[o] for o in operands), static).shape
        if all(builder.types[s].shape == () for s in scalars):
            return spread(builder, builder.rewrite(primitive, scalars, static), shape)
        kept = PRIMITIVES[primitive].infer(tuple(builder.types[s] for s in scalars), static).shape
        return builder.rewrite(primitive, scalars, static) if kept == shape else None

    return apply


def neutral(number: float, left: bool, right: bool) -> Callable[[str], Apply]:
    """x with a neutral element on either side is x."""

    def make(primitive: str) -> Apply:
        def apply(builder: Rewriter, operands: Operands, static: Static) -> int | None:
            a, b = operands
            if right and is_number(builder, b, number) and same_type(builder, a, operands, primitive, static):
                return a
            if left and is_number(builder, a, number) and same_type(builder, b, operands, primitive, static):
                return b
            return None

        return apply

    return make


def minus_one(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    for one, other in (operands, operands[::-1]):
        floating = builder.types[other].dtype == FLOAT
        if floating and is_number(builder, one, -1.0) and same_type(builder, other, operands, "multiply", static):
            return builder.rewrite("negative", (other,), {})
    return None


def power_of_two(builder: Rewriter, value: int) -> float | None:
    literal = literal_of(builder, uniform(builder, value))
    if not isinstance(literal, float) or literal == 0.0 or not math.isfinite(literal):
        return None
    return literal if abs(math.frexp(literal)[0]) == 0.5 else None


def powers_of_two(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """c1 * (c2 * x) for powers of two is one product: neither rounds, unless it leaves the range of floats."""
    for one, other in (operands, operands[::-1]):
        outer, inner = power_of_two(builder, one), made_by(builder, other, "multiply")
        if outer is None or inner is None or not same_type(builder, other, operands, "multiply", static):
            continue
        for first, second in (inner, inner[::-1]):
            factor = power_of_two(builder, first)
            if factor is not None and builder.types[second] == builder.types[other]:
                return builder.rewrite("multiply", (builder.literal(outer * factor), second), {})
    return None


def power_outwards(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """The power of two in a product's operand is a factor of the result."""
    kind = PRIMITIVES["multiply"].infer(tuple(builder.types[o] for o in operands), static)
    for one, other in (operands, operands[::-1]):
        inner = made_by(builder, other, "multiply")
        if inner is None or kind.dtype != FLOAT or literal_of(builder, uniform(builder, one)) is not None:
            continue
        for first, second in (inner, inner[::-1]):
            factor = power_of_two(builder, first)
            if factor is not None and builder.types[second] == builder.types[other]:
                product = builder.rewrite("multiply", (one, second), {})
                return builder.rewrite("multiply", (builder.literal(factor), product), {})
    return None


def sign_outwards(primitive: str) -> Apply:
    """The sign of a product or quotient's operand is that of the result."""

    def apply(builder: Rewriter, operands: Operands, static: Static) -> int | None:
        if PRIMITIVES[primitive].infer(tuple(builder.types[o] for o in operands), static).dtype != FLOAT:
            return None
        inner = [made_by(builder, o, "negative") for o in operands]
        if not any(inner) or not all(
            builder.types[o].dtype == FLOAT for o, i in zip(operands, inner, strict=True) if i
        ):
            return None
        plain = tuple(i[0] if i else o for o, i in zip(operands, inner, strict=True))
        result = builder.rewrite(primitive, plain, static)
        return result if all(inner) else builder.rewrite("negative", (result,), {})

    return apply


def double_negative(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    inner = made_by(builder, operands[0], "negative")
    return inner[0] if inner else None


def add_negative(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    a, b = operands
    if (inner := made_by(builder, b, "negative")) is not None:
        return builder.rewrite("subtract", (a, inner[0]), {})
    if (inner := made_by(builder, a, "negative")) is not None:
        return builder.rewrite("subtract", (b, inner[0]), {})
    return None


def subtract_negative(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    inner = made_by(builder, operands[1], "negative")
    return builder.rewrite("add", (operands[0], inner[0]), {}) if inner else None


def float_to_float(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    return operands[0] if builder.types[operands[0]].dtype == FLOAT else None
