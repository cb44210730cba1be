"""Supports of random variables and the bijections that map the real line onto them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.special import Array, expit, log1mexp, log_expit, logit, select, softplus

BoolArray = NDArray[numpy.bool_]


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
        ``contains(value, *bounds)`` -> bool array of the broadcast shape. NaN is in no support, infinity in none
        of the numeric ones.
    discrete
        Whether its members are integers.
    """

    name: str
    description: str
    contains: Callable[..., BoolArray]
    discrete: bool = False


def _real(value: Array) -> BoolArray:
    return numpy.asarray(numpy.isfinite(value))


def _positive(value: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) > 0))


def _nonnegative(value: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) >= 0))


def _interval(value: Array, low: Array, high: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) >= low) & (numpy.asarray(value) <= high))


def _lower_bounded(value: Array, low: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.asarray(value) >= low))


def _angle(value: Array) -> BoolArray:
    return _interval(value, -numpy.pi, numpy.pi)


def _unit_interval(value: Array) -> BoolArray:
    return _interval(value, 0.0, 1.0)


def _open_unit_interval(value: Array) -> BoolArray:
    return numpy.asarray((numpy.asarray(value) > 0.0) & (numpy.asarray(value) < 1.0))


def _integer(value: Array) -> BoolArray:
    return numpy.asarray(_real(value) & (numpy.floor(value) == value))


def _integer_range(value: Array, low: Array, high: Array) -> BoolArray:
    return numpy.asarray(_integer(value) & _interval(value, low, high))


def _positive_integer(value: Array) -> BoolArray:
    return numpy.asarray(_integer(value) & _positive(value))


def _nonnegative_integer(value: Array) -> BoolArray:
    return numpy.asarray(_integer(value) & _nonnegative(value))


def _integer_interval(value: Array, high: Array) -> BoolArray:
    return numpy.asarray(_nonnegative_integer(value) & (numpy.asarray(value) <= high))


def _boolean(value: Array) -> BoolArray:
    return _integer_interval(value, 1)


REAL = Support("real", "a finite number", _real)
POSITIVE = Support("positive", "a positive number", _positive)
NONNEGATIVE = Support("nonnegative", "a number that is not negative", _nonnegative)
UNIT_INTERVAL = Support("unit_interval", "a number between 0 and 1", _unit_interval)
OPEN_UNIT_INTERVAL = Support("open_unit_interval", "a number strictly between 0 and 1", _open_unit_interval)
INTERVAL = Support("interval", "a number within its bounds", _interval)
LOWER_BOUNDED = Support("lower_bounded", "a number that is not below its bound", _lower_bounded)
ANGLE = Support("angle", "an angle between -pi and pi", _angle)
INTEGER = Support("integer", "an integer", _integer, True)
POSITIVE_INTEGER = Support("positive_integer", "a positive integer", _positive_integer, True)
INTEGER_RANGE = Support("integer_range", "an integer within its bounds", _integer_range, True)
NONNEGATIVE_INTEGER = Support("nonnegative_integer", "0 or a positive integer", _nonnegative_integer, True)
INTEGER_INTERVAL = Support("integer_interval", "an integer from 0 to its bound", _integer_interval, True)
BOOLEAN = Support("boolean", "0 or 1", _boolean, True)

SUPPORTS: dict[str, Support] = {
    support.name: support
    for support in (
        REAL,
        POSITIVE,
        NONNEGATIVE,
        UNIT_INTERVAL,
        OPEN_UNIT_INTERVAL,
        INTERVAL,
        LOWER_BOUNDED,
        ANGLE,
        INTEGER,
        POSITIVE_INTEGER,
        INTEGER_RANGE,
        NONNEGATIVE_INTEGER,
        INTEGER_INTERVAL,
        BOOLEAN,
    )
}
"""Every support by name."""


