"""The normal distribution and its half and log relatives."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    HALF_LOG_TWO_PI,
    LOG_TWO,
    Distribution,
    Parameter,
    inside,
    log_of_probability,
    masked,
)
from exmc.special import Array, erf, erfc, log_ndtr, select
from exmc.transforms import NONNEGATIVE, POSITIVE, REAL

_INV_SQRT_TWO = 0.7071067811865476


def _normal_log_density(value: Array, mu: Array, sigma: Array) -> Array:
    z = (value - mu) / sigma
    return -0.5 * z * z - np.log(sigma) - HALF_LOG_TWO_PI


def _normal_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.normal(mu, sigma, size=shape))


def _normal_log_cdf(value: Array, mu: Array, sigma: Array) -> Array:
    return log_ndtr((value - mu) / sigma)


def _normal_log_ccdf(value: Array, mu: Array, sigma: Array) -> Array:
    return log_ndtr((mu - value) / sigma)


def _half_normal_log_density(value: Array, sigma: Array) -> Array:
    outside = value < 0.0
    z = inside(outside, value, 1.0) / sigma
    return masked(outside, -0.5 * z * z - np.log(sigma) - (HALF_LOG_TWO_PI - LOG_TWO))


def _half_normal_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], sigma: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(numpy.abs(generator.normal(0.0, sigma, size=shape)))


def _half_normal_log_cdf(value: Array, sigma: Array) -> Array:
    outside = value <= 0.0
    z = inside(outside, value, 1.0) * _INV_SQRT_TWO / sigma
    return masked(outside, log_of_probability(erf(z), erfc(z)))


def _half_normal_log_ccdf(value: Array, sigma: Array) -> Array:
    below = value <= 0.0
    z = inside(below, value, 1.0) / sigma
    near = z < 1.0
    close = np.log1p(-erf(select(near, z, 0.0) * _INV_SQRT_TWO))
    return select(below, 0.0, select(near, close, LOG_TWO + log_ndtr(-z)))


def _log_normal_log_density(value: Array, mu: Array, sigma: Array) -> Array:
    outside = value <= 0.0
    log_value = np.log(inside(outside, value, 1.0))
    return masked(outside, _normal_log_density(log_value, mu, sigma) - log_value)


def _log_normal_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.lognormal(mu, sigma, size=shape))


def _log_normal_log_cdf(value: Array, mu: Array, sigma: Array) -> Array:
    outside = value <= 0.0
    return masked(outside, _normal_log_cdf(np.log(inside(outside, value, 1.0)), mu, sigma))


def _log_normal_log_ccdf(value: Array, mu: Array, sigma: Array) -> Array:
    below = value <= 0.0
    return select(below, 0.0, _normal_log_ccdf(np.log(inside(below, value, 1.0)), mu, sigma))


Normal = Distribution(
    name="Normal",
    parameters=(Parameter("mu", default=0.0), Parameter("sigma", POSITIVE, default=1.0)),
    support=REAL,
    transform="identity",
    log_density=_normal_log_density,
    draw=_normal_draw,
    log_cdf=_normal_log_cdf,
    log_ccdf=_normal_log_ccdf,
    location_scale=("mu", "sigma"),
    symmetric=True,
)

HalfNormal = Distribution(
    name="HalfNormal",
    parameters=(Parameter("sigma", POSITIVE, default=1.0),),
    support=NONNEGATIVE,
    transform="log",
    log_density=_half_normal_log_density,
    draw=_half_normal_draw,
    log_cdf=_half_normal_log_cdf,
    log_ccdf=_half_normal_log_ccdf,
)

LogNormal = Distribution(
    name="LogNormal",
    parameters=(Parameter("mu", default=0.0), Parameter("sigma", POSITIVE, default=1.0)),
    support=POSITIVE,
    transform="log",
    log_density=_log_normal_log_density,
    draw=_log_normal_draw,
    log_cdf=_log_normal_log_cdf,
    log_ccdf=_log_normal_log_ccdf,
)
