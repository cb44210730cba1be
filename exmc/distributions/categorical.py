"""The categorical distribution of whole numbers from 0, by probabilities or by logits."""

from __future__ import annotations

import autograd.numpy as np
import numpy
import scipy.special
from numpy.typing import NDArray

from exmc.distributions.base import (
    Distribution,
    Parameter,
    chosen,
    masked,
    not_integer,
    valid_probability,
)
from exmc.logspace import logsumexp
from exmc.special import Array, xlogy
from exmc.transforms import INTEGER_INTERVAL, REAL, SIMPLEX


def _log_density(value: Array, p: Array = None, logits: Array = None) -> Array:
    weights = logits if p is None else p
    outside = np.logical_or(np.logical_or(value < 0, value > np.shape(weights)[-1] - 1), not_integer(value))
    # Values are data: the place of one that is NaN is looked up in vain.
    place = np.where(np.logical_or(outside, np.isnan(value)), 0, value)
    picked = chosen(weights, place) + np.where(np.isnan(value), numpy.nan, 0.0)
    if p is None:
        return masked(outside, picked - logsumexp(logits, axis=-1))
    return masked(outside, valid_probability(picked, xlogy(1.0, picked)))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], p: Array = None, logits: Array = None
) -> NDArray[numpy.int64]:
    weights = scipy.special.softmax(logits, axis=-1) if p is None else numpy.asarray(p)
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
    transform="",
    log_density=_log_density,
    draw=_draw,
    limits=_limits,
)
