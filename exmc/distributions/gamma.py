"""The gamma, inverse gamma, exponential and chi-squared distributions."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, lower_tail, masked, upper_tail, valid
from exmc.distributions.stable import log1mexp_exp, log_gamma_density
from exmc.distributions.tails import log_gamma_tails, lower_of, upper_of
from exmc.special import Array
from exmc.transforms import NONNEGATIVE, POSITIVE


def _gamma_log_density(value: Array, alpha: Array, beta: Array) -> Array:
    # Infinity would give inf - inf.
    outside = np.logical_or(value < 0.0, value == numpy.inf)
    return masked(outside, valid(alpha > 0.0, log_gamma_density(inside(outside, value, 1.0), alpha, beta)))


def _gamma_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.standard_gamma(alpha, size=shape) / beta)


def _gamma_tails(value: Array, alpha: Array, beta: Array) -> tuple[Array, Array]:
    below, above = value <= 0.0, value == numpy.inf
    lower, upper = log_gamma_tails(beta * inside(np.logical_or(below, above), value, 1.0), alpha)
    return lower_tail(below, above, lower), upper_tail(below, above, upper)


def _inverse_gamma_log_density(value: Array, alpha: Array, beta: Array) -> Array:
    outside = np.logical_or(value <= 0.0, value == numpy.inf)
    within = inside(outside, value, 1.0)
    # The density of beta / value, a gamma variable, times its slope beta / value**2.
    reciprocal = log_gamma_density(beta / within, alpha, 1.0)
    return masked(outside, valid(alpha > 0.0, reciprocal + np.log(beta) - 2.0 * np.log(within)))


def _inverse_gamma_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    # A gamma draw of a small shape may underflow to 0: then the draw is beyond the largest float.
    with numpy.errstate(divide="ignore", over="ignore"):
        return numpy.asarray(beta / generator.standard_gamma(alpha, size=shape))


def _inverse_gamma_tails(value: Array, alpha: Array, beta: Array) -> tuple[Array, Array]:
    below, above = value <= 0.0, value == numpy.inf
    upper, lower = log_gamma_tails(beta / inside(np.logical_or(below, above), value, 1.0), alpha)
    return lower_tail(below, above, lower), upper_tail(below, above, upper)


def _exponential_log_density(value: Array, rate: Array) -> Array:
    outside = value < 0.0
    return masked(outside, np.log(rate) - rate * inside(outside, value, 1.0))


def _exponential_draw(generator: numpy.random.Generator, shape: tuple[int, ...], rate: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.standard_exponential(size=shape) / rate)


def _exponential_log_cdf(value: Array, rate: Array) -> Array:
    below = value <= 0.0
    return masked(below, log1mexp_exp(np.log(rate) + np.log(inside(below, value, 1.0))))


def _exponential_log_ccdf(value: Array, rate: Array) -> Array:
    return -rate * inside(value <= 0.0, value, 0.0)


def _chi_squared_log_density(value: Array, nu: Array) -> Array:
    return _gamma_log_density(value, 0.5 * nu, 0.5)


def _chi_squared_draw(generator: numpy.random.Generator, shape: tuple[int, ...], nu: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.chisquare(nu, size=shape))


def _chi_squared_tails(value: Array, nu: Array) -> tuple[Array, Array]:
    return _gamma_tails(value, 0.5 * nu, 0.5)


Gamma = Distribution(
    name="Gamma",
    parameters=(Parameter("alpha", POSITIVE), Parameter("beta", POSITIVE)),
    support=NONNEGATIVE,
    transform="log",
    log_density=_gamma_log_density,
    draw=_gamma_draw,
    log_cdf=lower_of(_gamma_tails),
    log_ccdf=upper_of(_gamma_tails),
)

InverseGamma = Distribution(
    name="InverseGamma",
    parameters=(Parameter("alpha", POSITIVE), Parameter("beta", POSITIVE)),
    support=POSITIVE,
    transform="log",
    log_density=_inverse_gamma_log_density,
    draw=_inverse_gamma_draw,
    log_cdf=lower_of(_inverse_gamma_tails),
    log_ccdf=upper_of(_inverse_gamma_tails),
)

Exponential = Distribution(
    name="Exponential",
    parameters=(Parameter("rate", POSITIVE),),
    support=NONNEGATIVE,
    transform="log",
    log_density=_exponential_log_density,
    draw=_exponential_draw,
    log_cdf=_exponential_log_cdf,
    log_ccdf=_exponential_log_ccdf,
)

ChiSquared = Distribution(
    name="ChiSquared",
    parameters=(Parameter("nu", POSITIVE),),
    support=NONNEGATIVE,
    transform="log",
    log_density=_chi_squared_log_density,
    draw=_chi_squared_draw,
    log_cdf=lower_of(_chi_squared_tails),
    log_ccdf=upper_of(_chi_squared_tails),
)
"""`nu` degrees of freedom: ``Gamma(nu / 2, 1 / 2)``. NumPyro's Chi2 calls them `df`."""
