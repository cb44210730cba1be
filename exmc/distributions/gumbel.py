"""The Gumbel distribution of maxima."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter
from exmc.distributions.stable import exp_or_infinity, log1mexp_exp
from exmc.special import Array
from exmc.transforms import POSITIVE, REAL


def _log_density(value: Array, mu: Array, beta: Array) -> Array:
    z = (value - mu) / beta
    return -z - exp_or_infinity(-z) - np.log(beta)


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, beta: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.gumbel(mu, beta, size=shape))


def _log_cdf(value: Array, mu: Array, beta: Array) -> Array:
    return -exp_or_infinity((mu - value) / beta)


def _log_ccdf(value: Array, mu: Array, beta: Array) -> Array:
    return log1mexp_exp((mu - value) / beta)


Gumbel = Distribution(
    name="Gumbel",
    parameters=(Parameter("mu"), Parameter("beta", POSITIVE)),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
    location_scale=("mu", "beta"),
)
"""Names as in PyMC and Stan; NumPyro says loc and scale."""
