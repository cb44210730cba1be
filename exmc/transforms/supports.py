"""Supports: the sets of values that random variables and parameters may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy
from numpy.typing import NDArray

from exmc.special import Array

BoolArray = NDArray[numpy.bool_]
Edge: TypeAlias = float | Literal["bound"] | None

TOLERANCE = 1e-8
"""How far the sum of a simplex may be from 1, relative to its members' size: data are rounded, and so are sums."""


@dataclass(frozen=True, slots=True)
class Support:
    """A set of values.

    Attributes
    ----------
    name
        Its name in messages' keys and in the IR.
    description
        What an error message calls its members: "a positive number".
    contains
        ``contains(value, *bounds)`` -> bool array of the broadcast shape, without the last `event_rank` axes. NaN is in
        no support, infinity in none of the numeric ones.
    discrete
        Whether its members are integers.
    event_rank
        How many axes a member has: 0 for numbers, 1 for vectors such as a simplex, 2 for matrices.
    edges
        Of numbers, the least one and the largest one, or where they end: "bound" where the next of the bounds says so,
        None where there is no end.
    """

    name: str
    description: str
    contains: Callable[..., BoolArray]
    discrete: bool = False
    event_rank: int = 0
    edges: tuple[Edge, Edge] = (None, None)

    @property
    def bounded(self) -> bool:
        """Whether it takes bounds."""
        return "bound" in self.edges


def _real(value: Array) -> BoolArray:
    return numpy.asarray(numpy.isfinite(value))


def _positive(value: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) > 0))


def _nonnegative(value: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) >= 0))


def _interval(value: Array, low: Array, high: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) >= low) & (numpy.asarray(value) <= high))


def _angle(value: Array) -> BoolArray:
    return _interval(value, -numpy.pi, numpy.pi)


def _unit_interval(value: Array) -> BoolArray:
    return _interval(value, 0.0, 1.0)


def _signed_unit_interval(value: Array) -> BoolArray:
    return numpy.asarray(numpy.abs(value) < 1.0)


def _open_unit_interval(value: Array) -> BoolArray:
    return numpy.asarray((numpy.asarray(value) > 0.0) & (numpy.asarray(value) < 1.0))


def _integer(value: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.floor(value) == value))


def _positive_integer(value: Array) -> BoolArray:
    return numpy.asarray(_integer(value) & _positive(value))


def _nonnegative_integer(value: Array) -> BoolArray:
    return numpy.asarray(_integer(value) & _nonnegative(value))


def _integer_interval(value: Array, high: Array) -> BoolArray:
    return numpy.asarray(_nonnegative_integer(value) & (numpy.asarray(value) <= high))


def _at_least(value: Array, low: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) >= low))


def _at_most(value: Array, high: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) <= high))


def _integer_range(value: Array, low: Array, high: Array) -> BoolArray:
    return numpy.asarray(_integer(value) & _interval(value, low, high))


def _counts(value: Array, total: Array | None = None) -> BoolArray:
    legal = _nonnegative_integer(value).all(-1)
    return numpy.asarray(legal if total is None else legal & (numpy.sum(value, -1) == total))


def _boolean(value: Array) -> BoolArray:
    return _integer_interval(value, 1)


def _simplex(value: Array) -> BoolArray:
    return numpy.asarray(_nonnegative(value).all(-1) & (numpy.abs(numpy.sum(value, -1) - 1.0) <= TOLERANCE))


def _ordered(value: Array) -> BoolArray:
    array = numpy.asarray(value)
    return numpy.asarray(_real(value).all(-1) & (array[..., 1:] >= array[..., :-1]).all(-1))


def _positive_ordered(value: Array) -> BoolArray:
    return numpy.asarray(_ordered(value) & (numpy.asarray(value) >= 0.0).all(-1))


def _sum_to_zero(value: Array) -> BoolArray:
    size = 1.0 + numpy.max(numpy.abs(value), axis=-1, initial=0.0)
    with numpy.errstate(invalid="ignore"):
        return numpy.asarray(_real(value).all(-1) & (numpy.abs(numpy.sum(value, -1)) <= TOLERANCE * size))


def _square(value: Array) -> bool:
    shape = numpy.shape(value)
    return len(shape) >= 2 and shape[-1] == shape[-2]


def _diagonal(value: Array) -> Array:
    return numpy.diagonal(value, axis1=-2, axis2=-1)


def _cholesky_cov(value: Array) -> BoolArray:
    if not _square(value):
        return numpy.zeros(numpy.shape(value)[:-2], bool)
    lower = (numpy.triu(value, 1) == 0.0).all((-2, -1))
    return numpy.asarray(_real(value).all((-2, -1)) & lower & (_diagonal(value) >= 0.0).all(-1))


def _cholesky_corr(value: Array) -> BoolArray:
    with numpy.errstate(invalid="ignore", over="ignore"):
        unit = numpy.abs(numpy.sum(numpy.square(value), -1) - 1.0) <= TOLERANCE
    return numpy.asarray(_cholesky_cov(value) & unit.all(-1))


