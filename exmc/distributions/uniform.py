"""The uniform distribution between two bounds."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, log_of_probability, lower_tail, masked, upper_tail, valid
from exmc.distributions.tails import lower_of, upper_of
from exmc.errors import ModelError
from exmc.special import Array, select
from exmc.transforms import INTERVAL


def _log_density(value: Array, low: Array, high: Array) -> Array:
    outside = np.logical_or(value < low, value > high)
    # The product carries the shape and a NaN of the value; its slope is 0.
    density = -np.log(high - low) + 0.0 * select(outside, low, value)
    return masked(outside, valid(low < high, density))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], low: Array, high: Array) -> NDArray[numpy.float64]:
    if not numpy.all(numpy.less(low, high)):
        raise ModelError(
            f"Uniform needs low < high, not low={low} and high={high}.",
            remedy="Swap the bounds, or let priors and expressions keep them apart.",
        )
    return numpy.asarray(generator.uniform(low, high, size=shape))


def _tails(value: Array, low: Array, high: Array) -> tuple[Array, Array]:
    below, above = value <= low, value >= high
    middle = low + 0.5 * (high - low)
    within = select(np.logical_or(below, above), middle, value)
    lower, upper = (within - low) / (high - low), (high - within) / (high - low)
    legal = low < high
    return (
        valid(legal, lower_tail(below, above, log_of_probability(lower, upper))),
        valid(legal, upper_tail(below, above, log_of_probability(upper, lower))),
    )


Uniform = Distribution(
    name="Uniform",
    parameters=(Parameter("low", default=0.0), Parameter("high", default=1.0)),
    support=INTERVAL,
    transform="interval",
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
    bounds=("low", "high"),
)
