"""The normal distribution between two bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import HALF_LOG_TWO_PI, Distribution, Parameter, lower_tail, masked, upper_tail, valid
from exmc.distributions.stable import log_normal_mass
from exmc.distributions.tails import lower_of, upper_of
from exmc.errors import ModelError
from exmc.late import Late
from exmc.special import Array, log1mexp, select
from exmc.transforms import INTERVAL, POSITIVE

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")

_LOG_HALF = -0.6931471805599453


def _log_mass(low: Array, high: Array, mu: Array, sigma: Array) -> Array:
    """The log of a normal variable's probability of lying between `low` and `high`, where low < high."""
    a, b, width = (np.divide(distance, sigma) for distance in (low - mu, high - mu, high - low))
    return log_normal_mass(a, b, width)


def _log_density(value: Array, mu: Array, sigma: Array, lower: Array, upper: Array) -> Array:
    outside = np.logical_or(value < lower, value > upper)
    z = (select(outside, lower, value) - mu) / sigma
    normal = -0.5 * z * z - np.log(sigma) - HALF_LOG_TWO_PI
    legal = lower < upper
    mass = _log_mass(lower, select(legal, upper, lower + 1.0), mu, sigma)
    return masked(outside, valid(np.logical_and(legal, sigma > 0.0), normal - mass))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array, lower: Array, upper: Array
) -> NDArray[numpy.float64]:
    if not numpy.all(numpy.less(lower, upper)):
        raise ModelError(
            f"TruncatedNormal needs lower < upper, not lower={lower} and upper={upper}.",
            remedy="Swap the bounds, or let priors and expressions keep them apart.",
        )
    a, b = numpy.subtract(lower, mu) / sigma, numpy.subtract(upper, mu) / sigma
    # By inversion of the tail beyond the mean, in logarithms: it may be smaller than any float.
    mirrored = a + b < 0.0
    near, far = numpy.where(mirrored, -b, a), numpy.where(mirrored, -a, b)
    share = generator.random(size=shape)
    with numpy.errstate(divide="ignore"):
        log_tail = numpy.logaddexp(
            numpy.log1p(-share) + scipy_special.log_ndtr(-near), numpy.log(share) + scipy_special.log_ndtr(-far)
        )
    z = -scipy_special.ndtri_exp(log_tail)
    return numpy.asarray(numpy.clip(mu + sigma * numpy.where(mirrored, -z, z), lower, upper))


def _tails(value: Array, mu: Array, sigma: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    legal = lower < upper
    high = select(legal, upper, lower + 1.0)
    below, above = value <= lower, value >= high
    within = select(np.logical_or(below, above), lower + 0.5 * (high - lower), value)
    total = _log_mass(lower, high, mu, sigma)
    left, right = (np.minimum(_log_mass(*e, mu, sigma) - total, 0.0) for e in ((lower, within), (within, high)))
    # What is near 1 has its digits in the other one.
    most_left, most_right = left > _LOG_HALF, right > _LOG_HALF
    log_lower = select(most_left, log1mexp(select(most_left, right, -1.0)), left)
    log_upper = select(most_right, log1mexp(select(most_right, left, -1.0)), right)
    return valid(legal, lower_tail(below, above, log_lower)), valid(legal, upper_tail(below, above, log_upper))


TruncatedNormal = Distribution(
    name="TruncatedNormal",
    parameters=(
        Parameter("mu", default=0.0),
        Parameter("sigma", POSITIVE, default=1.0),
        Parameter("lower"),
        Parameter("upper"),
    ),
    support=INTERVAL,
    transform="interval",
    log_density=_log_density,
    draw=_draw,
    bounds=("lower", "upper"),
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
"""Names as in PyMC, but both bounds are finite; NumPyro says loc, scale, low and high, and Stan truncates a normal."""
