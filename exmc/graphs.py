"""Matrices of undirected graphs and their spectra, as autograd primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive

Array = Any
"""A numpy array or an autograd box around one."""


@primitive  # type: ignore[untyped-decorator]
def adjacency(first: Array, second: Array, size: int) -> Array:
    """How often each two of `size` nodes are neighbours, by pairs of them: shapes (e,) and (e,) to (size, size).

    Raises IndexError for a node that is none of 0 to size - 1.
    """
    found = np.zeros((size, size))
    nodes = np.asarray(first, np.int64), np.asarray(second, np.int64)
    if any(np.any(node < 0) for node in nodes):
        raise IndexError("a node has a negative number")
    np.add.at(found, nodes, 1.0)
    return found + found.T


@primitive  # type: ignore[untyped-decorator]
def eigenvalues(matrix: Array) -> Array:
    """The eigenvalues of each symmetric matrix, ascending, shape (..., n, n) to (..., n); NaN if one is not finite."""
    return _of_finite(np.linalg.eigvalsh, np.asarray(matrix, np.float64))


@primitive  # type: ignore[untyped-decorator]
def eigenvectors(matrix: Array) -> Array:
    """Orthonormal eigenvectors of each symmetric matrix, as columns in the order of `eigenvalues`."""
    return _of_finite(lambda finite: np.linalg.eigh(finite)[1], np.asarray(matrix, np.float64))


def _of_finite(function: Callable[[Any], Any], matrix: Any) -> Any:
    """`function` of each matrix, NaN for those that are not finite, of which LAPACK raises."""
    legal = np.all(np.isfinite(matrix), axis=(-2, -1), keepdims=True)
    found = function(np.where(legal, matrix, 0.0))
    return np.where(legal if found.ndim == matrix.ndim else legal[..., 0], found, np.nan)


def _eigenvalues_vjp(ans: Array, matrix: Array) -> Any:
    def vjp(g: Array) -> Array:
        vectors = eigenvectors(matrix)
        return anp.matmul(vectors * anp.expand_dims(g, -2), anp.swapaxes(vectors, -1, -2))

    return vjp


# Which nodes are neighbours is data; `eigenvectors` are there for a first derivative.
defvjp(eigenvalues, _eigenvalues_vjp)
