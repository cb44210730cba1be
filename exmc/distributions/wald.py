"""The Wald (inverse Gaussian) distribution."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    HALF_LOG_TWO_PI,
    Distribution,
    Parameter,
    inside,
    lower_tail,
    masked,
    upper_tail,
    valid,
)
from exmc.distributions.stable import log_mills
from exmc.distributions.tails import log_integral, lower_of, upper_of
from exmc.special import Array, log1mexp, log_ndtr, select
from exmc.transforms import POSITIVE

_LOG_HALF = -0.6931471805599453
_LARGEST_STEP = 300.0


def _standardized(value: Array, mu: Array, lam: Array) -> Array:
    """``sqrt(lam / value) * (value - mu) / mu``, whose slopes keep their digits far from `mu` too."""
    distance = value - mu
    near = np.abs(distance) < 0.5 * mu
    close = np.sqrt(lam / value) * np.divide(select(near, distance, 0.0), mu)
    return select(near, close, np.sqrt(lam) * (np.sqrt(value) / mu - 1.0 / np.sqrt(value)))


def _log_inside(value: Array, mu: Array, lam: Array) -> Array:
    z = _standardized(value, mu, lam)
    return 0.5 * (np.log(lam) - 3.0 * np.log(value)) - HALF_LOG_TWO_PI - 0.5 * z * z


def _log_density(value: Array, mu: Array, lam: Array) -> Array:
    outside = np.logical_or(value <= 0.0, value == numpy.inf)
    return masked(outside, valid(mu > 0.0, _log_inside(inside(outside, value, 1.0), mu, lam)))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, lam: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.wald(mu, lam, size=shape))


def _log_upper(value: Array, mu: Array, lam: Array) -> Array:
    """The log of the upper tail beyond the median: an integral over log(value), in which the density is log-concave."""
    rise, fall = 0.5 * lam / value, 0.5 * lam * value / (mu * mu)
    odd = 0.5 * np.sqrt(lam / value) * _standardized(value, mu, lam) * ((value + mu) / mu)

    def exponent(w: Array) -> Array:
        step = np.minimum(w, _LARGEST_STEP)
        plain = fall * np.expm1(step) + rise * np.expm1(-step)
        # The two cancel near 0, where their even and odd parts do not.
        near = step < 1.0
        close = select(near, step, 0.0)
        half = np.sinh(0.5 * close)
        return -0.5 * step - select(near, 2.0 * (rise + fall) * half * half + odd * np.sinh(close), plain)

    return _log_inside(value, mu, lam) + np.log(value) + log_integral(exponent, value * mu * lam)


def _tails(value: Array, mu: Array, lam: Array) -> tuple[Array, Array]:
    below, above = value <= 0.0, value == numpy.inf
    within = inside(np.logical_or(below, above), value, 1.0)
    z = _standardized(within, mu, lam)
    # Shuster (1968), "On the inverse Gaussian distribution function", its second term without exp(2 lam / mu).
    second = -0.5 * z * z - HALF_LOG_TWO_PI + log_mills(np.sqrt(lam / within) * ((within + mu) / mu))
    log_lower = np.minimum(np.logaddexp(log_ndtr(z), second), 0.0)
    # The upper tail is a difference of the same terms, which loses its digits where it is small.
    small = log_lower > _LOG_HALF
    tail = np.minimum(_log_upper(select(small, within, mu), mu, lam), 0.0)
    log_upper = select(small, tail, log1mexp(select(small, _LOG_HALF, log_lower)))
    log_lower = select(small, log1mexp(tail), log_lower)
    return lower_tail(below, above, log_lower), upper_tail(below, above, log_upper)


Wald = Distribution(
    name="Wald",
    parameters=(Parameter("mu", POSITIVE), Parameter("lam", POSITIVE)),
    support=POSITIVE,
    transform="log",
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
"""Mean `mu` and variance ``mu**3 / lam``, as in PyMC, whose shift alpha is left to an expression.

NumPyro's InverseGaussian says mean and concentration; Stan has none.
"""
