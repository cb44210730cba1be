"""Expressions of data alone: whether one is, and its value."""

from __future__ import annotations

from typing import Any

import numpy as np

from exmc.ir.expressions import Expression, names_in
from exmc.ir.model import Model
from exmc.ir.operations import evaluate


def is_constant(expression: Expression, model: Model) -> bool:
    """Whether `expression` refers to data alone."""
    return all(name in model.data for name in names_in(expression))


def constant_value(expression: Expression, model: Model) -> Any:
    """The value of an expression of data alone; what is not defined becomes NaN or infinite in silence."""
    with np.errstate(all="ignore"):
        return evaluate(expression, {name: data.values for name, data in model.data.items()})
