"""Functions of square matrices, and of stacks of them, as autograd primitives that never raise.

Every function takes matrices of shape (..., n, n). A right-hand side with one axis less holds vectors, of shape
(..., n); any other holds matrices, of shape (..., n, m). Leading axes broadcast.

A symmetric matrix without a Cholesky factor, one that is not positive definite or not finite, gets the factor
``diag(inf)``: its log-determinant is infinite and solutions with it are 0, so that a normal log density of it is -inf,
not an exception. Only the lower triangle of a symmetric matrix is read; cotangents are symmetric up to what symmetric
changes do not see. A general matrix that is singular has a log-determinant of -inf, and no finite solutions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast_f

from exmc.late import Late

if TYPE_CHECKING:
    from scipy.linalg import lapack
else:
    lapack = Late("scipy.linalg.lapack")

Array = Any
"""A numpy array or an autograd box around one."""


# --- By numpy and LAPACK ---------------------------------------------------------------------------------------------


def factor(matrix: Any) -> Any:
    """The lower Cholesky factor of each matrix, or ``diag(inf)`` if it has none."""
    return _each(_factor, np.asarray(matrix, dtype=np.float64))


def substitute(lower: Any, right: Any, transposed: bool = False) -> Any:
    """x with ``lower @ x = right``, or ``lower.T @ x = right``, for lower triangles."""
    return _each(_substitute, *aligned(lower, right), transposed=bool(transposed))


def inverse_from_factor(lower: Any) -> Any:
    """The inverse of ``lower @ lower.T``."""
    return _each(_inverse_from_factor, np.asarray(lower, dtype=np.float64))


def lu_factor(matrix: Any) -> Any:
    """The factors of ``P @ A = L @ U`` as LAPACK packs them, transposed, above the row swapped at each step.

    The result has shape (..., n + 1, n). Of a matrix with numbers that are not finite all factors are NaN.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    return _each(_lu_factor, matrix)


def lu_solve(factors: Any, right: Any, transposed: bool = False) -> Any:
    """x with ``A @ x = right``, or ``A.T @ x = right``, given ``lu_factor(A)``."""
    return _each(_lu_solve, *aligned(factors, right), transposed=bool(transposed))


def aligned(matrix: Any, right: Any) -> tuple[Any, Any]:
    """Both as floats with the leading axes of both; what has one axis less than the other stays a stack of vectors."""
    matrix, right = np.asarray(matrix, dtype=np.float64), np.asarray(right, dtype=np.float64)
    own = side_axes(matrix.ndim, right.ndim)
    lead = np.broadcast_shapes(matrix.shape[:-2], right.shape[: right.ndim - own])
    return np.broadcast_to(matrix, lead + matrix.shape[-2:]), np.broadcast_to(right, lead + right.shape[-own:])


def side_axes(matrix_rank: int, right_rank: int) -> int:
    """How many axes each right-hand side has: 1 for vectors, 2 for matrices."""
    return 1 if right_rank == matrix_rank - 1 else 2


def _each(function: Callable[..., Any], matrix: Any, *rest: Any, **options: Any) -> Any:
    """A function of one matrix on each of a stack."""
    if matrix.ndim == 2:
        return function(matrix, *rest, **options)
    lead = matrix.shape[:-2]
    own = [r.shape[len(lead) :] for r in (matrix, *rest)]
    flat = [r.reshape(-1, *shape) for r, shape in zip((matrix, *rest), own, strict=True)]
    results = [function(*one, **options) for one in zip(*flat, strict=True)]
    if not results:
        results = [function(*(np.ones(shape) for shape in own), **options)]
        return np.zeros((*lead, *np.shape(results[0])))
    return np.reshape(results, (*lead, *np.shape(results[0])))


def _factor(matrix: Any) -> Any:
    with np.errstate(all="ignore"):
        # LAPACK reads rows as columns, and so the lower triangle as its upper one.
        lower, failed = lapack.dpotrf(matrix, lower=1, clean=1) if matrix.size else (matrix, 0)
    if failed or not np.all(np.isfinite(np.diagonal(lower))):
        return np.diag(np.full(len(matrix), np.inf))
    return lower


def _substitute(lower: Any, right: Any, transposed: bool) -> Any:
    if right.size == 0:
        return np.zeros(right.shape)
    with np.errstate(all="ignore"):
        solution, singular = lapack.dtrtrs(lower, right, lower=1, trans=int(transposed))
    return np.full(right.shape, np.nan) if singular else np.reshape(solution, right.shape)


def _inverse_from_factor(lower: Any) -> Any:
    half = _substitute(lower, np.eye(len(lower)), False)
    return half.T @ half


