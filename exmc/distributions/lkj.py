"""The Lewandowski-Kurowicka-Joe distribution of Cholesky factors of correlation matrices."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import LOG_PI, Distribution, Parameter, valid, with_axis
from exmc.special import Array, gammaln, xlogy
from exmc.transforms import CHOLESKY_CORR, POSITIVE


def _log_density(value: Array, eta: Array) -> Array:
    size = np.shape(value)[-1]
    flat = np.reshape(value, (*np.shape(value)[:-2], size * size))
    diagonal = flat[..., :: size + 1]
    # From the correlation matrix to its factor: the product of L_kk ** (K - k); its determinant is that of L_kk ** 2.
    powers = numpy.arange(size - 1.0, -1.0, -1.0) + 2.0 * with_axis(eta - 1.0)
    terms = np.sum(xlogy(powers[..., 1:], diagonal[..., 1:]), axis=-1)
    return valid(eta > 0.0, terms - _log_normalizer(eta, size))


def _log_normalizer(eta: Array, size: int) -> Array:
    """Lewandowski, Kurowicka and Joe (2009), equation 17, as Stan and LKJ's section 3.3 write it."""
    total = 0.0 * eta
    for k in range(1, size):
        concentration = eta + 0.5 * (size - 1.0 - k)
        total = total + 0.5 * k * LOG_PI + gammaln(concentration) - gammaln(concentration + 0.5 * k)
    return total


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], eta: Array) -> NDArray[numpy.float64]:
    """By the onion method (section 3.2): each row is a random direction times the root of a beta variable."""
    size = shape[-1]
    eta = numpy.broadcast_to(eta, shape[:-2])
    lower = numpy.zeros(shape)
    lower[..., 0, 0] = 1.0
    for k in range(1, size):
        squared = generator.beta(0.5 * k, eta + 0.5 * (size - 1.0 - k))
        direction = generator.standard_normal((*shape[:-2], k))
        direction /= numpy.linalg.norm(direction, axis=-1, keepdims=True)
        lower[..., k, :k] = direction * numpy.sqrt(squared)[..., None]
        lower[..., k, k] = numpy.sqrt(1.0 - squared)
    return lower


LKJCholesky = Distribution(
    name="LKJCholesky",
    parameters=(Parameter("eta", POSITIVE, default=1.0),),
    support=CHOLESKY_CORR,
    transform="cholesky_corr",
    log_density=_log_density,
    draw=_draw,
    event=("n", "n"),
)
