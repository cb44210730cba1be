"""The uniform distribution on the integers between two bounds."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    Distribution,
    Parameter,
    log_of_probability,
    lower_tail,
    masked,
    not_integer,
    upper_tail,
    valid,
)
from exmc.distributions.tails import lower_of, upper_of
from exmc.errors import ModelError
from exmc.special import Array, select
from exmc.transforms import INTEGER, INTEGER_RANGE


def _legal(lower: Array, upper: Array) -> Array:
    fractions = np.logical_or(not_integer(lower), not_integer(upper))
    return np.logical_and(lower <= upper, np.logical_not(fractions))


def _log_density(value: Array, lower: Array, upper: Array) -> Array:
    outside = np.logical_or(np.logical_or(value < lower, value > upper), not_integer(value))
    # The product carries the shape and a NaN of the value.
    density = -np.log(upper - lower + 1.0) + 0.0 * select(outside, lower, value)
    return masked(outside, valid(_legal(lower, upper), density))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], lower: Array, upper: Array
) -> NDArray[numpy.int64]:
    if not numpy.all(numpy.less_equal(lower, upper)):
        raise ModelError(
            f"DiscreteUniform needs lower <= upper, not lower={lower} and upper={upper}.",
            remedy="Swap the bounds.",
        )
    low, high = numpy.asarray(lower).astype(numpy.int64), numpy.asarray(upper).astype(numpy.int64)
    return numpy.asarray(generator.integers(low, high, size=shape, endpoint=True), dtype=numpy.int64)


def _tails(value: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    below, above = value < lower, value >= upper
    count = np.floor(select(np.logical_or(below, above), lower, value)) - lower + 1.0
    total = upper - lower + 1.0
    left, right = count / total, (total - count) / total
    legal = _legal(lower, upper)
    return (
        valid(legal, lower_tail(below, above, log_of_probability(left, right))),
        valid(legal, upper_tail(below, above, log_of_probability(right, left))),
    )


DiscreteUniform = Distribution(
    name="DiscreteUniform",
    parameters=(Parameter("lower", INTEGER), Parameter("upper", INTEGER)),
    support=INTEGER_RANGE,
    log_density=_log_density,
    draw=_draw,
    bounds=("lower", "upper"),
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
"""Both bounds are included. Names as in PyMC; NumPyro says low and high, Stan's discrete_range lower and upper."""
