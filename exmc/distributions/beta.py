"""The beta distribution on the unit interval."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, lower_tail, masked, upper_tail, valid
from exmc.distributions.stable import log_beta_density
from exmc.distributions.tails import log_beta_tails, lower_of, upper_of
from exmc.special import Array
from exmc.transforms import POSITIVE, UNIT_INTERVAL


def _log_density(value: Array, alpha: Array, beta: Array) -> Array:
    outside = np.logical_or(value < 0.0, value > 1.0)
    within = inside(outside, value, 0.5)
    legal = np.logical_and(alpha > 0.0, beta > 0.0)
    return masked(outside, valid(legal, log_beta_density(within, 1.0 - within, alpha, beta)))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.beta(alpha, beta, size=shape))


def _tails(value: Array, alpha: Array, beta: Array) -> tuple[Array, Array]:
    below, above = value <= 0.0, value >= 1.0
    within = inside(np.logical_or(below, above), value, 0.5)
    lower, upper = log_beta_tails(within, 1.0 - within, alpha, beta)
    return lower_tail(below, above, lower), upper_tail(below, above, upper)


Beta = Distribution(
    name="Beta",
    parameters=(Parameter("alpha", POSITIVE), Parameter("beta", POSITIVE)),
    support=UNIT_INTERVAL,
    transform="logit",
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
