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
    lower_tail,
    masked,
    upper_tail,
    valid,
)
from exmc.distributions.stable import log_rising
from exmc.distributions.tails import log_beta_tails, log_integral, lower_of, upper_of
from exmc.special import Array, expit, log1mexp, select
from exmc.transforms import NONNEGATIVE, POSITIVE, REAL

_INV_PI = 0.3183098861837907


def _student_t_log_density(value: Array, nu: Array, mu: Array, sigma: Array) -> Array:
    z = (value - mu) / sigma
    scale = log_rising(0.5 * nu, 0.5) - 0.5 * (np.log(nu) + LOG_PI) - np.log(sigma)
    return valid(nu > 0.0, scale - 0.5 * (nu + 1.0) * np.log1p(z * z / nu))


def _student_t_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], nu: Array, mu: Array, sigma: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(mu + sigma * generator.standard_t(nu, size=shape))


def _student_t_log_cdf(value: Array, nu: Array, mu: Array, sigma: Array) -> Array:
    below, above = value == -numpy.inf, value == numpy.inf
    z = (inside(np.logical_or(below, above), value, 0.0) - mu) / sigma
    left = z < 0.0
    size = select(left, -z, z) / np.sqrt(nu)
    # With t = sqrt(nu) sinh(u) the density is cosh(u) to the power -nu, which is log-concave.
    start = np.arcsinh(size)

    def exponent(w: Array) -> Array:
        return -nu * (w + np.log1p(expit(-2.0 * start) * np.expm1(-2.0 * w)))

    at_start = log_rising(0.5 * nu, 0.5) - 0.5 * (LOG_PI + nu * np.log1p(size * size))
    tail = at_start + log_integral(exponent, nu * size)
    return lower_tail(below, above, select(left, tail, log1mexp(tail)))


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


def _half_student_t_tails(value: Array, nu: Array, sigma: Array) -> tuple[Array, Array]:
    below, above = value <= 0.0, value == numpy.inf
    z = inside(np.logical_or(below, above), value, 1.0) / sigma
    total = nu + z * z
    # P(|T| <= z) as a beta probability (Abramowitz and Stegun 26.7.1): twice that of T, less 1, would cancel near zero.
    lower, upper = log_beta_tails(z * z / total, nu / total, 0.5, 0.5 * nu)
    return lower_tail(below, above, lower), upper_tail(below, above, upper)


def _cauchy_log_density(value: Array, alpha: Array, beta: Array) -> Array:
    z = (value - alpha) / beta
    return -LOG_PI - np.log(beta) - np.log1p(z * z)


def _cauchy_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(alpha + beta * generator.standard_cauchy(size=shape))


def _cauchy_log_cdf(value: Array, alpha: Array, beta: Array) -> Array:
    z = (value - alpha) / beta
    # The angle of (-z, 1) keeps its digits in both tails; 0.5 + arctan(z) / pi cancels in the left one.
    return log_of_probability(np.arctan2(1.0, -z) * _INV_PI, np.arctan2(1.0, z) * _INV_PI)


def _cauchy_log_ccdf(value: Array, alpha: Array, beta: Array) -> Array:
    return _cauchy_log_cdf(-value, -alpha, beta)


def _half_cauchy_log_density(value: Array, beta: Array) -> Array:
    outside = value < 0.0
    return masked(outside, LOG_TWO + _cauchy_log_density(inside(outside, value, 1.0), 0.0, beta))


def _half_cauchy_draw(generator: numpy.random.Generator, shape: tuple[int, ...], beta: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(numpy.abs(beta * generator.standard_cauchy(size=shape)))


def _half_cauchy_tails(value: Array, beta: Array) -> tuple[Array, Array]:
    below = value <= 0.0
    z = inside(below, value, 1.0) / beta
    lower, upper = np.arctan2(z, 1.0) * (2.0 * _INV_PI), np.arctan2(1.0, z) * (2.0 * _INV_PI)
    return (
        lower_tail(below, False, log_of_probability(lower, upper)),
        upper_tail(below, False, log_of_probability(upper, lower)),
    )


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
    symmetric=True,
)

HalfStudentT = Distribution(
    name="HalfStudentT",
    parameters=(Parameter("nu", POSITIVE), Parameter("sigma", POSITIVE, default=1.0)),
    support=NONNEGATIVE,
    transform="log",
    log_density=_half_student_t_log_density,
    draw=_half_student_t_draw,
    log_cdf=lower_of(_half_student_t_tails),
    log_ccdf=upper_of(_half_student_t_tails),
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
    symmetric=True,
)

HalfCauchy = Distribution(
    name="HalfCauchy",
    parameters=(Parameter("beta", POSITIVE),),
    support=NONNEGATIVE,
    transform="log",
    log_density=_half_cauchy_log_density,
    draw=_half_cauchy_draw,
    log_cdf=lower_of(_half_cauchy_tails),
    log_ccdf=upper_of(_half_cauchy_tails),
)
