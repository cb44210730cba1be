"""Supports of random variables, and the table of bijections that map real vectors onto them."""

from __future__ import annotations

from exmc.transforms.base import Transform
from exmc.transforms.elementwise import ANGULAR, IDENTITY, LOG, LOGIT, LOWER, SCALED_LOGIT, SOFTPLUS, UPPER
from exmc.transforms.matrices import (
    CHOLESKY_CORR_TRANSFORM,
    CHOLESKY_COV_TRANSFORM,
    CORRELATION_TRANSFORM,
    COVARIANCE_TRANSFORM,
)
from exmc.transforms.supports import (
    ADJACENCY,
    ANGLE,
    AT_LEAST,
    AT_MOST,
    BOOLEAN,
    CHOLESKY_CORR,
    CHOLESKY_COV,
    CORRELATION,
    COUNTS,
    COVARIANCE,
    INTEGER,
    INTEGER_INTERVAL,
    INTEGER_RANGE,
    INTERVAL,
    NONNEGATIVE,
    NONNEGATIVE_INTEGER,
    OPEN_UNIT_INTERVAL,
    ORDERED,
    POSITIVE,
    POSITIVE_INTEGER,
    POSITIVE_ORDERED,
    REAL,
    SIGNED_UNIT_INTERVAL,
    SIMPLEX,
    SUM_TO_ZERO,
    SUPPORTS,
    UNIT_INTERVAL,
    Support,
)
from exmc.transforms.vectors import (
    ORDERED_TRANSFORM,
    POSITIVE_ORDERED_TRANSFORM,
    SIMPLEX_TRANSFORM,
    SUM_TO_ZERO_TRANSFORM,
)

TRANSFORMS: dict[str, Transform] = {
    transform.name: transform
    for transform in (
        IDENTITY,
        LOG,
        SOFTPLUS,
        LOGIT,
        SCALED_LOGIT,
        LOWER,
        UPPER,
        ANGULAR,
        ORDERED_TRANSFORM,
        POSITIVE_ORDERED_TRANSFORM,
        SIMPLEX_TRANSFORM,
        SUM_TO_ZERO_TRANSFORM,
        CHOLESKY_COV_TRANSFORM,
        CHOLESKY_CORR_TRANSFORM,
        COVARIANCE_TRANSFORM,
        CORRELATION_TRANSFORM,
    )
}
"""Every transform by name."""

__all__ = [
    "ADJACENCY",
    "ANGLE",
    "AT_LEAST",
    "AT_MOST",
    "BOOLEAN",
    "CHOLESKY_CORR",
    "CHOLESKY_COV",
    "CORRELATION",
    "COUNTS",
    "COVARIANCE",
    "INTEGER",
    "INTEGER_INTERVAL",
    "INTEGER_RANGE",
    "INTERVAL",
    "NONNEGATIVE",
    "NONNEGATIVE_INTEGER",
    "OPEN_UNIT_INTERVAL",
    "ORDERED",
    "POSITIVE",
    "POSITIVE_INTEGER",
    "POSITIVE_ORDERED",
    "REAL",
    "SIGNED_UNIT_INTERVAL",
    "SIMPLEX",
    "SUM_TO_ZERO",
    "SUPPORTS",
    "TRANSFORMS",
    "UNIT_INTERVAL",
    "Support",
    "Transform",
]
