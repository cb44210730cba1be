"""Quantiles of chi-squared distributions."""

from __future__ import annotations

import math

import numpy as np

_STEPS = 50


def chi_squared_quantile(freedom: int, share: float) -> float:
    """What a chi-squared variable with `freedom` degrees exceeds with probability `share`.

    Newton's steps on the logarithm of the tail, from Wilson & Hilferty's cube (1931); the tail of a whole number of
    degrees is a finite sum (Abramowitz & Stegun 26.4.4 and 26.4.5). scipy takes a tenth of a second to be imported.
    """
    ninth = 2.0 / (9.0 * freedom)
    x = freedom * max(1.0 - ninth + 1.6448536269514722 * math.sqrt(ninth), 0.1) ** 3
    for _ in range(_STEPS):
        tail, density = _tail(freedom, x)
        step = tail * math.log(tail / share) / density
        x = max(x + step, 0.5 * x)
        if abs(step) <= 1e-14 * x:
            break
    return x


def _tail(freedom: int, x: float) -> tuple[float, float]:
    """The probability of more than `x`, and the density there."""
    half = 0.5 * x
    first = 1.5 if freedom % 2 else 1.0
    powers = np.arange(first, 0.5 * freedom + 0.25)
    # The sum of x^(p - 1) exp(-x) / gamma(p), p being the `powers`.
    logs = np.concatenate([[math.lgamma(first)], np.log(powers[:-1])]).cumsum()[: powers.size]
    tail = float(np.exp((powers - 1.0) * math.log(half) - half - logs).sum())
    if freedom % 2:
        tail += math.erfc(math.sqrt(half))
    shape = 0.5 * freedom
    return tail, 0.5 * math.exp((shape - 1.0) * math.log(half) - half - math.lgamma(shape))
