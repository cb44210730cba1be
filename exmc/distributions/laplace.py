"""The Laplace (double exponential) distribution."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import LOG_TWO, Distribution, Parameter
from exmc.special import Array, select
from exmc.transforms import POSITIVE, REAL


def _log_density(value: Array, mu: Array, b: Array) -> Array:
    return -LOG_TWO - np.log(b) - np.abs((value - mu) / b)


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, b: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.laplace(mu, b, size=shape))


def _log_cdf(value: Array, mu: Array, b: Array) -> Array:
    z = (value - mu) / b
    right = z > 0.0
    tail = -select(right, z, -z)
    return select(right, np.log1p(-0.5 * np.exp(tail)), tail - LOG_TWO)


def _log_ccdf(value: Array, mu: Array, b: Array) -> Array:
    return _log_cdf(-value, -mu, b)


Laplace = Distribution(
    name="Laplace",
    parameters=(Parameter("mu", default=0.0), Parameter("b", POSITIVE, default=1.0)),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
    location_scale=("mu", "b"),
    symmetric=True,
)
