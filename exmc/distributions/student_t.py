"""The Student t and Cauchy distributions, whole and folded at zero."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    LOG_PI,
    LOG_TWO,
    Distribution,
    Parameter,
    inside,
    log_of_probability,
    masked,
)
from exmc.special import Array, betainc, betaln, select, stdtr
from exmc.transforms import NONNEGATIVE, POSITIVE, REAL

_INV_PI = 0.3183098861837907


def _student_t_log_density(value: Array, nu: Array, mu: Array, sigma: Array) -> Array:
    z = (value - mu) / sigma
    scale = -np.log(sigma) - 0.5 * np.log(nu) - betaln(0.5 * nu, 0.5)
    return scale - 0.5 * (nu + 1.0) * np.log1p(z * z / nu)


def _student_t_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], nu: Array, mu: Array, sigma: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(mu + sigma * generator.standard_t(nu, size=shape))


def _student_t_log_cdf(value: Array, nu: Array, mu: Array, sigma: Array) -> Array:
    z = (value - mu) / sigma
    return log_of_probability(stdtr(nu, z), stdtr(nu, -z))


def _student_t_log_ccdf(value: Array, nu: Array, mu: Array, sigma: Array) -> Array:
    return _student_t_log_cdf(-value, nu, -mu, sigma)


def _half_student_t_log_density(value: Array, nu: Array, sigma: Array) -> Array:
    outside = value < 0.0
    within = inside(outside, value, 1.0)
    return masked(outside, LOG_TWO + _student_t_log_density(within, nu, 0.0, sigma))


def _half_student_t_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], nu: Array, sigma: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(numpy.abs(sigma * generator.standard_t(nu, size=shape)))


def _half_student_t_probabilities(z: Array, nu: Array) -> tuple[Array, Array]:
    """P(|T| <= z) and P(|T| > z) as beta probabilities (Abramowitz and Stegun 26.7.1): 2 * stdtr - 1 would cancel."""
    total = nu + z * z
    return betainc(0.5, 0.5 * nu, z * z / total), betainc(0.5 * nu, 0.5, nu / total)


def _half_student_t_log_cdf(value: Array, nu: Array, sigma: Array) -> Array:
    outside = value <= 0.0
    lower, upper = _half_student_t_probabilities(inside(outside, value, 1.0) / sigma, nu)
    return masked(outside, log_of_probability(lower, upper))


def _half_student_t_log_ccdf(value: Array, nu: Array, sigma: Array) -> Array:
    below = value <= 0.0
    lower, upper = _half_student_t_probabilities(inside(below, value, 1.0) / sigma, nu)
    return select(below, 0.0, log_of_probability(upper, lower))


def _cauchy_log_density(value: Array, alpha: Array, beta: Array) -> Array:
    z = (value - alpha) / beta
    return -LOG_PI - np.log(beta) - np.log1p(z * z)


def _cauchy_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(alpha + beta * generator.standard_cauchy(size=shape))


def _cauchy_log_ccdf(value: Array, alpha: Array, beta: Array) -> Array:
    return _cauchy_log_cdf(-value, -alpha, beta)


def _cauchy_log_cdf(value: Array, alpha: Array, beta: Array) -> Array:
    z = (value - alpha) / beta
    # The angle of (-z, 1) keeps its digits in both tails; 0.5 + arctan(z) / pi cancels in the left one.
    return log_of_probability(np.arctan2(1.0, -z) * _INV_PI, np.arctan2(1.0, z) * _INV_PI)


def _half_cauchy_log_density(value: Array, beta: Array) -> Array:
    outside = value < 0.0
    return masked(outside, LOG_TWO + _cauchy_log_density(inside(outside, value, 1.0), 0.0, beta))


def _half_cauchy_draw(generator: numpy.random.Generator, shape: tuple[int, ...], beta: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(numpy.abs(beta * generator.standard_cauchy(size=shape)))


def _half_cauchy_log_cdf(value: Array, beta: Array) -> Array:
    outside = value <= 0.0
    lower, upper = _half_cauchy_probabilities(inside(outside, value, 1.0) / beta)
    return masked(outside, log_of_probability(lower, upper))


def _half_cauchy_log_ccdf(value: Array, beta: Array) -> Array:
    below = value <= 0.0
    lower, upper = _half_cauchy_probabilities(inside(below, value, 1.0) / beta)
    return select(below, 0.0, log_of_probability(upper, lower))


def _half_cauchy_probabilities(z: Array) -> tuple[Array, Array]:
    return np.arctan2(z, 1.0) * (2.0 * _INV_PI), np.arctan2(1.0, z) * (2.0 * _INV_PI)


StudentT = Distribution(
    name="StudentT",
    parameters=(
        Parameter("nu", POSITIVE),
        Parameter("mu", default=0.0),
        Parameter("sigma", POSITIVE, default=1.0),
    ),
    support=REAL,
    transform="identity",
    log_density=_student_t_log_density,
    draw=_student_t_draw,
    log_cdf=_student_t_log_cdf,
    log_ccdf=_student_t_log_ccdf,
    location_scale=("mu", "sigma"),
)

HalfStudentT = Distribution(
    name="HalfStudentT",
    parameters=(Parameter("nu", POSITIVE), Parameter("sigma", POSITIVE, default=1.0)),
    support=NONNEGATIVE,
    transform="log",
    log_density=_half_student_t_log_density,
    draw=_half_student_t_draw,
    log_cdf=_half_student_t_log_cdf,
    log_ccdf=_half_student_t_log_ccdf,
)

Cauchy = Distribution(
    name="Cauchy",
    parameters=(Parameter("alpha"), Parameter("beta", POSITIVE)),
    support=REAL,
    transform="identity",
    log_density=_cauchy_log_density,
    draw=_cauchy_draw,
    log_cdf=_cauchy_log_cdf,
    log_ccdf=_cauchy_log_ccdf,
    location_scale=("alpha", "beta"),
)

HalfCauchy = Distribution(
    name="HalfCauchy",
    parameters=(Parameter("beta", POSITIVE),),
    support=NONNEGATIVE,
    transform="log",
    log_density=_half_cauchy_log_density,
    draw=_half_cauchy_draw,
    log_cdf=_half_cauchy_log_cdf,
    log_ccdf=_half_cauchy_log_ccdf,
)
