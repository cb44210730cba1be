"""The ordered logistic distribution of categories that a latent logistic variable's cutpoints separate."""

from __future__ import annotations

import autograd.numpy as np
import numpy
import scipy.special
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, chosen, masked, not_integer, valid, with_axis
from exmc.special import Array, log1mexp, log_expit, select
from exmc.transforms import INTEGER_INTERVAL, ORDERED


def _log_density(value: Array, eta: Array, cutpoints: Array) -> Array:
    last = np.shape(cutpoints)[-1]
    outside = np.logical_or(np.logical_or(value < 0, value > last), not_integer(value))
    place = np.where(np.logical_or(outside, np.isnan(value)), 0, value)
    lowest, highest = place == 0, place == last
    above = eta - chosen(cutpoints, np.maximum(place - 1, 0))
    below = eta - chosen(cutpoints, np.minimum(place, last - 1))
    # P(category) = expit(a) - expit(b) = expit(a) expit(-b) (1 - exp(b - a)), where neither end's factor is 1.
    middle = np.logical_not(np.logical_or(lowest, highest))
    gap = select(middle, below - above, -1.0)
    inner = log_expit(above) + log_expit(-below) + log1mexp(select(gap < 0.0, gap, -1.0))
    density = select(lowest, log_expit(-below), select(highest, log_expit(above), inner))
    ordered = np.all(cutpoints[..., 1:] > cutpoints[..., :-1], axis=-1)
    return masked(outside, valid(ordered, density) + np.where(np.isnan(value), numpy.nan, 0.0))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], eta: Array, cutpoints: Array
) -> NDArray[numpy.int64]:
    latent = eta + scipy.special.logit(generator.random(shape))
    return numpy.asarray(numpy.sum(with_axis(latent) > cutpoints, axis=-1), dtype=numpy.int64)


def _limits(eta: Array, cutpoints: Array) -> tuple[int, ...]:
    return (np.shape(cutpoints)[-1],)


OrderedLogistic = Distribution(
    name="OrderedLogistic",
    parameters=(Parameter("eta"), Parameter("cutpoints", ORDERED, event=("k",))),
    support=INTEGER_INTERVAL,
    transform="",
    log_density=_log_density,
    draw=_draw,
    limits=_limits,
)
