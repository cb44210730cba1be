"""Bijections from real vectors onto covariance and correlation matrices and their Cholesky factors."""

from __future__ import annotations

import math

import autograd.numpy as np
import numpy

from exmc import linalg
from exmc.errors import ModelError
from exmc.special import Array, softplus
from exmc.transforms.base import Shape, Transform
from exmc.transforms.supports import CHOLESKY_CORR, CHOLESKY_COV, CORRELATION, COVARIANCE

_LOG_TWO = 0.6931471805599453


def _require_square(shape: Shape) -> int:
    if shape[0] != shape[1] or shape[0] < 1:
        raise ModelError(f"a matrix of shape {shape} is not square.", remedy="Give both axes the same length.")
    return shape[0]


def _size_of_triangle(elements: int, diagonal: bool) -> int:
    """The order of the matrix whose (strictly, without `diagonal`) lower triangle has so many elements."""
    root = (math.isqrt(8 * elements + 1) + 1) // 2
    return root - 1 if diagonal else root


def _lower_places(size: int, diagonal: bool) -> tuple[Array, Array]:
    return numpy.tril_indices(size, 0 if diagonal else -1)


def _spread(unconstrained: Array, diagonal: bool) -> Array:
    """The numbers row by row in a lower triangle, zeros elsewhere: shape (..., m) to (..., K, K)."""
    elements = np.shape(unconstrained)[-1]
    size = _size_of_triangle(elements, diagonal)
    places = numpy.full((size, size), elements)
    places[_lower_places(size, diagonal)] = numpy.arange(elements)
    padded = np.concatenate([unconstrained, numpy.zeros((*np.shape(unconstrained)[:-1], 1))], axis=-1)
    return padded[..., places]


def _gathered(matrix: Array, diagonal: bool) -> Array:
    """The lower triangle of a matrix row by row: the inverse of `_spread`."""
    size = np.shape(matrix)[-1]
    rows, columns = _lower_places(size, diagonal)
    flat = np.reshape(matrix, (*np.shape(matrix)[:-2], size * size))
    return flat[..., rows * size + columns]


def _diagonal_of(unconstrained: Array) -> Array:
    """The elements of a spread vector that lie on the diagonal, shape (..., K)."""
    size = _size_of_triangle(np.shape(unconstrained)[-1], True)
    return unconstrained[..., numpy.cumsum(numpy.arange(1, size + 1)) - 1]


def _product(factor: Array) -> Array:
    return np.matmul(factor, np.swapaxes(factor, -2, -1))


# --- Covariances: a lower triangle with logarithms on the diagonal (Stan reference manual, "Covariance matrices") ----


