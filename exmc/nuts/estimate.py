"""From what a warm-up window has seen to an inverse mass matrix.

A density with covariance C has gradients with covariance C⁻¹ if it is normal. The matrix that makes positions and
gradients alike, S cov(gradients) S = cov(positions), minimises the Fisher divergence between the density and the
standard normal that S maps to it: Seyboldt, Carlson & Carpenter, "Preconditioning Hamiltonian Monte Carlo by
minimizing Fisher divergence" (2026). For a normal it is C, exactly, from as many draws as there are dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts.variance import Moments, Window

FloatArray = NDArray[np.float64]

# Stan's shrinkage of an estimate from n draws, worth five draws, toward 1e-3 times the unit metric.
_STAN_DRAWS, _STAN_SCALE = 5.0, 1e-3
# Correlations are shrunk by a tenth of a draw's worth of none: enough for the matrix to have a root.
_PRIOR_DRAWS = 0.1
# Correlations are not learnt of fewer draws. Early ones, which come in smaller windows, are on their way, and a metric
# that fits where they are just then too well keeps chains in a second mode that they would have left.
_FEWEST_DRAWS = 60
# For a careful chain, a coordinate bends where the variances of draws and gradients have a larger product.
_MOST_BENT = 5.0
# Fewer draws are taken for as many as give noise this edge.
_FULL_EDGE = 0.8


class Estimators(NamedTuple):
    """How a scheme of adaptation estimates scales and covariances.

    Attributes
    ----------
    variances : function of `Moments`, of the variances in use, and of whether the chain is careful
        Diagonal of the inverse mass matrix, shape (dimension,).
    covariance : function of a `Window` and of the variances just estimated
        The whole of it, shape (dimension, dimension).
    """

    variances: Callable[[Moments, FloatArray, bool], FloatArray]
    covariance: Callable[[Window, FloatArray], FloatArray]


def stan_variances(moments: Moments, _present: FloatArray, _careful: bool) -> FloatArray:
    """Variances of the positions, regularised as Stan does: not below 1e-3 times five draws in n."""
    kept, added = _stan_shrinkage(moments.draws)
    variances: FloatArray = kept * moments.variances()[0] + added
    return variances


def stan_covariance(window: Window, _variances: FloatArray) -> FloatArray:
    """The covariance matrix of the positions, regularised as Stan does."""
    draws = len(window.positions)
    kept, added = _stan_shrinkage(draws)
    centred = window.positions - window.positions.mean(axis=0)
    covariance: FloatArray = kept * (centred.T @ centred) / (draws - 1)
    covariance[np.diag_indices_from(covariance)] += added
    return covariance


def fisher_variances(moments: Moments, present: FloatArray, careful: bool) -> FloatArray:
    """sqrt(var(positions) / var(gradients)); what is in use where one of them did not vary.

    Gradients know how narrow a ridge is that bends, or a neck, and nothing of how far it leads. For a careful chain,
    which has met one, a coordinate whose var(positions) var(gradients) is far from a normal's 1 has var(positions).
    """
    with np.errstate(all="ignore"):
        positions, gradients = np.sqrt(moments.variances())
        found = positions / gradients
        if careful:
            found = np.where(positions * gradients > math.sqrt(_MOST_BENT), positions**2, found)
    known: FloatArray = np.where(np.isfinite(found) & (found > 0.0), found, present)
    return known


def fisher_covariance(window: Window, variances: FloatArray) -> FloatArray:
    """The geometric mean of the positions' covariance and the inverse of the gradients'."""
    scales = np.sqrt(variances)
    correlations: FloatArray
    try:
        correlations = geometric_mean(*_standardised_covariances(*_standardised(window, scales)))
    except np.linalg.LinAlgError:
        correlations = np.eye(scales.size)
    return np.asarray(correlations * np.outer(scales, scales))


def low_rank(window: Window, variances: FloatArray, cutoff: float, most_bent: float = math.inf) -> FloatArray:
    """A metric of low rank (`exmc.nuts.metric`): variances, and directions that these leave too long or too short.

    On the scale of `variances`, most eigenvalues of the geometric mean are within a factor of `cutoff` of some number.
    The variances are multiplied by it, and the eigenvectors of the others are the directions. With few draws, it is
    computed in the space that draws and gradients span: across that it is taken to be like most of what is inside.

    There are none if along one of them the variance of draws by that of gradients is more than `most_bent`. The product
    is 1 for a normal density and more for any other (Cramér & Rao's bound): a ridge that bends is longer and steeper
    along a straight line than along itself, and steps that its middle allows are too long for its ends.
    """
    dimension = variances.size
    if len(window.positions) < _FEWEST_DRAWS:
        return without_directions(variances)
    positions, gradients = _standardised(window, np.sqrt(variances))
    basis: FloatArray | None = None
    if 2 * len(positions) < dimension:
        basis, _ = np.linalg.qr(np.concatenate([positions, gradients]).T)
        positions, gradients = positions @ basis, gradients @ basis
    try:
        values, vectors = np.linalg.eigh(geometric_mean(*_standardised_covariances(positions, gradients)))
    except np.linalg.LinAlgError:
        return without_directions(variances)
    usual, chosen = _unusual(values, cutoff)
    noise = values[-1] < values[0] * _spread_of_noise(len(positions), dimension)
    if noise or _bends(positions, gradients, vectors[:, chosen], most_bent):
        usual, chosen = 1.0, chosen[:0]
    columns = vectors[:, chosen] if basis is None else basis @ vectors[:, chosen]
    eigenvalues = np.zeros(dimension)
    eigenvalues[: len(chosen)] = values[chosen] / usual
    return np.concatenate([usual * variances[np.newaxis], eigenvalues[np.newaxis], columns.T])


def without_directions(variances: FloatArray) -> FloatArray:
    """The metric of low rank that is diagonal."""
    return np.array([variances, np.zeros(variances.size)])


def _bends(positions: FloatArray, gradients: FloatArray, directions: FloatArray, most: float) -> bool:
    """Whether standardised positions' variance by that of gradients is over `most` along a column of `directions`."""
    if not directions.size:
        return False
    bending = np.var(positions @ directions, axis=0) * np.var(gradients @ directions, axis=0)
    return bool(np.any(bending > most))


def _spread_of_noise(draws: int, dimension: int) -> float:
    """The largest eigenvalue by the smallest of a covariance estimated of independent coordinates with variance 1.

    That of Marchenko & Pastur, "Distribution of eigenvalues for some sets of random matrices" (1967), for draws that
    are not many fewer than twice the coordinates.
    """
    edge = min(math.sqrt(dimension / draws), _FULL_EDGE)
    return ((1.0 + edge) / (1.0 - edge)) ** 2


def _unusual(values: FloatArray, cutoff: float) -> tuple[float, NDArray[np.intp]]:
    """The middle of the most that are within a factor of `cutoff`² of one another, and which of `values` are not."""
    logarithms = np.log(np.maximum(values, np.finfo(np.float64).tiny))
    within = np.searchsorted(logarithms, logarithms + 2.0 * math.log(cutoff), side="right") - np.arange(values.size)
    first = int(np.argmax(within))
    middle = logarithms[first : first + within[first]].mean()
    return math.exp(middle), np.flatnonzero(np.abs(logarithms - middle) > math.log(cutoff))


def geometric_mean(positions: FloatArray, gradients: FloatArray) -> FloatArray:
    """The symmetric S with S @ gradients @ S = positions, for two positive definite matrices.

    With gradients = L Lᵀ it is L⁻ᵀ (Lᵀ positions L)^½ L⁻¹. Raises `numpy.linalg.LinAlgError` if one of them is none, or
    if rounding hides whether: of a chain that slides down a slope, positions and gradients may lie on one line.
    """
    factor = np.linalg.cholesky(gradients)
    inverse = np.linalg.inv(factor)
    values, vectors = np.linalg.eigh(factor.T @ positions @ factor)
    if values[0] <= values.size * np.finfo(np.float64).eps * values[-1]:
        raise np.linalg.LinAlgError("not positive definite but for rounding")
    half = inverse.T @ (vectors * values**0.25)
    found: FloatArray = half @ half.T
    return found


def _standardised(window: Window, scales: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Deviations of positions and gradients from their means, on the scale on which both would have variance 1."""
    positions = (window.positions - window.positions.mean(axis=0)) / scales
    return positions, (window.gradients - window.gradients.mean(axis=0)) * scales


def _standardised_covariances(positions: FloatArray, gradients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The covariance matrices of standardised deviations, shrunk toward the unit matrix."""
    draws, unit = len(positions), np.eye(positions.shape[1])
    kept = draws / (draws + _PRIOR_DRAWS)
    both = (positions, gradients)
    one, other = (kept * (part.T @ part) / (draws - 1) + (1.0 - kept) * unit for part in both)
    return one, other


def _stan_shrinkage(draws: int) -> tuple[float, float]:
    weight = draws / (draws + _STAN_DRAWS)
    return weight, _STAN_SCALE * (_STAN_DRAWS / (draws + _STAN_DRAWS))


STAN = Estimators(stan_variances, stan_covariance)
FISHER = Estimators(fisher_variances, fisher_covariance)
