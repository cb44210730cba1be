"""The Poisson distribution."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    Distribution,
    Parameter,
    inside,
    lower_tail,
    masked,
    not_integer,
    upper_tail,
    valid,
)
from exmc.distributions.stable import log_gamma_density
from exmc.distributions.tails import log_gamma_tails, lower_of, upper_of
from exmc.special import Array, select
from exmc.transforms import NONNEGATIVE, NONNEGATIVE_INTEGER


def _log_density(value: Array, mu: Array) -> Array:
    outside = np.logical_or(value < 0, not_integer(value))
    count = inside(outside, value, 0.0)
    # As a function of mu this is a gamma density. At 0 it is the exponential alone, in which nothing cancels.
    density = select(count <= 0.0, -mu, log_gamma_density(mu, count + 1.0, 1.0))
    return masked(outside, valid(mu >= 0.0, density))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array) -> NDArray[numpy.int64]:
    return numpy.asarray(generator.poisson(mu, size=shape), dtype=numpy.int64)


def _tails(value: Array, mu: Array) -> tuple[Array, Array]:
    below, certain = value < 0, np.logical_or(np.logical_and(value >= 0, mu == 0.0), value == numpy.inf)
    outside = np.logical_or(below, certain)
    events = np.floor(inside(outside, value, 0.0)) + 1.0
    upper, lower = log_gamma_tails(inside(np.equal(mu, 0.0), mu, 1.0), events)
    return lower_tail(below, certain, lower), upper_tail(below, certain, upper)


Poisson = Distribution(
    name="Poisson",
    parameters=(Parameter("mu", NONNEGATIVE),),
    support=NONNEGATIVE_INTEGER,
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
