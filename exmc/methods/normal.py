"""Normal approximations of a posterior: drawn from, and compared with it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.methods.method import Arrays, Drawn, Problem
from exmc.methods.psis import Smoothed, smooth
from exmc.methods.random import DRAW, generators
from exmc.nuts.metric import METRICS
from exmc.sampling.seeds import chain_key
from exmc.sampling.statistics import Statistic

FloatArray = NDArray[np.float64]

STATISTICS: tuple[Statistic, ...] = (
    Statistic("lp", "float64", "Joint log posterior density of the draw, on the unconstrained scale"),
    Statistic("log_approximation", "float64", "Log density of the approximation at the draw"),
)
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
# Draws that importance ratios are made of: enough for a tail of 190.
ASSESSED = 4000


class Normal(NamedTuple):
    """A normal distribution: mean + scale * (I + B (C - I) B') z for a standard normal z.

    Attributes
    ----------
    mean, scale : ndarray, shape (dimension,)
    basis : ndarray, shape (dimension, rank)
        B: orthonormal columns, or columns of zeros.
    core : ndarray, shape (rank, rank)
        C: lower triangular, its diagonal positive.
    """

    mean: FloatArray
    scale: FloatArray
    basis: FloatArray
    core: FloatArray

    @property
    def log_scale(self) -> float:
        """Half the log determinant of the covariance."""
        return float(np.log(self.scale).sum() + np.log(np.diagonal(self.core)).sum())

    def place(self, standard: FloatArray) -> FloatArray:
        """The position that a standard normal vector leads to."""
        if not self.core.size:
            return np.asarray(self.mean + self.scale * standard)
        # One vector at a time, so that a draw's bits do not depend on how many are drawn together; not by BLAS, whose
        # bits depend on its threads.
        inner = np.einsum("dr,d->r", self.basis, standard)
        moved = np.einsum("sr,r->s", self.core, inner) - inner
        return np.asarray(self.mean + self.scale * (standard + np.einsum("dr,r->d", self.basis, moved)))

    def deviations(self) -> FloatArray:
        """The standard deviation of each coordinate."""
        inner = np.einsum("rk,sk->rs", self.core, self.core) - np.eye(len(self.core))
        return np.asarray(self.scale * np.sqrt(1.0 + np.einsum("dr,rs,ds->d", self.basis, inner, self.basis)))

    def log_density(self, standard: FloatArray) -> float:
        """The log density where a standard normal vector leads to."""
        square = float(np.einsum("d,d->", standard, standard))
        return -0.5 * square - standard.size * _HALF_LOG_TWO_PI - self.log_scale


def log_densities(normal: Normal, positions: FloatArray) -> FloatArray:
    """The log density of `normal` at positions of shape (count, dimension)."""
    standard = (positions - normal.mean) / normal.scale
    if normal.core.size:
        # The inverse of I + B (C - I) B' is I + B (inv(C) - I) B'.
        inner = np.einsum("nd,dr->nr", standard, normal.basis)
        solved = solve_lower(normal.core, inner.T).T
        standard = standard + np.einsum("nr,dr->nd", solved - inner, normal.basis)
    square = np.einsum("nd,nd->n", standard, standard)
    return np.asarray(-0.5 * square - normal.mean.size * _HALF_LOG_TWO_PI - normal.log_scale)


def solve_lower(lower: FloatArray, right: FloatArray) -> FloatArray:
    """The solution of a lower triangular system, `right` of shape (rank, count), by forward substitution."""
    found = np.empty_like(right)
    for i in range(len(lower)):
        found[i] = (right[i] - np.einsum("j,jn->n", lower[i, :i], found[:i])) / lower[i, i]
    return found


def independent(mean: FloatArray, scale: FloatArray) -> Normal:
    """Independent coordinates."""
    return Normal(mean, scale, np.zeros((mean.size, 0)), np.zeros((0, 0)))


def dense(mean: FloatArray, factor: FloatArray) -> Normal:
    """A covariance by its lower Cholesky factor."""
    return Normal(mean, np.ones(mean.size), np.eye(mean.size), factor)


def low_rank(mean: FloatArray, variances: FloatArray, columns: FloatArray, inner: FloatArray) -> Normal:
    """The covariance diag(variances) + columns inner columns'; raises `SamplingError` if it is not one.

    Zhang et al. (2022), algorithm 4, with Gram and Schmidt's orthonormal columns, which have no need of LAPACK.
    """
    scale = np.sqrt(variances)
    basis, triangle = _orthonormal(columns / scale[:, None])
    middle = np.einsum("ri,ij->rj", triangle, inner)
    core = np.eye(basis.shape[1]) + np.einsum("rj,sj->rs", middle, triangle)
    return Normal(mean, scale, basis, METRICS["dense"].factorise(0.5 * (core + core.T)))


def _orthonormal(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Q and upper triangular R with columns = Q R; where one depends on those before it, Q has zeros."""
    basis, triangle = np.zeros_like(columns), np.zeros((columns.shape[1],) * 2)
    for j in range(columns.shape[1]):
        rest, whole = columns[:, j].copy(), math.sqrt(float(np.einsum("d,d->", columns[:, j], columns[:, j])))
        # Twice is enough (Parlett): the second pass removes what rounding left.
        for _ in range(2):
            found = np.einsum("dr,d->r", basis[:, :j], rest)
            rest = rest - np.einsum("dr,r->d", basis[:, :j], found)
            triangle[:j, j] += found
        left = math.sqrt(float(np.einsum("d,d->", rest, rest)))
        if left > 1e-10 * whole:
            basis[:, j], triangle[j, j] = rest / left, left
    return basis, triangle


def to_arrays(normal: Normal) -> dict[str, NDArray[np.float64]]:
    """`normal` as named arrays."""
    return dict(normal._asdict())


def from_arrays(arrays: Arrays) -> Normal:
    """The normal distribution that `to_arrays` named."""
    return Normal(*(np.asarray(arrays[name]) for name in Normal._fields))


def compare(
    problem: Problem, normal: Normal, key: NDArray[np.uint64], count: int, purpose: int, first: int = 0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draws number `first` and on of `normal` under `key`, shape (count, dimension), with both log densities of each.

    The posterior's is -inf where it is not finite.
    """
    positions = np.empty((count, normal.mean.size))
    posterior, approximation = np.empty(count), np.empty(count)
    for i, source in zip(range(count), generators(key, first, purpose), strict=False):
        standard = source.standard_normal(normal.mean.size)
        positions[i] = normal.place(standard)
        value, _ = problem(positions[i])
        posterior[i] = value if math.isfinite(value) else -math.inf
        approximation[i] = normal.log_density(standard)
    return positions, posterior, approximation


def assess(problem: Problem, normal: Normal, key: NDArray[np.uint64], purpose: int) -> Smoothed:
    """How well `normal` approximates the posterior: the importance weights of some of its draws."""
    _, posterior, approximation = compare(problem, normal, key, ASSESSED, purpose)
    return smooth(posterior - approximation)


def draw_normal(problem: Problem, fit: Arrays, chain: int, first: int, count: int) -> Drawn:
    """Independent draws of the normal approximation in `fit` (`exmc.methods.method.Method.draw`)."""
    key = chain_key(problem.options.seed, chain)
    positions, posterior, approximation = compare(problem, from_arrays(fit), key, count, DRAW, first)
    return Drawn(positions, {"lp": posterior, "log_approximation": approximation})
