"""The Kumaraswamy distribution on the unit interval."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, lower_tail, masked, upper_tail
from exmc.distributions.stable import log1mexp_exp
from exmc.special import Array, log1mexp, select, xlogy
from exmc.transforms import POSITIVE, UNIT_INTERVAL

_SMALL_EXPONENT = -40.0


def _log_density(value: Array, a: Array, b: Array) -> Array:
    outside = np.logical_or(value < 0.0, value > 1.0)
    within = inside(outside, value, 0.5)
    lowest, highest = within <= 0.0, within >= 1.0
    log_power = a * np.log(inside(np.logical_or(lowest, highest), within, 0.5))
    rest = select(lowest, 0.0, (b - 1.0) * log1mexp(log_power))
    # On the upper edge 1 - x**a is a (1 - x), whose logarithm's infinite slope is to reach x alone.
    at_one = xlogy(b - 1.0, 1.0 - inside(np.logical_not(highest), within, 0.5)) + (b - 1.0) * np.log(a)
    return masked(outside, np.log(a) + np.log(b) + xlogy(a - 1.0, within) + select(highest, at_one, rest))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], a: Array, b: Array) -> NDArray[numpy.float64]:
    survival = -generator.standard_exponential(size=shape) / b
    return numpy.asarray(numpy.exp(log1mexp(survival) / a))


def _log_hazard(value: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Where `value` is below and above the support, and the log of minus the log of its survival."""
    below, above = value <= 0.0, value >= 1.0
    log_power = a * np.log(inside(np.logical_or(below, above), value, 0.5))
    # log(-log(1 - exp(x))) is x itself in the left tail, where exp(x) would underflow.
    small = log_power < _SMALL_EXPONENT
    return below, above, np.log(b) + select(small, log_power, np.log(-log1mexp(select(small, -1.0, log_power))))


def _log_cdf(value: Array, a: Array, b: Array) -> Array:
    below, above, log_hazard = _log_hazard(value, a, b)
    return lower_tail(below, above, log1mexp_exp(log_hazard))


def _log_ccdf(value: Array, a: Array, b: Array) -> Array:
    below, above, log_hazard = _log_hazard(value, a, b)
    return upper_tail(below, above, -np.exp(log_hazard))


Kumaraswamy = Distribution(
    name="Kumaraswamy",
    parameters=(Parameter("a", POSITIVE), Parameter("b", POSITIVE)),
    support=UNIT_INTERVAL,
    transform="logit",
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
)
"""Names as in PyMC; NumPyro says concentration1 and concentration0, Stan has none."""
