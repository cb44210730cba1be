"""The improper flat distributions on the line and the half line."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, masked
from exmc.errors import ModelError
from exmc.special import Array
from exmc.transforms import NONNEGATIVE, REAL


def _no_draws(name: str) -> ModelError:
    return ModelError(
        f"{name} is improper: it has no draws.",
        remedy="Give the variable a proper prior, or condition on it, to simulate from this model.",
    )


def _flat_log_density(value: Array) -> Array:
    return np.zeros(np.shape(value))


def _flat_draw(generator: numpy.random.Generator, shape: tuple[int, ...]) -> NDArray[numpy.float64]:
    raise _no_draws("Flat")


def _half_flat_log_density(value: Array) -> Array:
    return masked(value < 0.0, np.zeros(np.shape(value)))


def _half_flat_draw(generator: numpy.random.Generator, shape: tuple[int, ...]) -> NDArray[numpy.float64]:
    raise _no_draws("HalfFlat")


Flat = Distribution(
    name="Flat",
    parameters=(),
    support=REAL,
    transform="identity",
    log_density=_flat_log_density,
    draw=_flat_draw,
)

HalfFlat = Distribution(
    name="HalfFlat",
    parameters=(),
    support=NONNEGATIVE,
    transform="log",
    log_density=_half_flat_log_density,
    draw=_half_flat_draw,
)
