"""The gamma, inverse gamma and exponential distributions; `beta` and `rate` are rates, as in PyMC and Stan."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, inside, log_of_probability, masked, valid
from exmc.special import Array, gammainc, gammaincc, gammaln, log1mexp, xlogy
from exmc.transforms import NONNEGATIVE, POSITIVE


def _gamma_log_density(value: Array, alpha: Array, beta: Array) -> Array:
    # Infinity would give inf - inf.
    outside = np.logical_or(value < 0.0, value == numpy.inf)
    within = inside(outside, value, 1.0)
    scale = valid(alpha > 0.0, alpha * np.log(beta) - gammaln(alpha))
    return masked(outside, scale + xlogy(alpha - 1.0, within) - beta * within)


def _gamma_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.standard_gamma(alpha, size=shape) / beta)


def _gamma_log_cdf(value: Array, alpha: Array, beta: Array) -> Array:
    outside = value <= 0.0
    scaled = beta * inside(outside, value, 1.0)
    return masked(outside, log_of_probability(gammainc(alpha, scaled), gammaincc(alpha, scaled)))


def _inverse_gamma_log_density(value: Array, alpha: Array, beta: Array) -> Array:
    outside = value <= 0.0
    within = inside(outside, value, 1.0)
    scale = valid(alpha > 0.0, alpha * np.log(beta) - gammaln(alpha))
    return masked(outside, scale - (alpha + 1.0) * np.log(within) - beta / within)


def _inverse_gamma_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], alpha: Array, beta: Array
) -> NDArray[numpy.float64]:
    # A gamma draw of a small shape may underflow to 0: then the draw is beyond the largest float.
    with numpy.errstate(divide="ignore", over="ignore"):
        return numpy.asarray(beta / generator.standard_gamma(alpha, size=shape))


def _inverse_gamma_log_cdf(value: Array, alpha: Array, beta: Array) -> Array:
    outside = value <= 0.0
    scaled = beta / inside(outside, value, 1.0)
    return masked(outside, log_of_probability(gammaincc(alpha, scaled), gammainc(alpha, scaled)))


def _exponential_log_density(value: Array, rate: Array) -> Array:
    outside = value < 0.0
    return masked(outside, np.log(rate) - rate * inside(outside, value, 1.0))


def _exponential_draw(generator: numpy.random.Generator, shape: tuple[int, ...], rate: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(generator.standard_exponential(size=shape) / rate)


def _exponential_log_cdf(value: Array, rate: Array) -> Array:
    outside = value <= 0.0
    return masked(outside, log1mexp(-rate * inside(outside, value, 1.0)))


Gamma = Distribution(
    name="Gamma",
    parameters=(Parameter("alpha", POSITIVE), Parameter("beta", POSITIVE)),
    support=NONNEGATIVE,
    transform="log",
    log_density=_gamma_log_density,
    draw=_gamma_draw,
    log_cdf=_gamma_log_cdf,
)

InverseGamma = Distribution(
    name="InverseGamma",
    parameters=(Parameter("alpha", POSITIVE), Parameter("beta", POSITIVE)),
    support=POSITIVE,
    transform="log",
    log_density=_inverse_gamma_log_density,
    draw=_inverse_gamma_draw,
    log_cdf=_inverse_gamma_log_cdf,
)

Exponential = Distribution(
    name="Exponential",
    parameters=(Parameter("rate", POSITIVE),),
    support=NONNEGATIVE,
    transform="log",
    log_density=_exponential_log_density,
    draw=_exponential_draw,
    log_cdf=_exponential_log_cdf,
)
