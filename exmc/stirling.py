"""Stirling's formula where the difference of two logarithms of gamma functions would lose its digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np

Array = Any
"""A number, a numpy array or an autograd box around one."""

_HALF_LOG_2_PI = 0.9189385332046727
# What Stirling's formula leaves of the logarithm of the gamma function, by powers of 1 / x**2, after 1 / x.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
_LARGE = 10.0


def _stirling_rest(x: Array) -> Array:
    square, total = 1.0 / (x * x), _STIRLING[-1]
    for coefficient in _STIRLING[-2::-1]:
        total = total * square + coefficient
    return total / x


def log_beta(a: Array, b: Array, gammaln: Callable[[Array], Array]) -> Array:
    """The logarithm of the beta function for positive a and b, given that of the gamma function.

    For arguments from 10 on, the large terms of Stirling's formula are subtracted on paper (Didonato and Morris 1992,
    "Algorithm 708", section 5). All branches are evaluated everywhere, so that the text can be vectorised.
    """
    p, q = np.minimum(a, b), np.maximum(a, b)
    large = q >= _LARGE
    some, both = np.where(large, q, _LARGE), np.where(p >= _LARGE, p, _LARGE)
    q_rest = _stirling_rest(some) - _stirling_rest(p + some)
    ratio = p / (p + some)
    one = gammaln(p) + q_rest + p - p * np.log(p + some) + (some - 0.5) * np.log1p(-ratio)
    two = (
        (_HALF_LOG_2_PI - 0.5 * np.log(some))
        + (_stirling_rest(both) + _stirling_rest(some) - _stirling_rest(both + some))
        + (both - 0.5) * np.log(both / (both + some))
        + some * np.log1p(-both / (both + some))
    )
    small = np.where(large, 1.0, q)
    none = gammaln(p) + gammaln(small) - gammaln(p + small)
    return np.where(p >= _LARGE, two, np.where(large, one, none))
