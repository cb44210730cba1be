"""The Weibull and Rayleigh distributions, powers of an exponential one."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import LOG_TWO, Distribution, Parameter, inside, lower_tail, masked, upper_tail
from exmc.distributions.stable import exp_or_infinity, log1mexp_exp, log_ratio
from exmc.special import Array, select, xlogy
from exmc.transforms import NONNEGATIVE, POSITIVE


def _weibull_log_density(value: Array, alpha: Array, beta: Array) -> Array:
    outside = np.logical_or(value < 0.0, value == numpy.inf)
    within = inside(outside, value, 1.0)
    edge = within <= 0.0
    ratio = log_ratio(inside(edge, within, 1.0), beta)
    # The slope of log(x) is infinite on the edge, and is to reach x alone.
    power_at_edge = xlogy(alpha - 1.0, inside(np.logical_not(edge), within, 1.0)) - (alpha - 1.0) * np.log(beta)
    powers = select(edge, power_at_edge, (alpha - 1.0) * ratio - exp_or_infinity(alpha * ratio))
    return masked(outside, np.log(alpha) - np.log(beta) + powers)


def _weibull_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    # A small shape has draws beyond the largest float.
    with numpy.errstate(over="ignore"):
        return numpy.asarray(beta * generator.weibull(alpha, size=shape))


def _weibull_log_hazard(value: Array, alpha: Array, beta: Array) -> tuple[Array, Array, Array]:
    """Where `value` is below and above the support, and the log of minus the log of its survival."""
    below, above = value <= 0.0, value == numpy.inf
    return below, above, alpha * log_ratio(inside(np.logical_or(below, above), value, 1.0), beta)


def _weibull_log_cdf(value: Array, alpha: Array, beta: Array) -> Array:
    below, above, log_hazard = _weibull_log_hazard(value, alpha, beta)
    return lower_tail(below, above, log1mexp_exp(log_hazard))


def _weibull_log_ccdf(value: Array, alpha: Array, beta: Array) -> Array:
    below, above, log_hazard = _weibull_log_hazard(value, alpha, beta)
    return upper_tail(below, above, -exp_or_infinity(log_hazard))


def _rayleigh_log_density(value: Array, sigma: Array) -> Array:
    outside = np.logical_or(value < 0.0, value == numpy.inf)
    within = inside(outside, value, 1.0)
    z = within / sigma
    return masked(outside, xlogy(1.0, within) - 2.0 * np.log(sigma) - 0.5 * z * z)


def _rayleigh_draw(generator: numpy.random.Generator, shape: tuple[int, ...], sigma: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.rayleigh(sigma, size=shape))


def _rayleigh_log_cdf(value: Array, sigma: Array) -> Array:
    below, above = value <= 0.0, value == numpy.inf
    within = inside(np.logical_or(below, above), value, 1.0)
    return lower_tail(below, above, log1mexp_exp(2.0 * (np.log(within) - np.log(sigma)) - LOG_TWO))


def _rayleigh_log_ccdf(value: Array, sigma: Array) -> Array:
    below, above = value <= 0.0, value == numpy.inf
    z = inside(np.logical_or(below, above), value, 1.0) / sigma
    return upper_tail(below, above, -0.5 * z * z)


Weibull = Distribution(
    name="Weibull",
    parameters=(Parameter("alpha", POSITIVE), Parameter("beta", POSITIVE)),
    support=NONNEGATIVE,
    transform="log",
    log_density=_weibull_log_density,
    draw=_weibull_draw,
    log_cdf=_weibull_log_cdf,
    log_ccdf=_weibull_log_ccdf,
)
"""Shape `alpha` and scale `beta`, as in PyMC; Stan says alpha and sigma, NumPyro concentration and scale."""

Rayleigh = Distribution(
    name="Rayleigh",
    parameters=(Parameter("sigma", POSITIVE, default=1.0),),
    support=NONNEGATIVE,
    transform="log",
    log_density=_rayleigh_log_density,
    draw=_rayleigh_draw,
    log_cdf=_rayleigh_log_cdf,
    log_ccdf=_rayleigh_log_ccdf,
)
"""`sigma` as in Stan; NumPyro says scale, PyMC has none."""
