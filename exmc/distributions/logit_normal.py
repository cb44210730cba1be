"""The logit-normal distribution on the unit interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import HALF_LOG_TWO_PI, Distribution, Parameter, inside, lower_tail, masked, upper_tail
from exmc.late import Late
from exmc.special import Array, log_ndtr, logit
from exmc.transforms import POSITIVE, UNIT_INTERVAL

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")


def _log_density(value: Array, mu: Array, sigma: Array) -> Array:
    outside = np.logical_or(value <= 0.0, value >= 1.0)
    within = inside(outside, value, 0.5)
    z = (logit(within) - mu) / sigma
    jacobian = np.log(within) + np.log1p(-within)
    return masked(outside, -0.5 * z * z - np.log(sigma) - HALF_LOG_TWO_PI - jacobian)


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(scipy_special.expit(generator.normal(mu, sigma, size=shape)))


def _standardized(value: Array, mu: Array, sigma: Array) -> tuple[Array, Array, Array]:
    below, above = value <= 0.0, value >= 1.0
    return below, above, (logit(inside(np.logical_or(below, above), value, 0.5)) - mu) / sigma


def _log_cdf(value: Array, mu: Array, sigma: Array) -> Array:
    below, above, z = _standardized(value, mu, sigma)
    return lower_tail(below, above, log_ndtr(z))


def _log_ccdf(value: Array, mu: Array, sigma: Array) -> Array:
    below, above, z = _standardized(value, mu, sigma)
    return upper_tail(below, above, log_ndtr(-z))


LogitNormal = Distribution(
    name="LogitNormal",
    parameters=(Parameter("mu", default=0.0), Parameter("sigma", POSITIVE, default=1.0)),
    support=UNIT_INTERVAL,
    transform="logit",
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
)
"""Names as in PyMC; Stan and NumPyro have none. Its density goes to 0 on both edges."""
