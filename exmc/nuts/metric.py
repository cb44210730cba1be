"""The kinetic energy's metrics: the table of what the kernel needs to know of each.

With the inverse mass matrix S = L Lᵀ, the kernel works on the whitened momentum w = Lᵀ p, which is standard normal
whatever the metric: kinetic energies and U-turn criteria are plain dot products, and L enters in two places only,
the drift of the position (S p = L w) and the force on the momentum (Lᵀ times the gradient).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exmc.errors import SamplingError
from exmc.nuts import variance
from exmc.nuts.machine import compiled

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """One kind of metric.

    Attributes
    ----------
    name : str
    drift : compiled function of (factor, momentum, step, position)
        ``position += step * L @ momentum``.
    whiten : compiled function of (factor, gradient, force)
        ``force = L.T @ gradient``.
    unit : function of the dimension
        The unit inverse mass matrix.
    rows : function of the dimension
        The number of rows of the factor and of the window's sums.
    factorise : function of an inverse mass matrix
        The factor L, two-dimensional; raises `SamplingError` if there is none.
    estimate : function of a `variance.Welford`
        The regularised inverse mass matrix.
    """

    name: str
    drift: Callable[[FloatArray, FloatArray, float, FloatArray], None]
    whiten: Callable[[FloatArray, FloatArray, FloatArray], None]
    unit: Callable[[int], FloatArray]
    rows: Callable[[int], int]
    factorise: Callable[[FloatArray], FloatArray]
    estimate: Callable[[variance.Welford], FloatArray]


@compiled
def _drift_diagonal(factor: FloatArray, momentum: FloatArray, step: float, position: FloatArray) -> None:
    for i in range(position.size):
        position[i] += step * (factor[0, i] * momentum[i])


@compiled
def _whiten_diagonal(factor: FloatArray, gradient: FloatArray, force: FloatArray) -> None:
    for i in range(gradient.size):
        force[i] = factor[0, i] * gradient[i]


def _factorise_diagonal(inverse_mass_matrix: FloatArray) -> FloatArray:
    if not (np.all(np.isfinite(inverse_mass_matrix)) and np.all(inverse_mass_matrix > 0)):
        raise _not_a_metric(f"variances from {inverse_mass_matrix.min()} to {inverse_mass_matrix.max()}")
    return np.sqrt(inverse_mass_matrix)[np.newaxis]


@compiled
def _drift_dense(factor: FloatArray, momentum: FloatArray, step: float, position: FloatArray) -> None:
    for i in range(position.size):
        # Four sums, so that the additions of one do not wait for the others'; the order is fixed all the same.
        sum_0, sum_1, sum_2, sum_3 = 0.0, 0.0, 0.0, 0.0
        whole = (i + 1) // 4 * 4
        for j in range(0, whole, 4):
            sum_0 += factor[i, j] * momentum[j]
            sum_1 += factor[i, j + 1] * momentum[j + 1]
            sum_2 += factor[i, j + 2] * momentum[j + 2]
            sum_3 += factor[i, j + 3] * momentum[j + 3]
        for j in range(whole, i + 1):
            sum_0 += factor[i, j] * momentum[j]
        position[i] += step * ((sum_0 + sum_1) + (sum_2 + sum_3))


@compiled
def _whiten_dense(factor: FloatArray, gradient: FloatArray, force: FloatArray) -> None:
    for i in range(gradient.size):
        force[i] = 0.0
    for i in range(gradient.size):
        slope = gradient[i]
        for j in range(i + 1):
            force[j] += factor[i, j] * slope


def _factorise_dense(inverse_mass_matrix: FloatArray) -> FloatArray:
    """Cholesky by columns. Not LAPACK's: its bits depend on the number of BLAS threads."""
    dimension = inverse_mass_matrix.shape[0]
    factor = np.zeros((dimension, dimension))
    for j in range(dimension):
        column = inverse_mass_matrix[j:, j] - np.einsum("ij,j->i", factor[j:, :j], factor[j, :j])
        if not (np.all(np.isfinite(column)) and column[0] > 0):
            raise _not_a_metric(f"pivot {j} of its Cholesky factor is the root of {column[0]}")
        factor[j:, j] = column / math.sqrt(column[0])
    return factor


def _not_a_metric(found: str) -> SamplingError:
    return SamplingError(
        f"The inverse mass matrix estimated in warm-up is not finite and positive definite: {found}.",
        remedy="The posterior may be improper or its scales too far apart; use proper priors or rescale parameters.",
    )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="diagonal",
            drift=_drift_diagonal,
            whiten=_whiten_diagonal,
            unit=np.ones,
            rows=lambda _dimension: 1,
            factorise=_factorise_diagonal,
            estimate=variance.final_variance,
        ),
        Metric(
            name="dense",
            drift=_drift_dense,
            whiten=_whiten_dense,
            unit=np.eye,
            rows=lambda dimension: dimension,
            factorise=_factorise_dense,
            estimate=variance.final_covariance,
        ),
    )
}


def code(name: str) -> int:
    """The number by which the kernel knows the metric called `name`."""
    return list(METRICS).index(name)
