"""Functions of positive definite, triangular and general matrices as autograd primitives that never raise.

A matrix without a Cholesky factor, one that is not positive definite or not finite, gets the factor ``diag(inf)``: its
log-determinant is infinite and solutions with it are 0, so that a normal log density of it is -inf, not an exception.
Only the lower triangle of a symmetric matrix is read; cotangents are symmetric up to what symmetric changes do not see.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.linalg.lapack
from autograd.extend import defvjp, primitive

Array = Any
"""A numpy array or an autograd box around one."""


def factor(matrix: Any) -> Any:
    """The lower Cholesky factor of a matrix, shape (n, n), or ``diag(inf)`` if it has none."""
    matrix = np.asarray(matrix, dtype=np.float64)
    with np.errstate(all="ignore"):
        # LAPACK reads rows as columns, and so the lower triangle as its upper one.
        lower, failed = scipy.linalg.lapack.dpotrf(matrix, lower=1, clean=1)
    if failed or not np.all(np.isfinite(np.diagonal(lower))):
        return np.diag(np.full(len(matrix), np.inf))
    return lower


def substitute(lower: Any, right: Any, transposed: bool = False) -> Any:
    """x with ``lower @ x = right``, or ``lower.T @ x = right``; `right` has shape (n,) or (n, m)."""
    right = np.asarray(right, dtype=np.float64)
    if right.size == 0:
        return np.zeros(right.shape)
    with np.errstate(all="ignore"):
        solution, singular = scipy.linalg.lapack.dtrtrs(lower, right, lower=1, trans=int(transposed))
    return np.full(right.shape, np.nan) if singular else np.reshape(solution, right.shape)


def inverse_from_factor(lower: Any) -> Any:
    """The inverse of ``lower @ lower.T``."""
    half = substitute(lower, np.eye(len(lower)))
    return half.T @ half


def invert(matrix: Any) -> Any:
    """The inverse of a square matrix, NaN throughout where there is none."""
    matrix = np.asarray(matrix, dtype=np.float64)
    with np.errstate(all="ignore"):
        try:
            found = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            found = np.full(matrix.shape, np.nan)
        # A sum, as in machine code, is finite where every element is, and all but never overflows by itself.
        return found if np.isfinite(np.sum(np.abs(found))) else np.full(matrix.shape, np.nan)


cholesky = primitive(factor)
cholesky.__doc__ = "The lower Cholesky factor L of a positive definite A, shape (n, n): ``A = L @ L.T``."


inverse = primitive(invert)
inverse.__doc__ = "The inverse of a square matrix, shape (n, n), of any signs; NaN throughout where there is none."


@primitive  # type: ignore[untyped-decorator]
def solve_triangular(lower: Array, right: Array, transposed: bool = False) -> Array:
    """x with ``L @ x = b``, or ``L.T @ x = b`` if `transposed`; L is lower triangular, b of shape (n,) or (n, m)."""
    return substitute(lower, right, transposed)


@primitive  # type: ignore[untyped-decorator]
def solve_posdef(matrix: Array, right: Array) -> Array:
    """x with ``A @ x = b`` for a positive definite A, shape (n, n), and b of shape (n,) or (n, m)."""
    lower = factor(matrix)
    return substitute(lower, substitute(lower, right), True)


@primitive  # type: ignore[untyped-decorator]
def logdet(matrix: Array) -> Array:
    """The logarithm of the determinant of a positive definite matrix; inf for one that is not."""
    return 2.0 * np.sum(np.log(np.diagonal(factor(matrix))))


@primitive  # type: ignore[untyped-decorator]
def inverse_posdef(matrix: Array) -> Array:
    """The inverse of a positive definite matrix."""
    return inverse_from_factor(factor(matrix))


def _outer(a: Array, b: Array) -> Array:
    return anp.outer(a, b) if anp.ndim(a) == 1 else anp.dot(a, anp.transpose(b))


def cholesky_vjp(ans: Array, matrix: Array) -> Any:
    """Murray (2016), "Differentiation of the Cholesky decomposition", equation 10."""
    size = anp.shape(ans)[0]
    weights = np.tril(np.ones((size, size)), -1) + 0.5 * np.eye(size)

    def vjp(g: Array) -> Array:
        middle = weights * anp.dot(anp.transpose(ans), anp.tril(g))
        left = solve_triangular(ans, middle, True)
        full = anp.transpose(solve_triangular(ans, anp.transpose(left), True))
        return 0.5 * (full + anp.transpose(full))

    return vjp


def _triangular_vjp(ans: Array, lower: Array, right: Array, transposed: bool = False) -> Any:
    def vjp(g: Array) -> Array:
        pulled = solve_triangular(lower, g, not transposed)
        return -anp.tril(_outer(ans, pulled) if transposed else _outer(pulled, ans))

    return vjp


defvjp(cholesky, cholesky_vjp)
defvjp(
    solve_triangular,
    _triangular_vjp,
    lambda ans, lower, right, transposed=False: lambda g: solve_triangular(lower, g, not transposed),
)
defvjp(
    solve_posdef,
    lambda ans, matrix, right: lambda g: -_outer(solve_posdef(matrix, g), ans),
    lambda ans, matrix, right: lambda g: solve_posdef(matrix, g),
)
defvjp(inverse, lambda ans, matrix: lambda g: -anp.dot(anp.transpose(ans), anp.dot(g, anp.transpose(ans))))
# Through the inverse, as in Stan: half the work of the derivative of the factor.
defvjp(logdet, lambda ans, matrix: lambda g: g * inverse_posdef(matrix))
defvjp(inverse_posdef, lambda ans, matrix: lambda g: -anp.dot(ans, anp.dot(g, ans)))
