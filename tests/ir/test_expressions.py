"""Expressions built in Python: operators, what they refuse, and the walks over them."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest

from exmc.errors import ExpressionError
from exmc.ir.expressions import (
    Apply,
    Constant,
    Expression,
    Reference,
    Slice,
    apply,
    extent,
    names_in,
    ref,
    substitute,
    transform_bottom_up,
    walk,
)
from exmc.ir.operations import evaluate

X = ref("x")
BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.pow,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]


@pytest.mark.parametrize("function", BINARY)
@pytest.mark.parametrize("other", [3.0, 2, np.float64(0.5), np.array(2.0)])
def test_operators_mean_what_python_means_on_either_side(function: operator, other: float) -> None:
    values = {"x": np.array([0.5, 1.5, 3.0])}
    assert np.array_equal(evaluate(function(X, other), values), function(values["x"], other))
    assert np.array_equal(evaluate(function(other, X), values), function(other, values["x"]))


def test_unary_and_logical_operators() -> None:
    values = {"x": np.array([-1.0, 2.0])}
    assert np.array_equal(evaluate(-X, values), [1.0, -2.0])
    assert np.array_equal(evaluate(abs(X), values), [1.0, 2.0])
    assert +X is X
    assert np.array_equal(evaluate((X > 0) & ~(X > 3), values), [False, True])
    assert np.array_equal(evaluate((X > 0) | (X < 0), values), [True, True])
    matrix = ref("a")
    assert evaluate(matrix @ X, values | {"a": np.eye(2)}).tolist() == [-1.0, 2.0]


def test_arrays_do_not_swallow_expressions() -> None:
    with pytest.raises(ExpressionError, match="cannot stand in an expression"):
        np.array([1.0, 2.0]) + X


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**63, -(2**63)])
def test_numbers_that_cannot_be_stored_are_refused(value: float) -> None:
    with pytest.raises(ExpressionError):
        Constant(value)
    with pytest.raises(ExpressionError):
        X + value


@pytest.mark.parametrize("value", ["x", None, [1.0], np.array([1.0]), 1j])
def test_other_operands_are_refused(value: object) -> None:
    with pytest.raises(ExpressionError, match="cannot stand in an expression"):
        X + value


def test_index_keys() -> None:
    assert X[1, ::2, ref("i")] == Apply("index", (X, Constant(1), Slice(None, None, 2), ref("i")))
    for key in (1.5, ..., True, (), slice(0.5, None)):
        with pytest.raises(ExpressionError):
            X[key]


def test_truth_and_iteration_are_refused() -> None:
    with pytest.raises(ExpressionError, match="where"):
        bool(X > 0)
    with pytest.raises(ExpressionError, match="reduction"):
        list(X)


def test_names_in_order_of_appearance() -> None:
    expression = ref("b") * (ref("a") + ref("b")) - ref("c")[ref("i")]
    assert names_in(expression) == ["b", "a", "c", "i"]
    assert [type(e) for e in walk(-X)] == [Apply, Reference]


def test_substitute_replaces_references_only() -> None:
    replaced = substitute(X + ref("y"), {"x": ref("y") * 2.0})
    assert replaced == ref("y") * 2.0 + ref("y")


def test_a_change_between_equal_numbers_of_other_types_is_kept() -> None:
    """Constant(1) == Constant(1.0) in Python; the change must not get lost."""

    def to_float(part: Expression) -> Expression:
        return Constant(float(part.value)) if isinstance(part, Constant) else part

    changed = transform_bottom_up(X + 1, to_float)
    assert isinstance(changed, Apply)
    assert isinstance(changed.operands[1], Constant)
    assert type(changed.operands[1].value) is float


def test_unchanged_expressions_are_the_same_object() -> None:
    expression = X + 1
    assert transform_bottom_up(expression, lambda e: e) is expression


def test_extent_counts_levels_and_parts_and_stops_at_the_limits() -> None:
    assert extent(X + 1, 100, 100) == (2, 3)
    deep: Expression = X
    for _ in range(5000):
        deep = apply("negative", deep)
    assert extent(deep, 50, 10**6)[0] == 51
    wide: Expression = X
    for _ in range(60):
        wide = wide + wide
    assert extent(wide, 100, 1000)[1] == 1001


def test_a_comparison_of_trees_is_not_taken_for_one_of_values() -> None:
    """`==` on expressions compares the trees, so that these would have a constant 0 or 1 in them."""
    for wrong in (lambda: X * (X == 2), lambda: apply("exp", X != 1), lambda: X + np.True_):
        with pytest.raises(ExpressionError, match=r"exmc\.math\.equal"):
            wrong()


def test_options_that_mean_the_same_are_the_same() -> None:
    x = ref("x")
    assert apply("sum", x, axis=None) == apply("sum", x)
    assert repr(apply("sum", x, axis=True)) == repr(apply("sum", x, axis=1)) == repr(apply("sum", x, axis=np.int64(1)))


def test_operators_of_whole_numbers_and_the_transpose() -> None:
    x = ref("x")
    assert (x // 2, 7 // x) == (apply("floor_divide", x, 2), apply("floor_divide", 7, x))
    assert (x % 2, 7 % x) == (apply("mod", x, 2), apply("mod", 7, x))
    assert apply("transpose", x) == x.T
