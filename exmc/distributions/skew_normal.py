"""The skew normal distribution."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import HALF_LOG_TWO_PI, LOG_TWO, Distribution, Parameter, inside, lower_tail, upper_tail
from exmc.distributions.tails import both_tails, log_integral, lower_of, upper_of
from exmc.special import Array, erfcx, log_ndtr, select, xdivy
from exmc.transforms import POSITIVE, REAL

_INV_SQRT_TWO = 0.7071067811865476
_SQRT_TWO_OVER_PI = 0.7978845608028654


def _standard(z: Array, alpha: Array) -> Array:
    return LOG_TWO - HALF_LOG_TWO_PI - 0.5 * z * z + log_ndtr(alpha * z)


def _log_density(value: Array, mu: Array, sigma: Array, alpha: Array) -> Array:
    return _standard((value - mu) / sigma, alpha) - np.log(sigma)


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array, alpha: Array
) -> NDArray[numpy.float64]:
    # Azzalini and Capitanio (2014), "The skew-normal and related families", section 2.1.3.
    length = numpy.hypot(1.0, alpha)
    folded, other = numpy.abs(generator.standard_normal(size=shape)), generator.standard_normal(size=shape)
    return numpy.asarray(mu + sigma * (alpha / length * folded + other / length))


def _tails(value: Array, mu: Array, sigma: Array, alpha: Array) -> tuple[Array, Array]:
    below, above = value == -numpy.inf, value == numpy.inf
    z = (inside(np.logical_or(below, above), value, 0.0) - mu) / sigma
    # The density is log-concave. Its slope says on which side of the mode z lies, and to that side it falls.
    slope = alpha * xdivy(_SQRT_TWO_OVER_PI, erfcx(-_INV_SQRT_TWO * alpha * z)) - z
    right = slope < 0.0
    direction = select(right, 1.0, -1.0)
    start = log_ndtr(alpha * z)

    def exponent(w: Array) -> Array:
        return -w * (direction * z + 0.5 * w) + log_ndtr(alpha * (z + direction * w)) - start

    lower, upper = both_tails(right, _standard(z, alpha) + log_integral(exponent, z * alpha))
    return lower_tail(below, above, lower), upper_tail(below, above, upper)


SkewNormal = Distribution(
    name="SkewNormal",
    parameters=(
        Parameter("mu", default=0.0),
        Parameter("sigma", POSITIVE, default=1.0),
        Parameter("alpha", default=1.0),
    ),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
    location_scale=("mu", "sigma"),
)
"""Names as in PyMC; Stan says xi, omega and alpha. `mu` and `sigma` are no mean and deviation unless `alpha` is 0."""
