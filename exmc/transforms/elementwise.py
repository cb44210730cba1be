"""Bijections that map each real number to a support of numbers."""

from __future__ import annotations

import autograd.numpy as np
import numpy

from exmc.special import Array, expit, log1mexp, log_expit, logit, select, softplus
from exmc.transforms.base import Transform
from exmc.transforms.supports import (
    ANGLE,
    AT_LEAST,
    AT_MOST,
    INTERVAL,
    NONNEGATIVE,
    OPEN_UNIT_INTERVAL,
    POSITIVE,
    REAL,
    UNIT_INTERVAL,
)


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


def _log_jacobian_of_half_line(unconstrained: Array, bound: Array) -> Array:
    # The sum only broadcasts, and keeps a NaN bound visible.
    return unconstrained + 0.0 * bound


def _constrain_below(unconstrained: Array, high: Array) -> Array:
    return high - np.exp(-unconstrained)


def _unconstrain_below(constrained: Array, high: Array) -> Array:
    return -np.log(high - constrained)


def _log_jacobian_below(unconstrained: Array, high: Array) -> Array:
    return -unconstrained + 0.0 * high


def _constrain_to_angle(unconstrained: Array) -> Array:
    return _constrain_to_interval(unconstrained, -numpy.pi, numpy.pi)


def _unconstrain_from_angle(constrained: Array) -> Array:
    return _unconstrain_from_interval(constrained, -numpy.pi, numpy.pi)


def _log_jacobian_of_angle(unconstrained: Array) -> Array:
    return _log_jacobian_of_interval(unconstrained, -numpy.pi, numpy.pi)


IDENTITY = Transform("identity", (REAL,), _same, _same, _log_jacobian_of_identity)
LOG = Transform("log", (POSITIVE, NONNEGATIVE), _exp, _log, _same, restricts=(REAL,))
SOFTPLUS = Transform("softplus", (POSITIVE, NONNEGATIVE), softplus, _inverse_softplus, log_expit)
LOGIT = Transform(
    "logit",
    (UNIT_INTERVAL, OPEN_UNIT_INTERVAL),
    expit,
    logit,
    _log_jacobian_of_expit,
    restricts=(REAL, POSITIVE, NONNEGATIVE),
)
SCALED_LOGIT = Transform(
    "interval", (INTERVAL,), _constrain_to_interval, _unconstrain_from_interval, _log_jacobian_of_interval
)
LOWER = Transform("lower", (AT_LEAST,), _constrain_above, _unconstrain_above, _log_jacobian_of_half_line)
UPPER = Transform("upper", (AT_MOST,), _constrain_below, _unconstrain_below, _log_jacobian_below)
ANGULAR = Transform("angular", (ANGLE,), _constrain_to_angle, _unconstrain_from_angle, _log_jacobian_of_angle)
