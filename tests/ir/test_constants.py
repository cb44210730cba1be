"""Expressions of data alone."""

from __future__ import annotations

import numpy as np

from exmc.ir.builder import Builder
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.parse import parse_expression


def test_of_data_alone() -> None:
    model = Builder().data("x", [1.0, 0.0]).rv("m", "Normal").rv("y", "Normal", observed="x").build()
    assert [is_constant(parse_expression(t), model) for t in ("2", "x + 1", "x + m", "y")] == [True, True, False, False]


def test_undefined_values_are_silent() -> None:
    model = Builder().data("x", [1.0, 0.0]).build()
    assert np.array_equal(constant_value(parse_expression("log(x) / x"), model), [0.0, -np.inf])
