"""Scans against loops written out, and the types of their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exmc.ir.expressions import Apply, Constant, Reference
from exmc.ir.loops import make_scan
from exmc.ir.operations import evaluate, infer_type
from exmc.ir.parse import parse_expression
from exmc.ir.types import ArrayType
from tests.ir.sequential import SERIES

TYPES = {
    "y": ArrayType((9,), ("time",)),
    "X": ArrayType((9, 2), ("time", "column")),
    "b": ArrayType((2,), ("column",)),
    "k": ArrayType((), (), "int"),
}
VALUES: dict[str, Any] = {"y": SERIES, "X": np.outer(SERIES, [1.0, 2.0]), "b": np.array([0.5, -0.3]), "k": 1}


def scan(carry: dict[str, str], sequences: dict[str, str], step: dict[str, str], **options: Any) -> Apply:
    read = ({key: parse_expression(text) for key, text in part.items()} for part in (carry, sequences, step))
    return make_scan(*read, **options)


def test_a_carry_means_its_value_before_the_step_and_a_definition_what_was_just_computed() -> None:
    """Fibonacci's numbers, and their sums of the values before the step."""
    expression = scan({"a": "0", "b": "1"}, {}, {"total": "a + b", "a": "b", "b": "total"}, output="total", length=6)
    np.testing.assert_array_equal(evaluate(expression, {}), [1, 2, 3, 5, 8, 13])
    after = scan({"a": "0", "b": "1"}, {}, {"a": "b", "b": "a + b"}, output="a", length=6)
    np.testing.assert_array_equal(evaluate(after, {}), [1, 1, 2, 3, 5, 8])


@pytest.mark.parametrize(
    ("collect", "expected"), [("steps", [1.0, 3.0, 6.0]), ("all", [0.0, 1.0, 3.0, 6.0]), ("last", 6.0)]
)
def test_what_is_collected(collect: Any, expected: Any) -> None:
    expression = scan({"s": "0"}, {"e": "v"}, {"s": "s + e"}, collect=collect)
    found = evaluate(expression, {"v": np.array([1, 2, 3])})
    np.testing.assert_array_equal(found, expected)
    assert infer_type(expression, {"v": ArrayType((3,), (None,), "int")}).shape == np.shape(expected)


def test_rows_of_a_matrix_and_elements_of_a_vector_together() -> None:
    expression = scan({"s": "0 * b"}, {"row": "X", "y": "y"}, {"s": "0.5 * s + row * b * y"})
    expected, carry = [], np.zeros(2)
    for row, y in zip(VALUES["X"], VALUES["y"], strict=True):
        carry = 0.5 * carry + row * VALUES["b"] * y
        expected.append(carry)
    np.testing.assert_allclose(evaluate(expression, VALUES), expected, rtol=1e-14)
    assert infer_type(expression, TYPES) == ArrayType((9, 2), ("time", "column"))


def test_types_keep_the_dim_that_is_run_along() -> None:
    step = {"s": "s + y"}
    assert infer_type(scan({"s": "0"}, {"y": "y"}, step), TYPES) == ArrayType((9,), ("time",))
    assert infer_type(scan({"s": "0"}, {"y": "y[1:]"}, step), TYPES) == ArrayType((8,), (None,))
    assert infer_type(scan({"s": "0"}, {"y": "y"}, step, collect="all"), TYPES) == ArrayType((10,), (None,))
    assert infer_type(scan({"s": "b"}, {"y": "y"}, step, collect="last"), TYPES) == ArrayType((2,), ("column",))


def test_whole_numbers_from_the_model_may_be_indices_inside() -> None:
    expression = make_scan(
        {"s": Constant(0.0)}, {"row": Reference("X")}, {"s": parse_expression("s + row[k]")}, collect="last"
    )
    assert evaluate(expression, VALUES) == pytest.approx(np.sum(VALUES["X"][:, 1]))
