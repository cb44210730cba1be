"""The negative binomial distribution by its mean, a Poisson with a gamma rate."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, lower_tail, masked, not_integer, upper_tail, valid
from exmc.distributions.stable import log_beta_density
from exmc.distributions.tails import log_beta_tails, lower_of, upper_of
from exmc.special import Array, select
from exmc.transforms import NONNEGATIVE_INTEGER, POSITIVE


def _log_density(value: Array, mu: Array, alpha: Array) -> Array:
    outside = np.logical_or(value < 0, not_integer(value))
    count = inside(outside, value, 0.0)
    total = alpha + mu
    p, q = np.divide(alpha, total), np.divide(mu, total)
    # As a function of p this is a beta density. At 0 it is the power alone, in which nothing cancels.
    many = np.log(p) - np.log(alpha + count) + log_beta_density(p, q, alpha, count + 1.0)
    density = select(count <= 0.0, -alpha * np.log1p(np.divide(mu, alpha)), many)
    return masked(outside, valid(np.logical_and(mu > 0.0, alpha > 0.0), density))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, alpha: Array) -> NDArray[numpy.int64]:
    rate = mu * (generator.standard_gamma(alpha, size=shape) / alpha)
    return numpy.asarray(generator.poisson(rate, size=shape), dtype=numpy.int64)


def _tails(value: Array, mu: Array, alpha: Array) -> tuple[Array, Array]:
    below, above = value < 0, value == numpy.inf
    count = np.floor(inside(np.logical_or(below, above), value, 0.0))
    total = alpha + mu
    lower, upper = log_beta_tails(alpha / total, mu / total, alpha, count + 1.0)
    return lower_tail(below, above, lower), upper_tail(below, above, upper)


NegativeBinomial = Distribution(
    name="NegativeBinomial",
    parameters=(Parameter("mu", POSITIVE), Parameter("alpha", POSITIVE)),
    support=NONNEGATIVE_INTEGER,
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
"""Mean `mu` and variance ``mu + mu**2 / alpha``, as in PyMC.

Stan's neg_binomial_2 calls `alpha` phi, NumPyro's NegativeBinomial2 concentration.
"""
