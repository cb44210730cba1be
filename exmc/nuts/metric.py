"""The kinetic energy's metrics: the table of what the kernel needs to know of each.

With the inverse mass matrix S = L Lᵀ, the kernel works on the whitened momentum w = Lᵀ p, which is standard normal
whatever the metric: kinetic energies and U-turn criteria are plain dot products, and L enters in two places only,
the drift of the position (S p = L w) and the force on the momentum (Lᵀ times the gradient).

The metric of low rank is S = D (I + U (Λ - I) Uᵀ) D, D being diagonal and U having k orthonormal columns. Its root is
L = D (I + U (Λ^½ - I) Uᵀ). Both arrays have k + 2 rows: the diagonal of D² or D, the k eigenvalues of Λ or the k
differences Λ^½ - I (then zeros), and the k columns of U.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exmc.errors import SamplingError
from exmc.nuts.estimate import Estimators, low_rank, without_directions
from exmc.nuts.machine import compiled
from exmc.nuts.variance import Window

FloatArray = NDArray[np.float64]

# A direction twice as long or short as its neighbours costs half as many steps again; less is noise.
_CUTOFF = 2.0
# Of a normal density the product is 1, and of a window's draws it comes to 2 (see DECISIONS: directions that bend).
_MOST_BENT = 3.0


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
    with_variances : function of an array, shape (dimension,)
        The inverse mass matrix with this diagonal and no correlations.
    variances : function of an inverse mass matrix
        Its diagonal, as far as it is known without the correlations.
    factorise : function of an inverse mass matrix
        The factor L, two-dimensional; raises `SamplingError` if there is none.
    estimate : function of a scheme's `Estimators`, a `Window`, and the variances just estimated
        The next inverse mass matrix.
    needs_draws : bool
        Whether it is estimated from the window's draws themselves; else their moments suffice.
    fits : function of an array and the dimension
        Whether the array has the shape of an inverse mass matrix.
    """

    name: str
    drift: Callable[[FloatArray, FloatArray, float, FloatArray], None]
    whiten: Callable[[FloatArray, FloatArray, FloatArray], None]
    with_variances: Callable[[FloatArray], FloatArray]
    variances: Callable[[FloatArray], FloatArray]
    factorise: Callable[[FloatArray], FloatArray]
    estimate: Callable[[Estimators, Window, FloatArray], FloatArray]
    needs_draws: bool
    fits: Callable[[FloatArray, int], bool]


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


@compiled
def _dot(a: FloatArray, b: FloatArray) -> float:
    """In four sums, so that the additions of one do not wait for the others'; the order is fixed all the same."""
    sum_0, sum_1, sum_2, sum_3 = 0.0, 0.0, 0.0, 0.0
    whole = a.size // 4 * 4
    for j in range(0, whole, 4):
        sum_0 += a[j] * b[j]
        sum_1 += a[j + 1] * b[j + 1]
        sum_2 += a[j + 2] * b[j + 2]
        sum_3 += a[j + 3] * b[j + 3]
    for j in range(whole, a.size):
        sum_0 += a[j] * b[j]
    return (sum_0 + sum_1) + (sum_2 + sum_3)


@compiled
def _drift_low_rank(factor: FloatArray, momentum: FloatArray, step: float, position: FloatArray) -> None:
    for i in range(position.size):
        position[i] += step * (factor[0, i] * momentum[i])
    for row in range(2, factor.shape[0]):
        along = step * (factor[1, row - 2] * _dot(factor[row], momentum))
        for i in range(position.size):
            position[i] += along * (factor[0, i] * factor[row, i])


@compiled
def _whiten_low_rank(factor: FloatArray, gradient: FloatArray, force: FloatArray) -> None:
    for i in range(gradient.size):
        force[i] = factor[0, i] * gradient[i]
    for row in range(2, factor.shape[0]):
        # What was added along other columns is orthogonal to this one.
        along = factor[1, row - 2] * _dot(factor[row], force)
        for i in range(gradient.size):
            force[i] += along * factor[row, i]


def _factorise_low_rank(inverse_mass_matrix: FloatArray) -> FloatArray:
    variances, eigenvalues = inverse_mass_matrix[0], inverse_mass_matrix[1, : len(inverse_mass_matrix) - 2]
    squares = np.concatenate([variances, eigenvalues])
    if not (squares > 0.0).all() or not np.isfinite(inverse_mass_matrix).all():
        raise _not_a_metric(f"variances from {variances.min()} to {variances.max()}, eigenvalues {eigenvalues}")
    roots, factor = np.sqrt(squares), inverse_mass_matrix.copy(order="C")
    factor[0] = roots[: variances.size]
    factor[1, : eigenvalues.size] = roots[variances.size :] - 1.0
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
            with_variances=np.copy,
            variances=np.copy,
            factorise=_factorise_diagonal,
            estimate=lambda _estimators, _window, variances: variances,
            needs_draws=False,
            fits=lambda array, dimension: array.shape == (dimension,),
        ),
        Metric(
            name="dense",
            drift=_drift_dense,
            whiten=_whiten_dense,
            with_variances=np.diag,
            variances=np.diagonal,
            factorise=_factorise_dense,
            estimate=lambda estimators, window, variances: estimators.covariance(window, variances),
            needs_draws=True,
            fits=lambda array, dimension: array.shape == (dimension, dimension),
        ),
        Metric(
            name="low_rank",
            drift=_drift_low_rank,
            whiten=_whiten_low_rank,
            with_variances=without_directions,
            variances=lambda inverse_mass_matrix: inverse_mass_matrix[0],
            factorise=_factorise_low_rank,
            estimate=lambda _estimators, window, variances: low_rank(window, variances, _CUTOFF),
            needs_draws=True,
            fits=lambda array, dimension: array.shape[1:] == (dimension,) and 2 <= len(array) <= dimension + 2,
        ),
    )
}

CAUTIOUS = replace(
    METRICS["low_rank"],
    estimate=lambda _estimators, window, variances: low_rank(window, variances, _CUTOFF, _MOST_BENT),
)
"""The metric of low rank that has no directions where one of them bends."""


@functools.cache
def code(name: str) -> int:
    """The number by which the kernel knows the metric called `name`."""
    return list(METRICS).index(name)
