"""Formulas of densities whose large terms cancel on paper instead of in floats.

``a * log(x) - gammaln(a)`` for a = 1e8 is a difference of numbers near 1e9 and keeps seven digits after the point.
Written about the mode, what is left is a deviance of the density's own size and the error of Stirling's formula
(Loader 2000, "Fast and accurate computation of binomial probabilities").
"""

from __future__ import annotations

import autograd.numpy as np
import numpy

from exmc.distributions.base import HALF_LOG_TWO_PI
from exmc.special import Array, erf, erfcx, gammaln, i0e, log1mexp, select, xlogy

_SERIES_FROM = 10.0
# Bernoulli numbers B_2k / (2k (2k - 1)), k from 1 (Abramowitz and Stegun 6.1.41).
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
_LARGEST_EXPONENT = 709.0
_SMALL_EXPONENT = -40.0
_MILLS_SERIES_FROM = 60.0
_BESSEL_SERIES_FROM = 200.0
_INV_SQRT_TWO = 0.7071067811865476
_LOG_SQRT_HALF_PI = 0.22579135264472744
# Exact to the last digit where the integrand falls by a factor e or less.
_LEGENDRE = numpy.polynomial.legendre.leggauss(12)


def stirling_error(x: Array) -> Array:
    """``gammaln(x) - ((x - 1/2) log(x) - x + log(2 pi) / 2)`` for positive x, which goes to 0 as 1 / (12 x)."""
    large = x > _SERIES_FROM
    far = 1.0 / select(large, x, _SERIES_FROM)
    series = 0.0
    for coefficient in reversed(_STIRLING):
        series = coefficient + far * far * series
    near = select(large, 1.0, x)
    direct = gammaln(near) - (near - 0.5) * np.log(near) + near - HALF_LOG_TWO_PI
    return select(large, far * series, direct)


def log_rising(a: Array, k: Array) -> Array:
    """``gammaln(a + k) - gammaln(a)``, the log of a rising factorial, for positive a and k >= 0."""
    growth = (a - 0.5) * np.log1p(np.divide(k, a)) + k * (np.log(a + k) - 1.0)
    return growth + stirling_error(a + k) - stirling_error(a)


def log_gamma_density(x: Array, alpha: Array, beta: Array) -> Array:
    """The log density of the gamma distribution at x >= 0; on an edge its limit."""
    # The slope of log(x) is infinite on the edge, and is to reach x alone.
    term = xlogy(alpha - 1.0, x) + (alpha - 1.0) * np.log(beta)
    return np.log(beta) + log_gamma_density_by_term(beta * x, alpha, term)


def log_gamma_density_by_term(x: Array, alpha: Array, term: Array) -> Array:
    """`log_gamma_density` of rate 1 for who has ``(alpha - 1) log(x)`` where x underflows."""
    distance = x - alpha
    constant = -0.5 * np.log(alpha) - HALF_LOG_TWO_PI - stirling_error(alpha)
    return constant + _weighted_log_ratio(alpha - 1.0, alpha, distance, term) - distance


def log_beta_density(x: Array, y: Array, a: Array, b: Array) -> Array:
    """The log density of the beta distribution at x, where ``x + y == 1``; on an edge its limit."""
    return log_beta_density_by_terms(x, y, a, b, xlogy(a - 1.0, x), xlogy(b - 1.0, y))


def log_beta_density_by_terms(x: Array, y: Array, a: Array, b: Array, x_term: Array, y_term: Array) -> Array:
    """`log_beta_density` for who has ``(a - 1) log(x)`` and ``(b - 1) log(y)`` where x or y underflows."""
    total = a + b
    p, q = np.divide(a, total), np.divide(b, total)
    # Both logarithms see one and the same distance from the mean, so that its rounding cancels between them.
    distance = select(p < 0.5, x - p, q - y)
    left = _weighted_log_ratio(a - 1.0, p, distance, x_term)
    right = _weighted_log_ratio(b - 1.0, q, -distance, y_term)
    # 1 / B(a, b) by Stirling's formula; the powers of a, b and their total have gone into p and q.
    constant = 1.5 * np.log(total) - 0.5 * (np.log(a) + np.log(b)) - HALF_LOG_TWO_PI
    return constant + left + right - (stirling_error(a) + stirling_error(b) - stirling_error(total))


