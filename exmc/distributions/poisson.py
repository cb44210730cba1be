"""The Poisson distribution."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    Distribution,
    Parameter,
    inside,
    log_of_probability,
    masked,
    not_integer,
    valid,
)
from exmc.special import Array, gammainc, gammaincc, gammaln, select, xlogy
from exmc.transforms import NONNEGATIVE, NONNEGATIVE_INTEGER


def _log_density(value: Array, mu: Array) -> Array:
    outside = np.logical_or(value < 0, not_integer(value))
    count = inside(outside, value, 0.0)
    return masked(outside, valid(mu >= 0.0, xlogy(count, mu) - mu) - gammaln(count + 1.0))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array) -> NDArray[numpy.int64]:
    return numpy.asarray(generator.poisson(mu, size=shape), dtype=numpy.int64)


def _log_cdf(value: Array, mu: Array) -> Array:
    outside = value < 0
    events = np.floor(inside(outside, value, 0.0)) + 1.0
    return masked(outside, log_of_probability(gammaincc(events, mu), gammainc(events, mu)))


def _log_ccdf(value: Array, mu: Array) -> Array:
    below = value < 0
    events = np.floor(inside(below, value, 0.0)) + 1.0
    return select(below, 0.0, log_of_probability(gammainc(events, mu), gammaincc(events, mu)))


Poisson = Distribution(
    name="Poisson",
    parameters=(Parameter("mu", NONNEGATIVE),),
    support=NONNEGATIVE_INTEGER,
    transform="",
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
)
