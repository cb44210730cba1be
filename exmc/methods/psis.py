"""Pareto smoothed importance sampling: weights of draws from an approximation, and how far they can be trusted."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_FEWEST_IN_TAIL = 5
_ROUNDING = 1e-8
# The weakly informative prior of the shape: ten draws' worth of 0.5 (Vehtari et al. 2024, appendix G).
_PRIOR_DRAWS, _PRIOR_SHAPE = 10, 0.5


class Smoothed(NamedTuple):
    """Normalised weights, shape (draws,), and the shape k of their tail; infinite where the tail cannot be fitted."""

    weights: FloatArray
    pareto_k: float


def smooth(log_ratios: FloatArray) -> Smoothed:
    """Weights of draws whose log importance ratios are these, the largest smoothed by a Pareto tail.

    Vehtari, Simpson, Gelman, Yao & Gabry, "Pareto smoothed importance sampling" (2024), algorithm 1; the tail has
    min(S / 5, 3 sqrt(S)) of the S draws. A ratio that is NaN or -inf weighs nothing. With k above 0.7 estimates made
    with the weights, and the approximation itself, are not to be trusted.
    """
    shifted = np.where(np.isnan(log_ratios), -np.inf, log_ratios)
    if not np.isfinite(shifted.max(initial=-np.inf)):
        return Smoothed(np.full(shifted.size, 1.0 / max(shifted.size, 1)), math.inf)
    shifted = shifted - shifted.max()
    if shifted.min() > -_ROUNDING:
        # The ratios are one number: the approximation is exact, and no shape can be told.
        return Smoothed(np.full(shifted.size, 1.0 / shifted.size), 0.0)
    count = math.floor(min(0.2 * shifted.size, 3.0 * math.sqrt(shifted.size)))
    order = np.argsort(shifted, kind="stable")
    tail, pareto_k = order[-count:], math.inf
    if _FEWEST_IN_TAIL <= count < shifted.size:
        # What weighs nothing is below the tail, but has a finite logarithm there.
        cutoff = math.exp(max(shifted[order[-count - 1]], math.log(np.finfo(np.float64).tiny)))
        excess = np.exp(shifted[tail]) - cutoff
        if excess[0] > 0.0:
            pareto_k, scale = fit_pareto(excess)
            smoothed = np.log(_quantiles(pareto_k, scale, count) + cutoff)
            shifted = shifted.copy()
            shifted[tail] = np.minimum(smoothed, 0.0)
    weights = np.exp(shifted)
    return Smoothed(weights / weights.sum(), pareto_k)


def fit_pareto(excess: FloatArray) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution for exceedances in ascending order, all positive.

    Zhang & Stephens, "A new and efficient estimation method for the generalized Pareto distribution" (2009), with
    the prior of Vehtari et al. (2024).
    """
    count = excess.size
    grid = 30 + int(math.sqrt(count))
    quartile = excess[int(count / 4 + 0.5) - 1]
    slopes = 1.0 / excess[-1] + (1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3.0 * quartile)
    shapes = np.log1p(-slopes[:, None] * excess).mean(axis=1)
    profile = count * (np.log(-slopes / shapes) - shapes - 1.0)
    weights = np.exp(profile - profile.max())
    weights /= weights.sum()
    weights = np.where(weights >= 10 * np.finfo(np.float64).eps, weights, 0.0)
    slope = float((slopes * weights).sum() / weights.sum())
    shape = float(np.log1p(-slope * excess).mean())
    scale = -shape / slope
    shape = (count * shape + _PRIOR_DRAWS * _PRIOR_SHAPE) / (count + _PRIOR_DRAWS)
    return shape, scale


def _quantiles(shape: float, scale: float, count: int) -> FloatArray:
    """Evenly spaced quantiles of a generalised Pareto distribution."""
    exponential = -np.log1p(-(np.arange(count) + 0.5) / count)
    if abs(shape) < 1e-30:
        return np.asarray(scale * exponential)
    return np.asarray(scale * np.expm1(shape * exponential) / shape)