def _lu_factor(matrix: Any) -> Any:
    size = len(matrix)
    if not np.all(np.isfinite(matrix)):
        return np.full((size + 1, size), np.nan)
    if size == 0:
        return np.zeros((1, 0))
    packed, swaps, _singular = lapack.dgetrf(matrix)
    return np.vstack([packed.T, swaps])


def _lu_solve(factors: Any, right: Any, transposed: bool) -> Any:
    if right.size == 0:
        return np.zeros(right.shape)
    swaps = factors[-1]
    if not np.all(np.isfinite(factors)) or np.any(np.diagonal(factors) == 0.0):
        return np.full(right.shape, np.nan)
    with np.errstate(all="ignore"):
        solution, _ = lapack.dgetrs(factors[:-1].T, swaps.astype(np.int32), right, trans=int(transposed))
    return np.reshape(solution, right.shape)


# --- Positive definite and triangular matrices -----------------------------------------------------------------------

cholesky = primitive(factor)
cholesky.__doc__ = "The lower Cholesky factor L of each positive definite A, shape (..., n, n): ``A = L @ L.T``."


def checked_cholesky(matrix: Array) -> Array:
    """`cholesky`, with NaN for infinity where there is no factor: what is computed from it is then no number either.

    Infinite values may be likely: a log rate of -inf explains each count of 0.
    """
    lower = cholesky(matrix)
    return lower + 0.0 * lower[..., :1, :1]


@primitive  # type: ignore[untyped-decorator]
def solve_triangular(lower: Array, right: Array, transposed: bool = False) -> Array:
    """x with ``L @ x = b``, or ``L.T @ x = b`` if `transposed`; L is lower triangular."""
    return substitute(lower, right, transposed)


@primitive  # type: ignore[untyped-decorator]
def solve_posdef(matrix: Array, right: Array) -> Array:
    """x with ``A @ x = b`` for positive definite A."""
    lower = factor(matrix)
    return substitute(lower, substitute(lower, right), True)


@primitive  # type: ignore[untyped-decorator]
def squared_norm(matrix: Array, right: Array) -> Array:
    """``b' A^-1 b`` of each right-hand side b, A positive definite: shape (...,) of vectors, (..., m) of columns."""
    half = substitute(factor(matrix), right)
    return np.sum(half * half, axis=-side_axes(np.ndim(matrix), np.ndim(right)))


@primitive  # type: ignore[untyped-decorator]
def logdet(matrix: Array) -> Array:
    """The logarithm of the determinant of each positive definite matrix; inf for one that is not."""
    return 2.0 * np.sum(np.log(np.diagonal(factor(matrix), axis1=-2, axis2=-1)), axis=-1)


@primitive  # type: ignore[untyped-decorator]
def inverse_posdef(matrix: Array) -> Array:
    """The inverse of each positive definite matrix."""
    return inverse_from_factor(factor(matrix))


# --- General matrices ------------------------------------------------------------------------------------------------


@primitive  # type: ignore[untyped-decorator]
def solve(matrix: Array, right: Array, transposed: bool = False) -> Array:
    """x with ``A @ x = b``, or ``A.T @ x = b`` if `transposed`, by Gaussian elimination; NaN for a singular A."""
    return lu_solve(lu_factor(matrix), right, transposed)


@primitive  # type: ignore[untyped-decorator]
def inverse(matrix: Array) -> Array:
    """The inverse of each matrix; NaN for a singular one."""
    matrix = np.asarray(matrix, dtype=np.float64)
    return lu_solve(lu_factor(matrix), np.broadcast_to(np.eye(matrix.shape[-1]), matrix.shape))


@primitive  # type: ignore[untyped-decorator]
def logabsdet(matrix: Array) -> Array:
    """The logarithm of the absolute value of each determinant; -inf for a singular matrix."""
    diagonal = np.diagonal(lu_factor(matrix), axis1=-2, axis2=-1)
    with np.errstate(all="ignore"):
        return np.sum(np.log(np.abs(diagonal)), axis=-1)


@primitive  # type: ignore[untyped-decorator]
def determinant_sign(matrix: Array) -> Array:
    """The sign of each determinant: -1, 0 or 1."""
    factors = lu_factor(matrix)
    swapped = factors[..., -1, :] != np.arange(factors.shape[-1])
    signs = np.sign(np.diagonal(factors, axis1=-2, axis2=-1))
    return np.prod(np.where(swapped, -signs, signs), axis=-1)


def determinant(matrix: Array) -> Array:
    """The determinant of each matrix; its derivative needs the inverse, and is NaN for a singular matrix."""
    return determinant_sign(matrix) * anp.exp(logabsdet(matrix))


# --- Covariances by their factors -------------------------------------------------------------------------------------


def standard_deviations(lower: Array) -> Array:
    """The roots of the diagonal of ``L @ L.T`` for each factor L, shape (..., n)."""
    return anp.sqrt(anp.sum(lower * lower, axis=-1))


