"""The von Mises distribution of an angle."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import LOG_PI, LOG_TWO, Distribution, Parameter, inside, masked, valid
from exmc.distributions.stable import log_i0e
from exmc.special import Array
from exmc.transforms import ANGLE, POSITIVE


def _log_density(value: Array, mu: Array, kappa: Array) -> Array:
    outside = np.logical_or(value < -numpy.pi, value > numpy.pi)
    half = np.sin(0.5 * (inside(outside, value, 0.0) - mu))
    # cos(x) - 1 without its cancellation at 0
    height = -2.0 * kappa * half * half
    return masked(outside, valid(kappa > 0.0, height - LOG_TWO - LOG_PI - log_i0e(kappa)))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, kappa: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.vonmises(mu, kappa, size=shape))


VonMises = Distribution(
    name="VonMises",
    parameters=(Parameter("mu", default=0.0), Parameter("kappa", POSITIVE)),
    support=ANGLE,
    transform="angular",
    log_density=_log_density,
    draw=_draw,
)
"""Names as in PyMC and Stan; NumPyro says loc and concentration.

The density is that on [-pi, pi], which no chain leaves on one side to come back on the other: measure a free angle from
where it hardly is. It has no log_cdf: an angle has no lowest value.
"""