@dataclass(frozen=True, slots=True)
class Transform:
    """A smooth increasing bijection from the reals onto the interior of a support, elementwise.

    All three functions are made of autograd primitives, broadcast, and are stable for unconstrained values up to
    700 in magnitude. What rounds onto a support's edge (``exp(-800)``, ``expit(40)``) stays inside its closure.

    Attributes
    ----------
    name
        Its name in models and messages.
    supports
        The supports onto whose interior it maps; those with bounds take them as further arguments.
    constrain
        ``constrain(unconstrained, *bounds)``: the value in the support.
    unconstrain
        ``unconstrain(constrained, *bounds)``: its inverse.
    log_jacobian
        ``log_jacobian(unconstrained, *bounds)``: log of the derivative of `constrain`, elementwise.
    """

    name: str
    supports: tuple[Support, ...]
    constrain: Callable[..., Array]
    unconstrain: Callable[..., Array]
    log_jacobian: Callable[..., Array]


def _same(value: Array) -> Array:
    return value


def _exp(value: Array) -> Array:
    return np.exp(value)


def _log(value: Array) -> Array:
    return np.log(value)


def _log_jacobian_of_identity(unconstrained: Array) -> Array:
    return np.zeros(np.shape(unconstrained))


def _inverse_softplus(constrained: Array) -> Array:
    return constrained + log1mexp(-constrained)


def _log_jacobian_of_expit(unconstrained: Array) -> Array:
    # log(expit(x) * expit(-x)); the sum never cancels to less than its larger term's half.
    return unconstrained - 2.0 * softplus(unconstrained)


def _constrain_to_interval(unconstrained: Array, low: Array, high: Array) -> Array:
    # Measured from the nearer bound: rounding can then never pass it, and small distances from either keep
    # their digits. -|x| is written as a selection, because autograd's slope of |x| at 0 is 0.
    below = unconstrained < 0.0
    distance = (high - low) * expit(select(below, unconstrained, -unconstrained))
    return select(below, low + distance, high - distance)


def _unconstrain_from_interval(constrained: Array, low: Array, high: Array) -> Array:
    return np.log(constrained - low) - np.log(high - constrained)


def _log_jacobian_of_interval(unconstrained: Array, low: Array, high: Array) -> Array:
    return np.log(high - low) + _log_jacobian_of_expit(unconstrained)


def _constrain_above(unconstrained: Array, low: Array) -> Array:
    return low + np.exp(unconstrained)


def _unconstrain_above(constrained: Array, low: Array) -> Array:
    return np.log(constrained - low)


def _log_jacobian_above(unconstrained: Array, low: Array) -> Array:
    return unconstrained + 0.0 * low


def _constrain_to_angle(unconstrained: Array) -> Array:
    return _constrain_to_interval(unconstrained, -numpy.pi, numpy.pi)


def _unconstrain_from_angle(constrained: Array) -> Array:
    return _unconstrain_from_interval(constrained, -numpy.pi, numpy.pi)


def _log_jacobian_of_angle(unconstrained: Array) -> Array:
    return _log_jacobian_of_interval(unconstrained, -numpy.pi, numpy.pi)


IDENTITY = Transform("identity", (REAL,), _same, _same, _log_jacobian_of_identity)
LOG = Transform("log", (POSITIVE, NONNEGATIVE), _exp, _log, _same)
SOFTPLUS = Transform("softplus", (POSITIVE, NONNEGATIVE), softplus, _inverse_softplus, log_expit)
LOGIT = Transform("logit", (UNIT_INTERVAL, OPEN_UNIT_INTERVAL), expit, logit, _log_jacobian_of_expit)
SCALED_LOGIT = Transform(
    "interval", (INTERVAL,), _constrain_to_interval, _unconstrain_from_interval, _log_jacobian_of_interval
)
LOWER_BOUND = Transform("lower_bound", (LOWER_BOUNDED,), _constrain_above, _unconstrain_above, _log_jacobian_above)
ANGULAR = Transform("angular", (ANGLE,), _constrain_to_angle, _unconstrain_from_angle, _log_jacobian_of_angle)

TRANSFORMS: dict[str, Transform] = {
    transform.name: transform for transform in (IDENTITY, LOG, SOFTPLUS, LOGIT, SCALED_LOGIT, LOWER_BOUND, ANGULAR)
}
"""Every transform by name."""
