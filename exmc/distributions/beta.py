"""The beta distribution on the unit interval."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, log_of_probability, masked, valid
from exmc.special import Array, betainc, betaln, select, xlog1py, xlogy
from exmc.transforms import POSITIVE, UNIT_INTERVAL


def _log_density(value: Array, alpha: Array, beta: Array) -> Array:
    outside = np.logical_or(value < 0.0, value > 1.0)
    within = inside(outside, value, 0.5)
    scale = valid(np.logical_and(alpha > 0.0, beta > 0.0), betaln(alpha, beta))
    return masked(outside, xlogy(alpha - 1.0, within) + xlog1py(beta - 1.0, -within) - scale)


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.beta(alpha, beta, size=shape))


def _log_cdf(value: Array, alpha: Array, beta: Array) -> Array:
    below, above = value <= 0.0, value >= 1.0
    within = inside(np.logical_or(below, above), value, 0.5)
    probability = log_of_probability(betainc(alpha, beta, within), betainc(beta, alpha, 1.0 - within))
    return masked(below, select(above, 0.0, probability))


def _log_ccdf(value: Array, alpha: Array, beta: Array) -> Array:
    below, above = value <= 0.0, value >= 1.0
    within = inside(np.logical_or(below, above), value, 0.5)
    probability = log_of_probability(betainc(beta, alpha, 1.0 - within), betainc(alpha, beta, within))
    return masked(above, select(below, 0.0, probability))


Beta = Distribution(
    name="Beta",
    parameters=(Parameter("alpha", POSITIVE), Parameter("beta", POSITIVE)),
    support=UNIT_INTERVAL,
    transform="logit",
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
)
