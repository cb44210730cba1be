"""The binomial distribution, by its probability or by its logit."""

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
    valid,
    valid_probability,
)
from exmc.distributions.stable import log_beta_density_by_terms
from exmc.distributions.tails import log_beta_tails, lower_of, upper_of
from exmc.late import Late
from exmc.special import Array, expit, select, softplus, xlog1py, xlogy
from exmc.transforms import INTEGER_INTERVAL, NONNEGATIVE_INTEGER, REAL, UNIT_INTERVAL

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")


def _log_density(value: Array, n: Array, p: Array = None, logit: Array = None) -> Array:
    outside = np.logical_or(np.logical_or(value < 0, value > n), not_integer(value))
    successes = inside(outside, value, 0.0)
    failures = n - successes
    if logit is None:
        success, failure = p, 1.0 - p
        success_term, failure_term = xlogy(successes, p), xlog1py(failures, -p)
    else:
        success, failure = expit(logit), expit(-logit)
        success_term, failure_term = -successes * softplus(-logit), -failures * softplus(logit)
    # As a function of p this is a beta density, whose form is exact for large n. Where all or none succeed the number
    # of ways is 1, and the plain formula is the one in which nothing cancels.
    alike = np.logical_or(successes <= 0.0, failures <= 0.0)
    many = log_beta_density_by_terms(
        success, failure, successes + 1.0, inside(outside, failures, 0.0) + 1.0, success_term, failure_term
    ) - np.log(n + 1.0)
    terms = select(alike, success_term + failure_term, many)
    if logit is None:
        terms = valid_probability(p, terms)
    return masked(outside, valid(np.logical_not(not_integer(n)), terms))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], n: Array, p: Array = None, logit: Array = None
) -> NDArray[numpy.int64]:
    probability = scipy_special.expit(logit) if p is None else p
    trials = numpy.asarray(n).astype(numpy.int64)
    return numpy.asarray(generator.binomial(trials, probability, size=shape), dtype=numpy.int64)


def _tails(value: Array, n: Array, p: Array = None, logit: Array = None) -> tuple[Array, Array]:
    success, failure = (valid_probability(p, p), 1.0 - p) if logit is None else (expit(logit), expit(-logit))
    below = np.logical_or(value < 0, np.logical_and(failure <= 0.0, value < n))
    certain = np.logical_or(value >= n, np.logical_and(success <= 0.0, value >= 0))
    outside = np.logical_or(below, certain)
    successes = np.floor(inside(outside, value, 0.0))
    failures = select(outside, 1.0, n - successes)
    success, failure = inside(outside, success, 0.5), inside(outside, failure, 0.5)
    lower, upper = log_beta_tails(failure, success, failures, successes + 1.0)
    return lower_tail(below, certain, lower), upper_tail(below, certain, upper)


Binomial = Distribution(
    name="Binomial",
    parameters=(Parameter("n", NONNEGATIVE_INTEGER), Parameter("p", UNIT_INTERVAL), Parameter("logit", REAL)),
    alternatives=(("n", "p"), ("n", "logit")),
    support=INTEGER_INTERVAL,
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
    bounds=("n",),
)