def _triangle(shape: Shape) -> Shape:
    size = _require_square(shape)
    return (size * (size + 1) // 2,)


def _constrain_cholesky_cov(unconstrained: Array) -> Array:
    spread = _spread(unconstrained, True)
    on_diagonal = numpy.eye(np.shape(spread)[-1])
    return np.tril(spread, -1) + on_diagonal * np.exp(on_diagonal * spread)


def _unconstrain_cholesky_cov(constrained: Array) -> Array:
    on_diagonal = numpy.eye(np.shape(constrained)[-1], dtype=bool)
    return _gathered(np.where(on_diagonal, np.log(np.where(on_diagonal, constrained, 1.0)), constrained), True)


def _log_jacobian_of_cholesky_cov(unconstrained: Array) -> Array:
    return np.sum(_diagonal_of(unconstrained), axis=-1)


def _constrain_covariance(unconstrained: Array) -> Array:
    return _product(_constrain_cholesky_cov(unconstrained))


def _unconstrain_covariance(constrained: Array) -> Array:
    return _unconstrain_cholesky_cov(linalg.cholesky(constrained))


def _log_jacobian_of_covariance(unconstrained: Array) -> Array:
    logs = _diagonal_of(unconstrained)
    size = np.shape(logs)[-1]
    return size * _LOG_TWO + np.sum(logs * numpy.arange(size + 1.0, 1.0, -1.0), axis=-1)


# --- Correlations: partial correlations tanh(y), row by row (Lewandowski, Kurowicka and Joe 2009) ---------------------


def _strict_triangle(shape: Shape) -> Shape:
    size = _require_square(shape)
    return (size * (size - 1) // 2,)


def _partials(unconstrained: Array) -> tuple[Array, Array, Array]:
    """Per element: tanh(y), log(sech(y)), and the sum of the latter over the row's earlier elements."""
    spread = _spread(unconstrained, False)
    size = np.shape(spread)[-1]
    absolute = np.abs(spread)
    log_sech = _LOG_TWO - absolute - softplus(-2.0 * absolute)
    # The row's remaining length is a product of sech; in logarithms it is one product with a triangle of ones.
    earlier = numpy.triu(numpy.ones((size, size)), 1)
    return np.tanh(spread), log_sech, np.matmul(log_sech, earlier)


def _constrain_cholesky_corr(unconstrained: Array) -> Array:
    partial, _, log_left = _partials(unconstrained)
    return np.tril((partial + numpy.eye(np.shape(partial)[-1])) * np.exp(log_left))


def _unconstrain_cholesky_corr(constrained: Array) -> Array:
    # tanh(y) is the element over the length of what is left of its row, so sinh(y) is it over the length after it.
    squares = np.square(constrained)
    later = numpy.tril(numpy.ones(np.shape(constrained)[-2:]), -1)
    after = np.sqrt(np.matmul(squares, later))
    ratio = _gathered(constrained, False) / _gathered(after, False)
    # arcsinh, odd and without cancellation.
    absolute = np.abs(ratio)
    return np.sign(ratio) * np.log1p(absolute + absolute * absolute / (1.0 + np.sqrt(1.0 + absolute * absolute)))


def _log_jacobian_of_cholesky_corr(unconstrained: Array) -> Array:
    _, log_sech, log_left = _partials(unconstrained)
    return np.sum(np.tril(2.0 * log_sech + log_left, -1), axis=(-2, -1))


def _constrain_correlation(unconstrained: Array) -> Array:
    product = _product(_constrain_cholesky_corr(unconstrained))
    # The rows' lengths are 1 but for rounding.
    on_diagonal = numpy.eye(np.shape(product)[-1], dtype=bool)
    return np.where(on_diagonal, 1.0, product)


def _unconstrain_correlation(constrained: Array) -> Array:
    return _unconstrain_cholesky_corr(linalg.cholesky(constrained))


def _log_jacobian_of_correlation(unconstrained: Array) -> Array:
    _, log_sech, log_left = _partials(unconstrained)
    size = np.shape(log_left)[-1]
    # From a factor to its correlation matrix: the product of L_kk ** (K - k), k from 1.
    weights = numpy.diag(numpy.arange(size - 1.0, -1.0, -1.0))
    return np.sum(np.tril(2.0 * log_sech + log_left, -1) + weights * log_left, axis=(-2, -1))


CHOLESKY_COV_TRANSFORM = Transform(
    "cholesky_cov",
    (CHOLESKY_COV,),
    _constrain_cholesky_cov,
    _unconstrain_cholesky_cov,
    _log_jacobian_of_cholesky_cov,
    event_rank=2,
    unconstrained_shape=_triangle,
)
COVARIANCE_TRANSFORM = Transform(
    "cov",
    (COVARIANCE,),
    _constrain_covariance,
    _unconstrain_covariance,
    _log_jacobian_of_covariance,
    event_rank=2,
    unconstrained_shape=_triangle,
)
CHOLESKY_CORR_TRANSFORM = Transform(
    "cholesky_corr",
    (CHOLESKY_CORR,),
    _constrain_cholesky_corr,
    _unconstrain_cholesky_corr,
    _log_jacobian_of_cholesky_corr,
    event_rank=2,
    unconstrained_shape=_strict_triangle,
)
CORRELATION_TRANSFORM = Transform(
    "corr",
    (CORRELATION,),
    _constrain_correlation,
    _unconstrain_correlation,
    _log_jacobian_of_correlation,
    event_rank=2,
    unconstrained_shape=_strict_triangle,
)
