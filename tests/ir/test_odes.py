"""Differential equations as expressions: values in closed form, and types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exmc.ir.expressions import Apply
from exmc.ir.loops import make_ode
from exmc.ir.operations import evaluate, infer_type
from exmc.ir.parse import parse_expression
from exmc.ir.types import ArrayType

TIMES = np.array([0.5, 1.0, 3.0])
TYPES = {"ts": ArrayType((3,), ("year",)), "a": ArrayType(), "w": ArrayType((2,), ("species",))}
VALUES: dict[str, Any] = {"ts": TIMES, "a": 0.7, "w": np.array([1.0, -2.0])}


def ode(state: dict[str, str], derivative: dict[str, str], **options: Any) -> Apply:
    read = ({key: parse_expression(text) for key, text in part.items()} for part in (state, derivative))
    start = parse_expression(options.pop("start", "0"))
    tolerances = {"relative_tolerance": 1e-9, "absolute_tolerance": 1e-9}
    return make_ode(*read, parse_expression("ts"), start, **(tolerances | options))


@pytest.mark.parametrize("method", ["dormand_prince", "rodas"])
def test_several_states_are_columns(method: str) -> None:
    expression = ode(
        {"x": "1", "w": "w", "v": "0"}, {"fall": "-a * w", "x": "a * v", "v": "-a * x", "w": "fall"}, method=method
    )
    turned = 0.7 * TIMES
    decayed = np.exp(-turned)[:, None] * VALUES["w"]
    expected = np.column_stack([np.cos(turned), decayed, -np.sin(turned)])
    np.testing.assert_allclose(evaluate(expression, VALUES), expected, atol=1e-7)
    assert infer_type(expression, TYPES) == ArrayType((3, 4), ("year", None))


@pytest.mark.parametrize("method", ["dormand_prince", "rodas"])
def test_one_state_keeps_its_shape_and_time_its_name(method: str) -> None:
    expression = ode({"w": "w"}, {"w": "a * w * clock"}, time="clock", start="-1 + 1", method=method)
    expected = np.exp(0.35 * TIMES**2)[:, None] * VALUES["w"]
    np.testing.assert_allclose(evaluate(expression, VALUES), expected, rtol=1e-6)
    assert infer_type(expression, TYPES) == ArrayType((3, 2), ("year", "species"))


def test_without_a_solution_there_are_no_numbers() -> None:
    found = evaluate(ode({"x": "1"}, {"x": "x**2"}, max_steps=200), VALUES)
    np.testing.assert_array_equal(np.isnan(found), [False, True, True])
