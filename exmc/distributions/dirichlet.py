"""The Dirichlet distribution."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, masked, valid, with_axis
from exmc.distributions.stable import log_gamma_density
from exmc.special import Array, select
from exmc.transforms import POSITIVE, SIMPLEX
from exmc.transforms.supports import TOLERANCE


def _log_density(value: Array, alpha: Array) -> Array:
    outside = np.logical_or(np.any(value < 0.0, axis=-1), np.abs(np.sum(value, axis=-1) - 1.0) > TOLERANCE)
    inner = select(with_axis(outside), 0.5, value)
    # Gamma variables of any one rate, given that their total is 1. At this rate 1 is expected: no large terms cancel.
    total = np.sum(alpha, axis=-1)
    each = np.sum(log_gamma_density(inner, alpha, with_axis(total)), axis=-1)
    return masked(outside, valid(np.all(alpha > 0.0, axis=-1), each - log_gamma_density(1.0, total, total)))


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array) -> NDArray[numpy.float64]:
    # Gammas of a small shape underflow together: their logarithms, by one shape higher and a power of a uniform, do
    # not (Marsaglia and Tsang 2000, section 6).
    gammas = generator.standard_gamma(numpy.broadcast_to(alpha, shape) + 1.0)
    logs = numpy.log(gammas) + numpy.log1p(-generator.random(shape)) / alpha
    weights = numpy.exp(logs - numpy.max(logs, axis=-1, keepdims=True))
    return numpy.asarray(weights / numpy.sum(weights, axis=-1, keepdims=True))


Dirichlet = Distribution(
    name="Dirichlet",
    parameters=(Parameter("alpha", POSITIVE, event=("n",)),),
    support=SIMPLEX,
    transform="simplex",
    log_density=_log_density,
    draw=_draw,
    event=("n",),
)
