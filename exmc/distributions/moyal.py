"""The Moyal distribution, which approximates Landau's."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import HALF_LOG_TWO_PI, LOG_TWO, Distribution, Parameter, log_of_probability
from exmc.distributions.stable import exp_or_infinity
from exmc.special import Array, erf, erfc, log_ndtr, select
from exmc.transforms import POSITIVE, REAL

_INV_SQRT_TWO = 0.7071067811865476
_FAR = 40.0


def _log_density(value: Array, mu: Array, sigma: Array) -> Array:
    z = (value - mu) / sigma
    return -0.5 * (z + exp_or_infinity(-z)) - np.log(sigma) - HALF_LOG_TWO_PI


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array) -> NDArray[numpy.float64]:
    # exp(-z) is the square of a standard normal variable.
    return numpy.asarray(mu - 2.0 * sigma * numpy.log(numpy.abs(generator.standard_normal(size=shape))))


def _log_cdf(value: Array, mu: Array, sigma: Array) -> Array:
    s = exp_or_infinity(0.5 * (mu - value) / sigma)
    near = s < 1.0
    close = np.log1p(-erf(select(near, s, 0.0) * _INV_SQRT_TWO))
    return select(near, close, LOG_TWO + log_ndtr(-s))


def _log_ccdf(value: Array, mu: Array, sigma: Array) -> Array:
    half = 0.5 * (mu - value) / sigma
    # erf(x) is 2 x / sqrt(pi) where exp would go on to underflow.
    far = half < -_FAR
    x = exp_or_infinity(select(far, 0.0, half)) * _INV_SQRT_TWO
    return select(far, half + LOG_TWO - HALF_LOG_TWO_PI, log_of_probability(erf(x), erfc(x)))


Moyal = Distribution(
    name="Moyal",
    parameters=(Parameter("mu", default=0.0), Parameter("sigma", POSITIVE, default=1.0)),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
    location_scale=("mu", "sigma"),
)
"""Names as in PyMC; Stan and NumPyro have none."""
