"""The Rice distribution of the length of a planar normal vector."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, lower_tail, masked, upper_tail, valid
from exmc.distributions.stable import log_i0e
from exmc.distributions.tails import both_tails, log_integral, lower_of, upper_of
from exmc.special import Array, select, xlogy
from exmc.transforms import NONNEGATIVE, POSITIVE

_NEAREST = -1.0 + 2.0**-52  # to the origin, where the density has no logarithm


def _log_density(value: Array, nu: Array, sigma: Array) -> Array:
    outside = np.logical_or(value < 0.0, value == numpy.inf)
    within = inside(outside, value, 1.0)
    # The exponent of the Bessel function completes the square.
    distance = (within - nu) / sigma
    product = np.divide(within, sigma) * np.divide(nu, sigma)
    density = xlogy(1.0, within) - 2.0 * np.log(sigma) - 0.5 * distance * distance + _log_bessel(product)
    return masked(outside, valid(nu >= 0.0, density))


def _log_bessel(product: Array) -> Array:
    """`log_i0e` at 0 too: it is that of an even function, with a kink there, where the slope from the right is -1."""
    still = product <= 0.0
    return select(still, -product, log_i0e(select(still, 1.0, product)))


def _log_tails(value: Array, nu: Array, sigma: Array) -> tuple[Array, Array]:
    below, above = value <= 0.0, value == numpy.inf
    within = inside(np.logical_or(below, above), value, 1.0)
    x, mean, distance = (np.divide(length, sigma) for length in (within, nu, within - nu))
    # The density is log-concave; from about its mode on it falls.
    right = distance * (x + mean) > 1.0
    direction = select(right, 1.0, -1.0)
    log_bessel = _log_bessel(x * mean)

    def exponent(w: Array) -> Array:
        share = np.maximum(direction * w / x, _NEAREST)
        bessel = _log_bessel(x * (1.0 + share) * mean) - log_bessel
        return np.log1p(share) + bessel - direction * w * (distance + 0.5 * direction * w)

    at_point = np.log(x) - 0.5 * distance * distance + log_bessel
    log_tail = at_point + log_integral(exponent, x + mean, select(right, numpy.inf, x))
    lower, upper = both_tails(right, log_tail)
    legal = nu >= 0.0
    return lower_tail(below, above, valid(legal, lower)), upper_tail(below, above, valid(legal, upper))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], nu: Array, sigma: Array) -> NDArray[numpy.float64]:
    along = generator.normal(nu, sigma, size=shape)
    return numpy.asarray(numpy.hypot(along, generator.normal(0.0, sigma, size=shape)))


Rice = Distribution(
    name="Rice",
    parameters=(Parameter("nu", NONNEGATIVE), Parameter("sigma", POSITIVE, default=1.0)),
    support=NONNEGATIVE,
    transform="log",
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_log_tails),
    log_ccdf=upper_of(_log_tails),
)
"""Distance `nu` of the mean from the origin, as in PyMC; Stan and NumPyro have none."""
