"""The logistic distribution, whole and folded at zero."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import LOG_TWO, Distribution, Parameter, inside, lower_tail, masked, upper_tail
from exmc.special import Array, log1mexp, log_expit, select, softplus
from exmc.transforms import NONNEGATIVE, POSITIVE, REAL


def _standard(z: Array) -> Array:
    return -softplus(z) - softplus(-z)


def _logistic_log_density(value: Array, mu: Array, s: Array) -> Array:
    return _standard((value - mu) / s) - np.log(s)


def _logistic_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, s: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.logistic(mu, s, size=shape))


def _logistic_log_cdf(value: Array, mu: Array, s: Array) -> Array:
    return log_expit((value - mu) / s)


def _logistic_log_ccdf(value: Array, mu: Array, s: Array) -> Array:
    return log_expit((mu - value) / s)


def _half_logistic_log_density(value: Array, s: Array) -> Array:
    outside = value < 0.0
    return masked(outside, LOG_TWO + _standard(inside(outside, value, 1.0) / s) - np.log(s))


def _half_logistic_draw(generator: numpy.random.Generator, shape: tuple[int, ...], s: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(numpy.abs(generator.logistic(0.0, s, size=shape)))


def _half_logistic_log_cdf(value: Array, s: Array) -> Array:
    below, above = value <= 0.0, value == numpy.inf
    z = inside(np.logical_or(below, above), value, 1.0) / s
    # tanh(z / 2) = (1 - exp(-z)) / (1 + exp(-z))
    return lower_tail(below, above, log1mexp(-z) - softplus(-z))


def _half_logistic_log_ccdf(value: Array, s: Array) -> Array:
    below, above = value <= 0.0, value == numpy.inf
    z = inside(np.logical_or(below, above), value, 1.0) / s
    near = z < 1.0
    close = np.log1p(-np.tanh(0.5 * select(near, z, 0.0)))
    return upper_tail(below, above, select(near, close, LOG_TWO - softplus(z)))


Logistic = Distribution(
    name="Logistic",
    parameters=(Parameter("mu", default=0.0), Parameter("s", POSITIVE, default=1.0)),
    support=REAL,
    transform="identity",
    log_density=_logistic_log_density,
    draw=_logistic_draw,
    log_cdf=_logistic_log_cdf,
    log_ccdf=_logistic_log_ccdf,
    location_scale=("mu", "s"),
    symmetric=True,
)
"""Names as in PyMC; Stan says mu and sigma, NumPyro loc and scale."""

HalfLogistic = Distribution(
    name="HalfLogistic",
    parameters=(Parameter("s", POSITIVE, default=1.0),),
    support=NONNEGATIVE,
    transform="log",
    log_density=_half_logistic_log_density,
    draw=_half_logistic_draw,
    log_cdf=_half_logistic_log_cdf,
    log_ccdf=_half_logistic_log_ccdf,
)
"""``|X|`` of a logistic X about zero, with the scale named as there; PyMC, Stan and NumPyro have none."""
