"""Distributions of whole numbers from 0 that a latent variable has between increasing cutpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import (
    Distribution,
    Parameter,
    chosen,
    lower_tail,
    masked,
    not_integer,
    upper_tail,
    valid,
    with_axis,
)
from exmc.distributions.stable import log_normal_mass
from exmc.distributions.tails import lower_of, upper_of
from exmc.late import Late
from exmc.special import Array, log1mexp, log_expit, log_ndtr, select
from exmc.transforms import INTEGER_INTERVAL, ORDERED, POSITIVE

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")


class _Latent(NamedTuple):
    """A standard variable, symmetric about 0.

    Attributes
    ----------
    log_cdf
        ``log_cdf(z)`` -> log P(Z <= z), which is log P(Z >= -z).
    log_mass
        ``log_mass(low, high, width)`` -> log P(low < Z <= high), where 0 < width = high - low.
    """

    log_cdf: Callable[[Array], Array]
    log_mass: Callable[[Array, Array, Array], Array]


def _logistic_mass(low: Array, high: Array, width: Array) -> Array:
    # expit(high) - expit(low) = expit(high) expit(-low) (1 - exp(low - high))
    return log_expit(high) + log_expit(-low) + log1mexp(-width)


_LOGISTIC = _Latent(log_expit, _logistic_mass)
_NORMAL = _Latent(log_ndtr, log_normal_mass)


def _log_probability(latent: _Latent, value: Array, eta: Array, cutpoints: Array, sigma: Array) -> Array:
    last = np.shape(cutpoints)[-1]
    outside = np.logical_or(np.logical_or(value < 0, value > last), not_integer(value))
    place = np.where(np.logical_or(outside, np.isnan(value)), 0, value)
    lowest, highest = place == 0, place == last
    start, stop = chosen(cutpoints, np.maximum(place - 1, 0)), chosen(cutpoints, np.minimum(place, last - 1))
    low, high, width = (np.divide(distance, sigma) for distance in (start - eta, stop - eta, stop - start))
    # Elsewhere any interval: there is none below the lowest cutpoint, nor between two that are out of order.
    between = np.logical_and(np.logical_not(np.logical_or(lowest, highest)), width > 0.0)
    inner = latent.log_mass(*(select(between, x, other) for x, other in ((low, 0.0), (high, 1.0), (width, 1.0))))
    density = select(lowest, latent.log_cdf(high), select(highest, latent.log_cdf(-low), inner))
    ordered = np.all(cutpoints[..., 1:] > cutpoints[..., :-1], axis=-1)
    return masked(outside, valid(ordered, density) + np.where(np.isnan(value), numpy.nan, 0.0))


def _log_tails(latent: _Latent, value: Array, eta: Array, cutpoints: Array, sigma: Array) -> tuple[Array, Array]:
    last = np.shape(cutpoints)[-1]
    below, above = value < 0, value >= last
    place = np.where(np.logical_or(np.logical_or(below, above), np.isnan(value)), 0, np.floor(value))
    cut = np.divide(chosen(cutpoints, place) - eta, sigma) + np.where(np.isnan(value), numpy.nan, 0.0)
    ordered = np.all(cutpoints[..., 1:] > cutpoints[..., :-1], axis=-1)
    lower, upper = lower_tail(below, above, latent.log_cdf(cut)), upper_tail(below, above, latent.log_cdf(-cut))
    return valid(ordered, lower), valid(ordered, upper)


def _categories(latent: Array, cutpoints: Array) -> NDArray[numpy.int64]:
    return numpy.asarray(numpy.sum(with_axis(latent) > cutpoints, axis=-1), dtype=numpy.int64)


def _logistic_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], eta: Array, cutpoints: Array
) -> NDArray[numpy.int64]:
    return _categories(eta + scipy_special.logit(generator.random(shape)), cutpoints)


def _probit_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], eta: Array, cutpoints: Array, sigma: Array
) -> NDArray[numpy.int64]:
    return _categories(generator.normal(eta, sigma, size=shape), cutpoints)


def _limits(eta: Array, cutpoints: Array, sigma: Array = None) -> tuple[int, ...]:
    return (np.shape(cutpoints)[-1],)


def _logistic_log_density(value: Array, eta: Array, cutpoints: Array) -> Array:
    return _log_probability(_LOGISTIC, value, eta, cutpoints, 1.0)


def _logistic_log_tails(value: Array, eta: Array, cutpoints: Array) -> tuple[Array, Array]:
    return _log_tails(_LOGISTIC, value, eta, cutpoints, 1.0)


def _probit_log_density(value: Array, eta: Array, cutpoints: Array, sigma: Array) -> Array:
    return valid(sigma > 0.0, _log_probability(_NORMAL, value, eta, cutpoints, sigma))


def _probit_log_tails(value: Array, eta: Array, cutpoints: Array, sigma: Array) -> tuple[Array, Array]:
    return _log_tails(_NORMAL, value, eta, cutpoints, sigma)


OrderedLogistic = Distribution(
    name="OrderedLogistic",
    parameters=(Parameter("eta"), Parameter("cutpoints", ORDERED, event=("k",))),
    support=INTEGER_INTERVAL,
    log_density=_logistic_log_density,
    draw=_logistic_draw,
    log_cdf=lower_of(_logistic_log_tails),
    log_ccdf=upper_of(_logistic_log_tails),
    limits=_limits,
)

OrderedProbit = Distribution(
    name="OrderedProbit",
    parameters=(
        Parameter("eta"),
        Parameter("cutpoints", ORDERED, event=("k",)),
        Parameter("sigma", POSITIVE, default=1.0),
    ),
    support=INTEGER_INTERVAL,
    log_density=_probit_log_density,
    draw=_probit_draw,
    log_cdf=lower_of(_probit_log_tails),
    log_ccdf=upper_of(_probit_log_tails),
    limits=_limits,
)
