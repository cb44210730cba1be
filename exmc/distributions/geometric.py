"""The geometric distribution of the number of trials up to the first success."""

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
    valid_probability,
)
from exmc.distributions.tails import lower_of, upper_of
from exmc.special import Array, log1mexp, xlog1py, xlogy
from exmc.transforms import POSITIVE_INTEGER, UNIT_INTERVAL


def _log_density(value: Array, p: Array) -> Array:
    outside = np.logical_or(value < 1, not_integer(value))
    failures = inside(outside, value, 1.0) - 1.0
    return masked(outside, valid_probability(p, xlog1py(failures, -p) + xlogy(1.0, p)))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], p: Array) -> NDArray[numpy.int64]:
    return numpy.asarray(generator.geometric(p, size=shape), dtype=numpy.int64)


def _tails(value: Array, p: Array) -> tuple[Array, Array]:
    below, above = value < 1, value == numpy.inf
    log_survival = xlog1py(np.floor(inside(np.logical_or(below, above), value, 1.0)), -valid_probability(p, p))
    return lower_tail(below, above, log1mexp(log_survival)), upper_tail(below, above, log_survival)


Geometric = Distribution(
    name="Geometric",
    parameters=(Parameter("p", UNIT_INTERVAL),),
    support=POSITIVE_INTEGER,
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
"""From 1 on, as in PyMC: the trial that succeeds counts. NumPyro's counts the failures, from 0 on; Stan has none."""
