"""The multinomial distribution of counts by category, and its mixture over Dirichlet probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, masked, not_integer, valid, with_axis
from exmc.distributions.dirichlet import Dirichlet
from exmc.distributions.stable import log_gamma_density, log_gamma_density_by_term
from exmc.late import Late
from exmc.logspace import log_softmax
from exmc.special import Array, xlogy
from exmc.transforms import COUNTS, NONNEGATIVE_INTEGER, POSITIVE, REAL, SIMPLEX
from exmc.transforms.supports import TOLERANCE

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")


def _outside(value: Array, n: Array) -> Array:
    """Whether each vector of `value` is none of counts that sum to `n`."""
    wrong = np.any(np.logical_or(value < 0, not_integer(value)), axis=-1)
    return np.logical_or(wrong, np.not_equal(np.sum(value, axis=-1), n))


def _missing(value: Array) -> Array:
    """NaN for each vector of `value` in which one is, else 0: comparisons take it for a wrong total."""
    return np.where(np.any(np.isnan(value), axis=-1), numpy.nan, 0.0)


def _log_density(value: Array, n: Array, p: Array = None, logits: Array = None) -> Array:
    outside = _outside(value, n)
    counts = inside(with_axis(outside), value, 0.0)
    total = np.sum(counts, axis=-1)
    if p is None:
        log_p = log_softmax(logits, axis=-1)
        shares, terms, legal = np.exp(log_p), counts * log_p, True
    else:
        shares, terms = p, xlogy(counts, p)
        legal = np.logical_and(np.all(p >= 0.0, axis=-1), np.abs(np.sum(p, axis=-1) - 1.0) <= TOLERANCE)
    # Poisson counts of the means n p, given their total. Each is of its own deviance's size, unlike n!.
    size = with_axis(total)
    each = log_gamma_density_by_term(size * shares, counts + 1.0, terms + xlogy(counts, size))
    density = np.sum(each, axis=-1) - log_gamma_density(total, total + 1.0, 1.0)
    return masked(outside, valid(legal, density)) + _missing(value)


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], n: Array, p: Array = None, logits: Array = None
) -> NDArray[numpy.int64]:
    shares = scipy_special.softmax(logits, axis=-1) if p is None else numpy.asarray(p)
    return _counted(generator, shape, n, numpy.broadcast_to(shares, shape))


def _counted(
    generator: numpy.random.Generator, shape: tuple[int, ...], n: Array, shares: Array
) -> NDArray[numpy.int64]:
    totals = numpy.broadcast_to(numpy.asarray(n).astype(numpy.int64), shape[:-1])
    scaled = shares / numpy.sum(shares, axis=-1, keepdims=True)
    return numpy.asarray(generator.multinomial(totals, scaled, size=shape[:-1]), dtype=numpy.int64)


def _log_mixed_poisson(count: Array, a: Array, beta: Array) -> Array:
    """The log probability of a Poisson count of a gamma mean, by Bayes' theorem at the posterior mean."""
    mean = np.divide(a + count, 1.0 + beta)
    prior, posterior = log_gamma_density(mean, a, beta), log_gamma_density(mean, a + count, beta + 1.0)
    return prior + log_gamma_density(mean, count + 1.0, 1.0) - posterior


def _mixed_log_density(value: Array, n: Array, alpha: Array) -> Array:
    outside = _outside(value, n)
    counts = inside(with_axis(outside), value, 0.0)
    total, concentration = np.sum(counts, axis=-1), np.sum(alpha, axis=-1)
    # Counts whose means are gamma variables of any one rate, given their total; at this rate the total is expected.
    rate = np.divide(concentration, total + 1.0)
    each = np.sum(_log_mixed_poisson(counts, alpha, with_axis(rate)), axis=-1)
    legal = np.all(alpha > 0.0, axis=-1)
    return masked(outside, valid(legal, each - _log_mixed_poisson(total, concentration, rate))) + _missing(value)


def _mixed_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], n: Array, alpha: Array
) -> NDArray[numpy.int64]:
    return _counted(generator, shape, n, Dirichlet.draw(generator, shape, alpha=alpha))


Multinomial = Distribution(
    name="Multinomial",
    parameters=(
        Parameter("n", NONNEGATIVE_INTEGER),
        Parameter("p", SIMPLEX, event=("k",)),
        Parameter("logits", REAL, event=("k",)),
    ),
    alternatives=(("n", "p"), ("n", "logits")),
    support=COUNTS,
    log_density=_log_density,
    draw=_draw,
    event=("k",),
    bounds=("n",),
)

DirichletMultinomial = Distribution(
    name="DirichletMultinomial",
    parameters=(Parameter("n", NONNEGATIVE_INTEGER), Parameter("alpha", POSITIVE, event=("k",))),
    support=COUNTS,
    log_density=_mixed_log_density,
    draw=_mixed_draw,
    event=("k",),
    bounds=("n",),
)
