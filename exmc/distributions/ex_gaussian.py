"""The exponentially modified Gaussian distribution, the sum of a normal and an exponential variable."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import HALF_LOG_TWO_PI, Distribution, Parameter, inside, lower_tail, upper_tail, valid
from exmc.distributions.stable import log_mills
from exmc.distributions.tails import log_integral, lower_of, upper_of
from exmc.special import Array, log1mexp, log_ndtr, select
from exmc.transforms import POSITIVE, REAL

_FAR = 9.0
_LOG_HALF = -0.6931471805599453


def _log_tilted(z: Array, k: Array, shift: Array) -> Array:
    """``k**2 / 2 - shift + log_ndtr(z - k)``, where ``shift == k * z``; large k would leave nothing of it."""
    t = k - z
    right = t > 0.0
    normal = -0.5 * z * z - HALF_LOG_TWO_PI + log_mills(select(right, t, 0.0))
    exponential = 0.5 * k * k - shift + log_ndtr(-select(right, 0.0, t))
    return select(right, normal, exponential)


def _log_density(value: Array, mu: Array, sigma: Array, nu: Array) -> Array:
    return valid(sigma > 0.0, _log_tilted((value - mu) / sigma, np.divide(sigma, nu), (value - mu) / nu) - np.log(nu))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array, nu: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.normal(mu, sigma, size=shape) + nu * generator.standard_exponential(size=shape))


def _log_lower(z: Array, k: Array, shift: Array) -> Array:
    """The log of the lower tail, a difference of the terms of the upper one, where it is less than about half."""
    t = k - z
    right = t > 0.0
    mills, normal = log_mills(select(right, t, 0.0)), log_ndtr(-select(right, 0.0, t))

    def exponent(w: Array) -> Array:
        left = w * (z - 0.5 * w) + log_mills(select(right, t + w, w)) - mills
        return select(right, left, k * w + log_ndtr(-select(right, 0.0, t) - w) - normal)

    return _log_tilted(z, k, shift) + np.log(k) + log_integral(exponent, z * k)


def _tails(value: Array, mu: Array, sigma: Array, nu: Array) -> tuple[Array, Array]:
    below, above = value == -numpy.inf, value == numpy.inf
    distance = inside(np.logical_or(below, above), value, 0.0) - mu
    z, k, shift = distance / sigma, sigma / nu, distance / nu
    log_upper = np.minimum(np.logaddexp(log_ndtr(-z), _log_tilted(z, k, shift)), 0.0)
    small = log_upper > _LOG_HALF
    # Far to the right of the normal part there is but the exponential one.
    far = z - k > _FAR
    exponential = log1mexp(select(far, 0.5 * k * k - shift, -1.0))
    near = np.logical_and(small, np.logical_not(far))
    integral = np.minimum(_log_lower(select(near, z, 0.0), k, select(near, shift, 0.0)), 0.0)
    log_lower = select(small, select(far, exponential, integral), log1mexp(select(small, _LOG_HALF, log_upper)))
    log_upper = select(small, log1mexp(select(small, log_lower, _LOG_HALF)), log_upper)
    return lower_tail(below, above, log_lower), upper_tail(below, above, log_upper)


ExGaussian = Distribution(
    name="ExGaussian",
    parameters=(Parameter("mu", default=0.0), Parameter("sigma", POSITIVE), Parameter("nu", POSITIVE)),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
"""`nu` is the exponential part's mean, as in PyMC; Stan's exp_mod_normal has its rate, lambda = 1 / `nu`."""
