"""What rounding changes in the steps of a solver: the scale of agreement for differential equations.

A step's length follows from an estimate of its error, the difference of two solutions that agree to about the
tolerance. Rounding the solutions by UNIT changes the estimate by UNIT / tolerance of itself, as a change of the
tolerance by that part does. What such a change does to the density is measured: with other tolerances, close by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exmc.compile.program import compile_model
from exmc.ir.loops import OdeBody, loop_body
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic
from exmc.rewrite.run import rewrite
from tests.conformance.rounding import UNIT

FloatArray = NDArray[np.float64]

_CHANGES = (-3e-4, -2e-4, -1e-4, 1e-4, 2e-4, 3e-4)


def tolerances(model: Model) -> list[float]:
    """The relative tolerance of each differential equation of a model."""
    bodies = [loop_body(n.expression) for n in model.nodes if isinstance(n, Deterministic)]
    return [body.relative_tolerance for body in bodies if isinstance(body, OdeBody)]


def step_spread(model: Model, cache: Path) -> Callable[[FloatArray], tuple[float, float]]:
    """For value and gradient at a position, what one unit of rounding in the error estimates changes; 0 without any."""
    if not (found := tolerances(model)):
        return lambda position: (0.0, 0.0)
    part = UNIT / min(found)
    nearby = [_density(_scaled(model, 1.0 + change), cache) for change in (0.0, *_CHANGES)]

    def spread(position: FloatArray) -> tuple[float, float]:
        (value, gradient), *others = [density(position) for density in nearby]
        slopes = [
            (abs(v - value) / abs(change), float(np.linalg.norm(g - gradient)) / abs(change))
            for change, (v, g) in zip(_CHANGES, others, strict=True)
        ]
        by_value, by_gradient = np.sqrt(np.mean(np.square(slopes), axis=0))
        return part * float(by_value), part * float(by_gradient)

    return spread


def _density(model: Model, cache: Path) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    return compile_model(model, rewrite(model).model, cache=cache).density()


def _scaled(model: Model, factor: float) -> Model:
    """The same model with all tolerances multiplied."""
    return replace(model, nodes=tuple(_scaled_node(node, factor) for node in model.nodes))


def _scaled_node(node: object, factor: float) -> object:
    body = loop_body(node.expression) if isinstance(node, Deterministic) else None
    if not isinstance(body, OdeBody):
        return node
    body = replace(
        body,
        relative_tolerance=factor * body.relative_tolerance,
        absolute_tolerance=factor * body.absolute_tolerance,
    )
    options = tuple((key, body if key == "body" else value) for key, value in node.expression.options)
    return replace(node, expression=replace(node.expression, options=options))