def _covariance(value: Array) -> BoolArray:
    if not _square(value):
        return numpy.zeros(numpy.shape(value)[:-2], bool)
    transposed = numpy.swapaxes(value, -2, -1)
    with numpy.errstate(invalid="ignore"):
        size = 1.0 + numpy.max(numpy.abs(value), axis=(-2, -1), initial=0.0)
        off = numpy.max(numpy.abs(numpy.subtract(value, transposed)), axis=(-2, -1), initial=0.0)
        fit = numpy.asarray(_real(value).all((-2, -1)) & (off <= TOLERANCE * size))
    for at in numpy.argwhere(fit):
        fit[tuple(at)] = _has_factor(numpy.asarray(value)[tuple(at)])
    return fit


def _has_factor(matrix: Array) -> bool:
    try:
        numpy.linalg.cholesky(matrix)
    except numpy.linalg.LinAlgError:
        return False
    return True


def _adjacency(value: Array) -> BoolArray:
    if not _square(value):
        return numpy.zeros(numpy.shape(value)[:-2], bool)
    same = (numpy.asarray(value) == numpy.swapaxes(value, -2, -1)).all((-2, -1))
    return numpy.asarray(_nonnegative(value).all((-2, -1)) & same & (_diagonal(value) == 0.0).all(-1))


def _corr(value: Array) -> BoolArray:
    with numpy.errstate(invalid="ignore"):
        return numpy.asarray(_covariance(value) & (numpy.abs(_diagonal(value) - 1.0) <= TOLERANCE).all(-1))


REAL = Support("real", "a finite number", _real)
POSITIVE = Support("positive", "a positive number", _positive, edges=(0.0, None))
NONNEGATIVE = Support("nonnegative", "a number that is not negative", _nonnegative, edges=(0.0, None))
UNIT_INTERVAL = Support("unit_interval", "a number between 0 and 1", _unit_interval, edges=(0.0, 1.0))
OPEN_UNIT_INTERVAL = Support(
    "open_unit_interval", "a number strictly between 0 and 1", _open_unit_interval, edges=(0.0, 1.0)
)
SIGNED_UNIT_INTERVAL = Support(
    "signed_unit_interval", "a number strictly between -1 and 1", _signed_unit_interval, edges=(-1.0, 1.0)
)
INTERVAL = Support("interval", "a number within its bounds", _interval, edges=("bound", "bound"))
AT_LEAST = Support("at_least", "a number that is not below its bound", _at_least, edges=("bound", None))
AT_MOST = Support("at_most", "a number that is not above its bound", _at_most, edges=(None, "bound"))
ANGLE = Support("angle", "an angle between -pi and pi", _angle, edges=(-numpy.pi, numpy.pi))
INTEGER = Support("integer", "an integer", _integer, True)
POSITIVE_INTEGER = Support("positive_integer", "a positive integer", _positive_integer, True, edges=(1, None))
NONNEGATIVE_INTEGER = Support(
    "nonnegative_integer", "0 or a positive integer", _nonnegative_integer, True, edges=(0, None)
)
INTEGER_INTERVAL = Support(
    "integer_interval", "an integer from 0 to its bound", _integer_interval, True, edges=(0, "bound")
)
INTEGER_RANGE = Support("integer_range", "an integer within its bounds", _integer_range, True, edges=("bound", "bound"))
BOOLEAN = Support("boolean", "0 or 1", _boolean, True, edges=(0, 1))
COUNTS = Support(
    "counts", "a vector of whole numbers, none negative, that sum to their total", _counts, True, event_rank=1
)
SIMPLEX = Support("simplex", "a vector of probabilities that sum to 1", _simplex, event_rank=1)
ORDERED = Support("ordered", "a vector whose elements increase", _ordered, event_rank=1)
POSITIVE_ORDERED = Support(
    "positive_ordered", "a vector of positive elements that increase", _positive_ordered, event_rank=1
)
SUM_TO_ZERO = Support("sum_to_zero", "a vector whose elements sum to 0", _sum_to_zero, event_rank=1)
CHOLESKY_COV = Support(
    "cholesky_cov", "a lower triangular matrix with a positive diagonal", _cholesky_cov, event_rank=2
)
CHOLESKY_CORR = Support("cholesky_corr", "the Cholesky factor of a correlation matrix", _cholesky_corr, event_rank=2)
COVARIANCE = Support("covariance", "a symmetric positive definite matrix", _covariance, event_rank=2)
ADJACENCY = Support(
    "adjacency", "a symmetric matrix of weights, none negative, with zeros on its diagonal", _adjacency, event_rank=2
)
CORRELATION = Support("correlation", "a correlation matrix", _corr, event_rank=2)

SUPPORTS: dict[str, Support] = {
    support.name: support
    for support in (
        REAL,
        POSITIVE,
        NONNEGATIVE,
        UNIT_INTERVAL,
        OPEN_UNIT_INTERVAL,
        SIGNED_UNIT_INTERVAL,
        INTERVAL,
        AT_LEAST,
        AT_MOST,
        ANGLE,
        INTEGER,
        POSITIVE_INTEGER,
        NONNEGATIVE_INTEGER,
        INTEGER_INTERVAL,
        INTEGER_RANGE,
        BOOLEAN,
        COUNTS,
        SIMPLEX,
        ORDERED,
        POSITIVE_ORDERED,
        SUM_TO_ZERO,
        CHOLESKY_COV,
        CHOLESKY_CORR,
        COVARIANCE,
        ADJACENCY,
        CORRELATION,
    )
}
"""Every support by name."""
