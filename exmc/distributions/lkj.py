"""The Lewandowski-Kurowicka-Joe distribution of Cholesky factors, of correlations and of covariances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import LOG_PI, Distribution, Form, Parameter, valid, with_axis
from exmc.distributions.law import Law
from exmc.distributions.stable import log_rising
from exmc.errors import ModelError
from exmc.special import Array, xlogy
from exmc.transforms import CHOLESKY_CORR, CHOLESKY_COV, POSITIVE


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
        total = total + 0.5 * k * LOG_PI - log_rising(concentration, 0.5 * k)
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


def _scales(value: Array) -> Array:
    """The standard deviations of the covariances with the factors `value`, shape (..., n)."""
    return np.sqrt(np.sum(value * value, axis=-1))


def _cov_form(parts: Mapping[str, Any]) -> Form:
    form: Form = parts["sd_dist"]
    if form.rank or form.discrete or form.support.edges[0] is None:
        raise ModelError(
            "standard deviations have a distribution of positive numbers.",
            where=("sd_dist",),
            remedy="Use Exponential, HalfNormal, LogNormal or another of them.",
        )
    return Form(CHOLESKY_COV, "cholesky_cov", ("n", "n"))


def _cov_log_density(value: Array, eta: Array, sd_dist: Law, n: str = "") -> Array:
    scales = _scales(value)
    size = np.shape(value)[-1]
    # Row k of the factor is its length times a point of a half sphere of k dimensions (counted from 0), which is
    # measured by all but its last coordinate: the volume is length ** k over that coordinate.
    diagonal = np.reshape(value, (*np.shape(value)[:-2], size * size))[..., :: size + 1]
    volume = np.log(diagonal[..., 1:]) - numpy.arange(2.0, size + 1.0) * np.log(scales[..., 1:])
    correlations = _log_density(value / with_axis(scales), eta)
    return sd_dist.log_density_of_vectors(scales) + correlations + np.sum(volume, axis=-1)


def _cov_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], eta: Array, sd_dist: Law, n: str = ""
) -> NDArray[numpy.float64]:
    scales = sd_dist.draw(generator, shape[:-1])
    return numpy.asarray(scales[..., None] * _draw(generator, shape, eta))


LKJCholeskyCov = Distribution(
    name="LKJCholeskyCov",
    parameters=(
        Parameter("n", takes="size", optional=True),
        Parameter("eta", POSITIVE, default=1.0),
        Parameter("sd_dist", event=("n",), takes="distribution"),
    ),
    support=CHOLESKY_COV,
    transform="cholesky_cov",
    log_density=_cov_log_density,
    draw=_cov_draw,
    event=("n", "n"),
    form=_cov_form,
)
"""Names as in PyMC; `n` may be left out where the variable has dims or `sd_dist` has vectors of parameters.

A value is the Cholesky factor alone: `standard_deviations` and `correlations` of it are functions of expressions.
"""
