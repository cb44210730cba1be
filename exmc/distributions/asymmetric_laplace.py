"""The asymmetric Laplace distribution."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter
from exmc.distributions.tails import lower_of, upper_of
from exmc.special import Array, log1mexp, select, softplus
from exmc.transforms import POSITIVE, REAL


def _log_density(value: Array, kappa: Array, mu: Array, b: Array) -> Array:
    distance = b * (value - mu)
    fall = select(distance > 0.0, kappa * distance, -distance / kappa)
    # 1 / (kappa + 1 / kappa), whose square would overflow before kappa does.
    log_kappa = np.log(kappa)
    return np.log(b) + log_kappa - softplus(2.0 * log_kappa) - fall


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], kappa: Array, mu: Array, b: Array
) -> NDArray[numpy.float64]:
    right, left = generator.standard_exponential(size=shape), generator.standard_exponential(size=shape)
    return numpy.asarray(mu + (right / kappa - left * kappa) / b)


def _tails(value: Array, kappa: Array, mu: Array, b: Array) -> tuple[Array, Array]:
    distance = b * (value - mu)
    right = distance > 0.0
    log_odds = 2.0 * np.log(kappa)
    tail = select(right, -kappa * distance - softplus(log_odds), distance / kappa - softplus(-log_odds))
    rest = log1mexp(tail)
    return select(right, rest, tail), select(right, tail, rest)


AsymmetricLaplace = Distribution(
    name="AsymmetricLaplace",
    parameters=(Parameter("kappa", POSITIVE), Parameter("mu"), Parameter("b", POSITIVE)),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    log_cdf=lower_of(_tails),
    log_ccdf=upper_of(_tails),
)
"""As in PyMC: `b` is a rate, the density falls at ``b * kappa`` to the right and at ``b / kappa`` to the left of `mu`.

NumPyro's scale is ``1 / b`` and its asymmetry is `kappa`; Stan has none.
"""
