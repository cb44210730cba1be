"""The Rice distribution of the length of a planar normal vector."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, masked, valid
from exmc.distributions.stable import log_i0e
from exmc.special import Array, select, xlogy
from exmc.transforms import NONNEGATIVE, POSITIVE


def _log_density(value: Array, nu: Array, sigma: Array) -> Array:
    outside = np.logical_or(value < 0.0, value == numpy.inf)
    within = inside(outside, value, 1.0)
    # The exponent of the Bessel function completes the square.
    distance = (within - nu) / sigma
    product = np.divide(within, sigma) * np.divide(nu, sigma)
    # Its logarithm is that of an even function, with a kink at 0, where the slope from the right is -1.
    still = product <= 0.0
    log_bessel = select(still, -product, log_i0e(select(still, 1.0, product)))
    density = xlogy(1.0, within) - 2.0 * np.log(sigma) - 0.5 * distance * distance + log_bessel
    return masked(outside, valid(nu >= 0.0, density))


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
)
"""Distance `nu` of the mean from the origin, as in PyMC; Stan and NumPyro have none.

It has no log_cdf: that is Marcum's Q function.
"""
