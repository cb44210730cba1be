"""The coordinates by which events of fewer degrees of freedom than elements are measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _lower(matrix: Any) -> Any:
    return matrix[np.tril_indices(len(matrix))]


def _strictly_lower(matrix: Any) -> Any:
    return matrix[np.tril_indices(len(matrix), -1)]


COORDINATES: dict[str, Callable[[Any], Any]] = {
    "simplex": lambda value: value[:-1],
    "cholesky_cov": _lower,
    "covariance": _lower,
    "cholesky_corr": _strictly_lower,
    "correlation": _strictly_lower,
}
"""By support. Without a row here, the volume on the surface itself is meant."""


def measured(support: str, value: Any) -> Any:
    """The coordinates of one event."""
    return COORDINATES.get(support, lambda v: v)(value)
