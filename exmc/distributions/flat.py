"""The improper flat distributions: on the line, on the half line, and between bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Form, Parameter, masked
from exmc.distributions.bounded import bounded_form
from exmc.errors import ModelError
from exmc.special import Array
from exmc.transforms import NONNEGATIVE, REAL


def _no_draws(name: str) -> ModelError:
    return ModelError(
        f"{name} is improper: it has no draws.",
        remedy="Give the variable a proper prior, or condition on it, to simulate from this model.",
    )


def _flat_form(parts: Mapping[str, Any]) -> Form:
    return bounded_form(False, "lower" in parts, "upper" in parts)


def _flat_limits(lower: Array | None = None, upper: Array | None = None) -> tuple[Array, ...]:
    return tuple(bound for bound in (lower, upper) if bound is not None)


def _flat_log_density(value: Array, lower: Array | None = None, upper: Array | None = None) -> Array:
    density = np.zeros(np.shape(value))
    density = density if lower is None else masked(value < lower, density)
    return density if upper is None else masked(value > upper, density)


def _flat_draw(generator: numpy.random.Generator, shape: tuple[int, ...], **bounds: Array) -> NDArray[numpy.float64]:
    raise _no_draws("Flat")


def _half_flat_log_density(value: Array) -> Array:
    return masked(value < 0.0, np.zeros(np.shape(value)))


def _half_flat_draw(generator: numpy.random.Generator, shape: tuple[int, ...]) -> NDArray[numpy.float64]:
    raise _no_draws("HalfFlat")


# A density of 1 between the bounds, whatever they are: Stan's declaration with limits and no prior.
Flat = Distribution(
    name="Flat",
    parameters=(Parameter("lower", optional=True), Parameter("upper", optional=True)),
    support=REAL,
    transform="identity",
    log_density=_flat_log_density,
    draw=_flat_draw,
    form=_flat_form,
    limits=_flat_limits,
)

HalfFlat = Distribution(
    name="HalfFlat",
    parameters=(),
    support=NONNEGATIVE,
    transform="log",
    log_density=_half_flat_log_density,
    draw=_half_flat_draw,
)