def _weighted_log_ratio(weight: Array, mean: Array, distance: Array, term: Array) -> Array:
    """``weight * log(x / mean)``, given ``distance = x - mean`` and ``term = weight * log(x)``."""
    near = np.abs(distance) < 0.5 * mean
    close = weight * np.log1p(select(near, distance, 0.0) / mean)
    return select(near, close, term - weight * np.log(mean))


def log_ratio(x: Array, y: Array) -> Array:
    """``log(x / y)`` for positive x and y, with its digits near 0 too, where the quotient has rounded them away."""
    distance = x - y
    near = np.abs(distance) < 0.5 * y
    return select(near, np.log1p(select(near, distance, 0.0) / y), np.log(x) - np.log(y))


def exp_or_infinity(x: Array) -> Array:
    """``exp(x)``, infinite with a gradient of zero where it overflows, without a warning."""
    overflows = x > _LARGEST_EXPONENT
    return select(overflows, numpy.inf, np.exp(select(overflows, 0.0, x)))


def log1mexp_exp(x: Array) -> Array:
    """``log(1 - exp(-exp(x)))``, which is x in the left tail, where ``exp(x)`` would underflow."""
    small = x < _SMALL_EXPONENT
    return select(small, x, log1mexp(-exp_or_infinity(select(small, 0.0, x))))


def log_mills(t: Array) -> Array:
    """The log of Mills' ratio, the upper tail of the standard normal over its density, for t >= 0."""
    large = t > _MILLS_SERIES_FROM
    far = 1.0 / select(large, t, _MILLS_SERIES_FROM)
    square = far * far
    # The derivative of `erfcx` cancels here; the asymptotic series (Abramowitz and Stegun 26.2.12) does not.
    series = np.log(far) + np.log1p(-square * (1.0 - square * (3.0 - square * (15.0 - 105.0 * square))))
    return select(large, series, _LOG_SQRT_HALF_PI + np.log(erfcx(select(large, 0.0, t) * _INV_SQRT_TWO)))


def log_i0e(x: Array) -> Array:
    """The log of ``exp(-x) * I_0(x)`` for positive x."""
    large = x > _BESSEL_SERIES_FROM
    far = 1.0 / select(large, x, _BESSEL_SERIES_FROM)
    # The derivative of `i0e` cancels here; the asymptotic series (Abramowitz and Stegun 9.7.1) does not.
    series = 0.0
    for k in range(6, 0, -1):
        series = (2 * k - 1) ** 2 / (8 * k) * far * (1.0 + series)
    asymptotic = 0.5 * np.log(far) - HALF_LOG_TWO_PI + np.log1p(series)
    return select(large, asymptotic, np.log(i0e(select(large, 1.0, x))))


def log_normal_mass(low: Array, high: Array, width: Array) -> Array:
    """The log of the standard normal's probability between `low` and `high`, where ``0 < width == high - low``."""
    # Mirrored so that the bound nearer to 0 is the lower one.
    mirrored = low + high < 0.0
    near, far = select(mirrored, -high, low), select(mirrored, -low, high)
    around = near < 0.0
    # Around 0 both terms are positive.
    sides = np.log(0.5 * (erf(_INV_SQRT_TWO * far) - erf(_INV_SQRT_TWO * select(around, near, 0.0))))
    # Beside it, the tail beyond `near` less that beyond `far`; where these are alike, by Gauss-Legendre.
    start = select(around, 0.0, near)
    fall = width * (start + 0.5 * width)
    thin = fall < 1.0
    ratio = log_mills(select(thin, start + 1.0, far)) - log_mills(start) - select(thin, 1.0, fall)
    thick = log_mills(start) + log1mexp(ratio)
    points, weights = (np.reshape(column, (-1, *([1] * np.ndim(fall)))) for column in _LEGENDRE)
    step = (0.5 * points + 0.5) * select(thin, width, 0.0)
    slices = np.sum(weights * np.exp(-step * (start + 0.5 * step)), axis=0)
    beside = select(thin, np.log(0.5 * width) + np.log(slices), thick) - 0.5 * start * start - HALF_LOG_TWO_PI
    return select(around, sides, beside)
