"""The Bernoulli distribution, by its probability or by its logit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    Distribution,
    Parameter,
    inside,
    lower_tail,
    masked,
    not_integer,
    upper_tail,
    valid_probability,
)
from exmc.late import Late
from exmc.special import Array, log_expit, softplus, xlog1py, xlogy
from exmc.transforms import BOOLEAN, REAL, UNIT_INTERVAL

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")


def _log_density(value: Array, p: Array = None, logit: Array = None) -> Array:
    outside = np.logical_or(np.logical_or(value < 0, value > 1), not_integer(value))
    within = inside(outside, value, 0.0)
    if logit is None:
        return masked(outside, valid_probability(p, xlogy(within, p) + xlog1py(1.0 - within, -p)))
    # One function of one argument, accurate in both tails: log expit(logit) for 1, log expit(-logit) for 0.
    return masked(outside, -softplus((1.0 - 2.0 * within) * logit))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], p: Array = None, logit: Array = None
) -> NDArray[numpy.int64]:
    probability = scipy_special.expit(logit) if p is None else p
    return numpy.asarray(generator.binomial(1, probability, size=shape), dtype=numpy.int64)


def _log_cdf(value: Array, p: Array = None, logit: Array = None) -> Array:
    log_failure = valid_probability(p, xlog1py(1.0, -p)) if logit is None else log_expit(-logit)
    return lower_tail(value < 0, value >= 1, log_failure)


def _log_ccdf(value: Array, p: Array = None, logit: Array = None) -> Array:
    log_success = valid_probability(p, xlogy(1.0, p)) if logit is None else log_expit(logit)
    return upper_tail(value < 0, value >= 1, log_success)


Bernoulli = Distribution(
    name="Bernoulli",
    parameters=(Parameter("p", UNIT_INTERVAL), Parameter("logit", REAL)),
    alternatives=(("p",), ("logit",)),
    support=BOOLEAN,
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
)
