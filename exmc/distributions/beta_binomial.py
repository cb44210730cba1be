"""The beta-binomial distribution, a binomial with a beta probability."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, masked, not_integer, valid
from exmc.distributions.stable import log_beta_density
from exmc.special import Array
from exmc.transforms import INTEGER_INTERVAL, NONNEGATIVE_INTEGER, POSITIVE


def _log_density(value: Array, alpha: Array, beta: Array, n: Array) -> Array:
    outside = np.logical_or(np.logical_or(value < 0, value > n), not_integer(value))
    successes = inside(outside, value, 0.0)
    failures = inside(outside, n - value, 0.0)
    a, b = successes + alpha, failures + beta
    p, q = np.divide(a, a + b), np.divide(b, a + b)
    # Bayes' theorem at any probability p: prior times likelihood over posterior. At the posterior's mean all are tame.
    prior, posterior = log_beta_density(p, q, alpha, beta), log_beta_density(p, q, a, b)
    likelihood = log_beta_density(p, q, successes + 1.0, failures + 1.0) - np.log(successes + failures + 1.0)
    legal = np.logical_and(np.logical_and(alpha > 0.0, beta > 0.0), np.logical_not(not_integer(n)))
    return masked(outside, valid(legal, prior + likelihood - posterior))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array, n: Array
) -> NDArray[numpy.int64]:
    trials = numpy.asarray(n).astype(numpy.int64)
    p = generator.beta(alpha, beta, size=shape)
    return numpy.asarray(generator.binomial(trials, p, size=shape), dtype=numpy.int64)


BetaBinomial = Distribution(
    name="BetaBinomial",
    parameters=(Parameter("alpha", POSITIVE), Parameter("beta", POSITIVE), Parameter("n", NONNEGATIVE_INTEGER)),
    support=INTEGER_INTERVAL,
    log_density=_log_density,
    draw=_draw,
    bounds=("n",),
)
"""Names and order as in PyMC; Stan puts n first, NumPyro says concentration1, concentration0 and total_count.

It has no log_cdf: that is a hypergeometric function 3F2, a sum of as many terms as `value`.
"""
