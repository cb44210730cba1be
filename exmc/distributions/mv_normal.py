"""The multivariate normal distribution, by its covariance, its Cholesky factor or its precision."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc import linalg
from exmc.distributions.base import HALF_LOG_TWO_PI, Distribution, Parameter
from exmc.special import Array
from exmc.transforms import CHOLESKY_COV, COVARIANCE, REAL

MATRICES = (
    Parameter("cov", COVARIANCE, event=("n", "n")),
    Parameter("chol", CHOLESKY_COV, event=("n", "n")),
    Parameter("precision", COVARIANCE, event=("n", "n")),
)
"""The three ways to say how a vector spreads, of which a family takes one."""


def _log_density(value: Array, mu: Array, **matrix: Array) -> Array:
    square, log_scale = square_and_log_scale(value - mu, **matrix)
    return -0.5 * square - log_scale - np.shape(value)[-1] * HALF_LOG_TWO_PI


def square_and_log_scale(
    residual: Array, cov: Array = None, chol: Array = None, precision: Array = None
) -> tuple[Array, Array]:
    """The squared length of each residual, shape (..., n), in units of its spread, and half its log determinant."""
    if cov is not None:
        # Not by its factor: the derivatives of these two take a third of the time of the factor's.
        return _of_events(linalg.squared_norm, cov, residual, reduced=True), 0.5 * linalg.logdet(cov)
    if precision is not None:
        lower = linalg.cholesky(precision)
        half, log_scale = _of_events(_times_factor, lower, residual), -_log_diagonal(lower)
    else:
        half, log_scale = _of_events(linalg.solve_triangular, chol, residual), _log_diagonal(chol)
    return np.sum(half * half, axis=-1), log_scale


def _log_diagonal(lower: Array) -> Array:
    size = np.shape(lower)[-1]
    flat = np.reshape(lower, (*np.shape(lower)[:-2], size * size))
    diagonal = flat[..., :: size + 1]
    # A factor that is none has infinities on its diagonal; a negative one has no logarithm.
    return np.sum(np.log(diagonal), axis=-1)


def _times_factor(lower: Array, columns: Array) -> Array:
    return np.matmul(np.swapaxes(lower, -1, -2), columns)


def _of_events(
    function: Callable[[Array, Array], Array], matrix: Array, residual: Array, reduced: bool = False
) -> Array:
    """`function` of the matrix and each residual, shape (..., n), or (...,) if it is `reduced` to one number each.

    Residuals that share a matrix are its columns.
    """
    size = np.shape(residual)[-1]
    if np.ndim(matrix) == 2 and np.ndim(residual) == 1:
        return function(matrix, residual)
    if np.ndim(matrix) == 2:
        columns = function(matrix, np.transpose(np.reshape(residual, (-1, size))))
        return np.reshape(np.transpose(columns), np.shape(residual)[:-1] if reduced else np.shape(residual))
    batch = numpy.broadcast_shapes(np.shape(matrix)[:-2], np.shape(residual)[:-1])
    columns = np.reshape(residual + numpy.zeros((*batch, size)), (*batch, size, 1))
    return np.reshape(function(matrix, columns), batch if reduced else (*batch, size))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, **matrix: Array
) -> NDArray[numpy.float64]:
    return numpy.asarray(mu + spread(generator, shape, **matrix))


def spread(
    generator: numpy.random.Generator,
    shape: tuple[int, ...],
    cov: Array = None,
    chol: Array = None,
    precision: Array = None,
) -> NDArray[numpy.float64]:
    """Normal vectors of mean zero, shape (..., n)."""
    standard = generator.standard_normal(shape)[..., None]
    if precision is not None:
        transposed = numpy.swapaxes(numpy.linalg.cholesky(precision), -1, -2)
        found = numpy.linalg.solve(numpy.broadcast_to(transposed, (*shape, shape[-1])), standard)
    else:
        found = (numpy.linalg.cholesky(cov) if chol is None else chol) @ standard
    return numpy.asarray(found[..., 0])


def _condition(
    drawn: NDArray[numpy.float64],
    given: NDArray[numpy.float64],
    known: NDArray[numpy.bool_],
    mu: Array,
    cov: Array = None,
    chol: Array = None,
    precision: Array = None,
) -> NDArray[numpy.float64]:
    """A draw corrected by what its known entries miss (Matheron's rule: Wilson et al. 2020, "Efficiently sampling
    functions from Gaussian process posteriors", equation 9)."""
    if cov is None:
        cov = numpy.linalg.inv(precision) if chol is None else chol @ numpy.swapaxes(chol, -1, -2)
    covariances = numpy.broadcast_to(cov, (*drawn.shape, drawn.shape[-1]))
    found = numpy.where(known, given, drawn)
    for event in numpy.ndindex(drawn.shape[:-1]):
        old, covariance = known[event], covariances[event]
        if old.any() and not old.all():
            gap = numpy.linalg.solve(covariance[numpy.ix_(old, old)], (given[event] - drawn[event])[old])
            found[event][~old] += covariance[numpy.ix_(~old, old)] @ gap
    return found


MvNormal = Distribution(
    name="MvNormal",
    parameters=(Parameter("mu", event=("n",), default=0.0), *MATRICES),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    alternatives=(("mu", "cov"), ("mu", "chol"), ("mu", "precision")),
    event=("n",),
    condition=_condition,
)