def correlations(lower: Array) -> Array:
    """The correlation matrix of each covariance matrix ``L @ L.T``."""
    rows = lower / anp.expand_dims(standard_deviations(lower), -1)
    return anp.matmul(rows, _flipped(rows))


# --- Derivatives -----------------------------------------------------------------------------------------------------


def _flipped(matrix: Array) -> Array:
    return anp.swapaxes(matrix, -1, -2)


def _outer(a: Array, b: Array, matrix: Array) -> Array:
    """``a b'`` of right-hand sides, summed over the leading axes that `matrix` does not have."""
    if side_axes(anp.ndim(matrix), anp.ndim(a)) == 1:
        full = anp.outer(a, b) if anp.ndim(a) == 1 else a[..., :, None] * b[..., None, :]
    else:
        full = anp.matmul(a, _flipped(b))
    return _summed(full, matrix)


def _summed(cotangent: Array, argument: Array) -> Array:
    """A cotangent, summed over the axes over which its argument was broadcast."""
    return unbroadcast_f(argument, lambda g: g)(cotangent)


def _scaled(g: Array) -> Array:
    """One number a matrix, for each of its elements."""
    return g if anp.ndim(g) == 0 else anp.reshape(g, (*anp.shape(g), 1, 1))


def cholesky_vjp(ans: Array, matrix: Array) -> Any:
    """Murray (2016), "Differentiation of the Cholesky decomposition", equation 10."""
    size = anp.shape(ans)[-1]
    weights = np.tril(np.ones((size, size)), -1) + 0.5 * np.eye(size)

    def vjp(g: Array) -> Array:
        middle = weights * anp.matmul(_flipped(ans), anp.tril(g))
        left = solve_triangular(ans, middle, True)
        full = _flipped(solve_triangular(ans, _flipped(left), True))
        return 0.5 * (full + _flipped(full))

    return vjp


def _triangular_vjp(ans: Array, lower: Array, right: Array, transposed: bool = False) -> Any:
    def vjp(g: Array) -> Array:
        pulled = solve_triangular(lower, g, not transposed)
        return -anp.tril(_outer(ans, pulled, lower) if transposed else _outer(pulled, ans, lower))

    return vjp


def _norm_solution(g: Array, matrix: Array, right: Array) -> tuple[Array, Array]:
    """The solutions s, whose squared norms have cotangents g, and g s."""
    solution = solve_posdef(matrix, right)
    return solution, (g[..., None] if side_axes(anp.ndim(matrix), anp.ndim(right)) == 1 else g[..., None, :]) * solution


def _norm_matrix_vjp(ans: Array, matrix: Array, right: Array) -> Any:
    def vjp(g: Array) -> Array:
        solution, weighted = _norm_solution(g, matrix, right)
        return -_outer(weighted, solution, matrix)

    return vjp


def _norm_right_vjp(ans: Array, matrix: Array, right: Array) -> Any:
    return lambda g: _summed(2.0 * _norm_solution(g, matrix, right)[1], right)


def _solve_vjp(ans: Array, matrix: Array, right: Array, transposed: bool = False) -> Any:
    def vjp(g: Array) -> Array:
        pulled = solve(matrix, g, not transposed)
        return -(_outer(ans, pulled, matrix) if transposed else _outer(pulled, ans, matrix))

    return vjp


defvjp(cholesky, cholesky_vjp)
defvjp(
    solve_triangular,
    _triangular_vjp,
    lambda ans, lower, right, transposed=False: lambda g: _summed(solve_triangular(lower, g, not transposed), right),
)
defvjp(
    solve_posdef,
    lambda ans, matrix, right: lambda g: -_outer(solve_posdef(matrix, g), ans, matrix),
    lambda ans, matrix, right: lambda g: _summed(solve_posdef(matrix, g), right),
)
defvjp(squared_norm, _norm_matrix_vjp, _norm_right_vjp)
# Through the inverse, as in Stan: half the work of the derivative of the factor.
defvjp(logdet, lambda ans, matrix: lambda g: _scaled(g) * inverse_posdef(matrix))
defvjp(inverse_posdef, lambda ans, matrix: lambda g: -anp.matmul(ans, anp.matmul(g, ans)))
defvjp(
    solve,
    _solve_vjp,
    lambda ans, matrix, right, transposed=False: lambda g: _summed(solve(matrix, g, not transposed), right),
)
defvjp(inverse, lambda ans, matrix: lambda g: -anp.matmul(_flipped(ans), anp.matmul(g, _flipped(ans))))
defvjp(logabsdet, lambda ans, matrix: lambda g: _scaled(g) * _flipped(inverse(matrix)))
defvjp(determinant_sign, lambda ans, matrix: lambda g: anp.zeros(anp.shape(matrix)))
