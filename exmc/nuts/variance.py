"""Running mean and spread of positions, from which a metric is estimated (`init`, `update`, `final`)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts.machine import compiled

FloatArray = NDArray[np.float64]

# Stan's shrinkage of an estimate from n draws, worth five draws, toward 1e-3 times the unit metric.
_PRIOR_DRAWS, _PRIOR_SCALE = 5.0, 1e-3


class Welford(NamedTuple):
    """Welford's running moments of the positions of one warm-up window.

    Attributes
    ----------
    draws : int
        Positions seen.
    mean : ndarray, shape (dimension,)
    squares : ndarray, shape (1, dimension) or (dimension, dimension)
        Sums of squared (or products of) deviations from the mean.
    """

    draws: int
    mean: FloatArray
    squares: FloatArray


def init(dimension: int, rows: int) -> Welford:
    """No positions seen; `rows` is 1 for variances only and `dimension` for all covariances."""
    return Welford(0, np.zeros(dimension), np.zeros((rows, dimension)))


@compiled
def update(draws: int, mean: FloatArray, squares: FloatArray, position: FloatArray, before: FloatArray) -> Any:
    """Add `position`, in place; `before` is scratch. Returns the new number of draws.

    Welford, "Note on a method for calculating corrected sums of squares and products" (1962).
    """
    draws += 1
    for i in range(position.size):
        before[i] = position[i] - mean[i]
        mean[i] += before[i] / draws
    if squares.shape[0] == 1:
        for i in range(position.size):
            squares[0, i] += before[i] * (position[i] - mean[i])
    else:
        for i in range(position.size):
            after = position[i] - mean[i]
            for j in range(position.size):
                squares[i, j] += after * before[j]
    return draws


def final_variance(window: Welford) -> FloatArray:
    """Regularised variances, shape (dimension,). Needs two positions."""
    kept, added = _shrinkage(window.draws)
    variances: FloatArray = kept * window.squares[0] / (window.draws - 1) + added
    return variances


def final_covariance(window: Welford) -> FloatArray:
    """Regularised covariance matrix, shape (dimension, dimension). Needs two positions."""
    kept, added = _shrinkage(window.draws)
    covariance = kept * window.squares / (window.draws - 1)
    # Rounding makes the accumulated products differ from their mirror images by an ulp.
    covariance = 0.5 * (covariance + covariance.T)
    covariance[np.diag_indices_from(covariance)] += added
    return covariance


def _shrinkage(draws: int) -> tuple[float, float]:
    weight = draws / (draws + _PRIOR_DRAWS)
    return weight, _PRIOR_SCALE * (_PRIOR_DRAWS / (draws + _PRIOR_DRAWS))
