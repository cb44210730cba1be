"""The Pareto distribution above a minimum."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, lower_tail, masked, upper_tail
from exmc.distributions.stable import log_ratio
from exmc.distributions.tails import lower_of, upper_of
from exmc.special import Array, log1mexp, select
from exmc.transforms import AT_LEAST, POSITIVE


def _log_density(value: Array, alpha: Array, m: Array) -> Array:
    outside = np.logical_or(value < m, value == numpy.inf)
    within = select(outside, m, value)
    return masked(outside, np.log(alpha) - np.log(within) - alpha * log_ratio(within, m))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, m: Array) -> NDArray[numpy.float64]:
    # A small shape has draws beyond the largest float.
    with numpy.errstate(over="ignore"):
        return numpy.asarray(m * numpy.exp(generator.standard_exponential(size=shape) / alpha))


def _tails(value: Array, alpha: Array, m: Array) -> tuple[Array, Array]:
    below, above = value <= m, value == numpy.inf
    log_survival = -alpha * log_ratio(select(np.logical_or(below, above), 2.0 * m, value), m)
    return lower_tail(below, above, log1mexp(log_survival)), upper_tail(below, above, log_survival)


Pareto = Distribution(
    name="Pareto",
    parameters=(Parameter("alpha", POSITIVE), Parameter("m", POSITIVE)),
    support=AT_LEAST,
    transform="lower",
    log_density=_log_density,
    draw=_draw,
    bounds=("m",),
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
"""Exponent `alpha` above the minimum `m`, as in PyMC; Stan says y_min and alpha, NumPyro scale and alpha."""
