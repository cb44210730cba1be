"""Arithmetic without neutral elements, and what is known to be positive."""

from __future__ import annotations

import pytest

from exmc.ir.builder import Builder
from exmc.ir.expressions import Constant, Expression, apply, ref
from exmc.ir.parse import parse_expression
from exmc.rewrite.algebra import ONE, ZERO, is_positive, magnitude, minus, negated, over, plus, times

X = ref("x")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (plus(ZERO, X), X),
        (plus(X, Constant(0)), X),
        (plus(X, X), X + X),
        (minus(X, ZERO), X),
        (minus(ZERO, X), 0.0 - X),
        (times(ONE, X), X),
        (times(X, Constant(1)), X),
        (times(ZERO, X), 0.0 * X),
        (over(X, ONE), X),
        (over(ONE, X), 1.0 / X),
        (negated(Constant(2.0)), Constant(-2.0)),
        (negated(X), -X),
    ],
)
def test_only_neutral_elements_are_left_out(made: Expression, expected: Expression) -> None:
    """0 * x stays: it is NaN where x is infinite."""
    assert made == expected


MODEL = (
    Builder()
    .data("p", [1.0, 2.0])
    .data("n", [1.0, 0.0])
    .data("i", [0, 1])
    .rv("s", "HalfNormal")
    .rv("u", "Beta", alpha=1.0, beta=1.0)
    .rv("x", "Normal")
    .rv("q", "Uniform", low=1.0, high=2.0)
    .rv("v", "Gamma", alpha=1.0, beta=1.0, shape=2)
    .det("d", "s * u")
    .det("e", "x + s")
    .build()
)


@pytest.mark.parametrize(
    "text", ["2.0", "p", "s", "u", "d", "exp(x)", "s + u", "p / s", "sqrt(s)", "s**x", "v[i]", "sum(v)"]
)
def test_known_to_be_positive(text: str) -> None:
    expression = parse_expression(text)
    assert is_positive(expression, MODEL)
    assert magnitude(expression, MODEL) == expression


@pytest.mark.parametrize("text", ["0.0", "-2", "n", "x", "e", "q", "s - u", "-s", "x * s", "x**s", "log(s)"])
def test_not_known_to_be_positive(text: str) -> None:
    expression = parse_expression(text)
    assert not is_positive(expression, MODEL)
    assert magnitude(expression, MODEL) == apply("abs", expression)
