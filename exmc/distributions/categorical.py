"""The categorical distribution of whole numbers from 0, by probabilities or by logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    Distribution,
    Parameter,
    chosen,
    inside,
    log_of_probability,
    masked,
    not_integer,
    valid,
    valid_probability,
    with_axis,
)
from exmc.late import Late
from exmc.logspace import log_softmax, logsumexp
from exmc.special import Array, select, xlogy
from exmc.transforms import INTEGER_INTERVAL, REAL, SIMPLEX

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")


def _log_density(value: Array, p: Array = None, logits: Array = None) -> Array:
    weights = logits if p is None else p
    outside = np.logical_or(np.logical_or(value < 0, value > np.shape(weights)[-1] - 1), not_integer(value))
    # Values are data: the place of one that is NaN is looked up in vain.
    place = np.where(np.logical_or(outside, np.isnan(value)), 0, value)
    picked = chosen(weights, place) + np.where(np.isnan(value), numpy.nan, 0.0)
    if p is None:
        return masked(outside, picked - logsumexp(logits, axis=-1))
    return masked(outside, valid_probability(picked, xlogy(1.0, picked)))


def _log_cdf(value: Array, p: Array = None, logits: Array = None) -> Array:
    return _log_tail(value, True, p, logits)


def _log_ccdf(value: Array, p: Array = None, logits: Array = None) -> Array:
    return _log_tail(value, False, p, logits)


def _log_tail(value: Array, lower: bool, p: Array = None, logits: Array = None) -> Array:
    """The log probability of the categories up to `value`, or of those beyond."""
    weights = logits if p is None else p
    numbers = numpy.arange(np.shape(weights)[-1])
    up_to = np.less_equal(numbers, with_axis(value))
    counted = up_to if lower else np.logical_not(up_to)
    missing = np.where(np.isnan(value), numpy.nan, 0.0)
    none, every = np.logical_not(np.any(counted, axis=-1)), np.all(counted, axis=-1)
    if p is None:
        chosen_ones = select(counted, log_softmax(logits, axis=-1), -numpy.inf)
        found = logsumexp(inside(with_axis(none), chosen_ones, 0.0), axis=-1)
    else:
        part, rest = (np.sum(select(mask, p, 0.0), axis=-1) for mask in (counted, np.logical_not(counted)))
        found = valid(np.all(p >= 0.0, axis=-1), log_of_probability(part, rest))
    return masked(none, select(every, 0.0, found)) + missing


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], p: Array = None, logits: Array = None
) -> NDArray[numpy.int64]:
    weights = scipy_special.softmax(logits, axis=-1) if p is None else numpy.asarray(p)
    below = numpy.cumsum(weights, axis=-1)
    below = below / below[..., -1:]
    return numpy.asarray(numpy.sum(generator.random(shape)[..., None] >= below, axis=-1), dtype=numpy.int64)


def _limits(p: Array = None, logits: Array = None) -> tuple[int, ...]:
    return (np.shape(logits if p is None else p)[-1] - 1,)


Categorical = Distribution(
    name="Categorical",
    parameters=(Parameter("p", SIMPLEX, event=("k",)), Parameter("logits", REAL, event=("k",))),
    alternatives=(("p",), ("logits",)),
    support=INTEGER_INTERVAL,
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
    limits=_limits,
)
