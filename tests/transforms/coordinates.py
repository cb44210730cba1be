"""The coordinates by which events of fewer degrees of freedom than elements are measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from scipy.linalg import helmert


def _lower(matrix: Any) -> Any:
    return matrix[np.tril_indices(len(matrix))]


def _strictly_lower(matrix: Any) -> Any:
    return matrix[np.tril_indices(len(matrix), -1)]


def _within_the_plane(vector: Any) -> Any:
    """Orthonormal coordinates of the vectors that sum to zero."""
    return anp.dot(helmert(len(vector)), vector)


COORDINATES: dict[str, Callable[[Any], Any]] = {
    "simplex": lambda value: value[:-1],
    "sum_to_zero": _within_the_plane,
    "cholesky_cov": _lower,
    "covariance": _lower,
    "cholesky_corr": _strictly_lower,
    "correlation": _strictly_lower,
}
"""By support. Without a row here, there are as many coordinates as elements."""


def measured(support: str, value: Any) -> Any:
    """The coordinates of one event."""
    return COORDINATES.get(support, lambda v: v)(value)
