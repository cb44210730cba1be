"""The binomial distribution, by its probability or by its logit."""

from __future__ import annotations

import autograd.numpy as np
import numpy
import scipy.special
from numpy.typing import NDArray

from exmc.distributions.base import (
    Distribution,
    Parameter,
    inside,
    log_of_probability,
    masked,
    not_integer,
    valid,
    valid_probability,
)
from exmc.special import Array, betainc, expit, gammaln, select, softplus, xlog1py, xlogy
from exmc.transforms import INTEGER_INTERVAL, NONNEGATIVE_INTEGER, REAL, UNIT_INTERVAL


def _log_density(value: Array, n: Array, p: Array = None, logit: Array = None) -> Array:
    outside = np.logical_or(np.logical_or(value < 0, value > n), not_integer(value))
    successes = inside(outside, value, 0.0)
    failures = n - successes
    count = gammaln(n + 1.0) - gammaln(successes + 1.0) - gammaln(failures + 1.0)
    if logit is None:
        terms = valid_probability(p, xlogy(successes, p) + xlog1py(failures, -p))
    else:
        # Both terms have one sign, so that nothing cancels in either tail.
        terms = -(successes * softplus(-logit) + failures * softplus(logit))
    return masked(outside, valid(np.logical_not(not_integer(n)), count + terms))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], n: Array, p: Array = None, logit: Array = None
) -> NDArray[numpy.int64]:
    probability = scipy.special.expit(logit) if p is None else p
    trials = numpy.asarray(n).astype(numpy.int64)
    return numpy.asarray(generator.binomial(trials, probability, size=shape), dtype=numpy.int64)


def _log_cdf(value: Array, n: Array, p: Array = None, logit: Array = None) -> Array:
    below, certain = value < 0, value >= n
    lower, upper = _probabilities(value, np.logical_or(below, certain), n, p, logit)
    return masked(below, select(certain, 0.0, log_of_probability(lower, upper)))


def _log_ccdf(value: Array, n: Array, p: Array = None, logit: Array = None) -> Array:
    below, certain = value < 0, value >= n
    lower, upper = _probabilities(value, np.logical_or(below, certain), n, p, logit)
    return masked(certain, select(below, 0.0, log_of_probability(upper, lower)))


def _probabilities(value: Array, outside: Array, n: Array, p: Array, logit: Array) -> tuple[Array, Array]:
    """P(X <= value) and P(X > value) as beta probabilities, where not `outside`."""
    success, failure = (p, 1.0 - p) if logit is None else (expit(logit), expit(-logit))
    successes = np.floor(inside(outside, value, 0.0))
    failures = select(outside, 1.0, n - successes)
    return betainc(failures, successes + 1.0, failure), betainc(successes + 1.0, failures, success)


Binomial = Distribution(
    name="Binomial",
    parameters=(Parameter("n", NONNEGATIVE_INTEGER), Parameter("p", UNIT_INTERVAL), Parameter("logit", REAL)),
    alternatives=(("n", "p"), ("n", "logit")),
    support=INTEGER_INTERVAL,
    transform="",
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
    bounds=("n",),
)
