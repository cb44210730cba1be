"""Bijections from real vectors onto supports of vectors: ordered, simplex, sum to zero."""

from __future__ import annotations

import math

import autograd.numpy as np

from exmc.errors import ModelError
from exmc.special import Array
from exmc.transforms.base import Shape, Transform, same_shape
from exmc.transforms.supports import NONNEGATIVE, ORDERED, POSITIVE, POSITIVE_ORDERED, REAL, SIMPLEX, SUM_TO_ZERO


def _one_less(shape: Shape) -> Shape:
    if shape[-1] < 1:
        raise ModelError("a vector without elements has no sum.")
    return (shape[-1] - 1,)


# --- Ordered vectors: the first element and the logarithms of the steps (Stan reference manual, "Ordered vector") --


def _constrain_ordered(unconstrained: Array) -> Array:
    steps = np.exp(unconstrained[..., 1:])
    return np.cumsum(np.concatenate([unconstrained[..., :1], steps], axis=-1), axis=-1)


def _unconstrain_ordered(constrained: Array) -> Array:
    steps = constrained[..., 1:] - constrained[..., :-1]
    return np.concatenate([constrained[..., :1], np.log(steps)], axis=-1)


def _log_jacobian_of_ordered(unconstrained: Array) -> Array:
    return np.sum(unconstrained[..., 1:], axis=-1)


def _constrain_positive_ordered(unconstrained: Array) -> Array:
    return np.cumsum(np.exp(unconstrained), axis=-1)


def _unconstrain_positive_ordered(constrained: Array) -> Array:
    steps = constrained[..., 1:] - constrained[..., :-1]
    return np.log(np.concatenate([constrained[..., :1], steps], axis=-1))


def _log_jacobian_of_positive_ordered(unconstrained: Array) -> Array:
    return np.sum(unconstrained, axis=-1)


# --- Vectors that sum to zero --------------------------------------------------------------------------------------


def _constrain_sum_to_zero(unconstrained: Array) -> Array:
    # A reflection maps the plane without a last element onto the plane of sum zero: an isometry in O(K), as PyMC's
    # ZeroSumTransform and Stan's sum_to_zero_vector are, so that independent normals stay so.
    size = np.shape(unconstrained)[-1] + 1
    root = math.sqrt(size)
    total = np.sum(unconstrained, axis=-1, keepdims=True)
    shift = total / (root + size)
    return np.concatenate([unconstrained - shift, -total / root], axis=-1)


def _unconstrain_sum_to_zero(constrained: Array) -> Array:
    size = np.shape(constrained)[-1]
    return constrained[..., :-1] - constrained[..., -1:] * (1.0 / (1.0 + math.sqrt(size)))


def _log_jacobian_of_isometry(unconstrained: Array) -> Array:
    return 0.0 * np.sum(unconstrained, axis=-1)


# --- The simplex, by isometric log ratios ----------------------------------------------------------------------------


def _log_simplex(unconstrained: Array) -> Array:
    # Egozcue et al. (2003), "Isometric logratio transformations for compositional data analysis": the softmax of
    # coordinates that sum to zero. Unlike stick breaking it treats all elements alike and is stable at both ends.
    ratios = _constrain_sum_to_zero(unconstrained)
    top = np.max(ratios, axis=-1, keepdims=True)
    return ratios - top - np.log(np.sum(np.exp(ratios - top), axis=-1, keepdims=True))


def _constrain_simplex(unconstrained: Array) -> Array:
    return np.exp(_log_simplex(unconstrained))


def _unconstrain_simplex(constrained: Array) -> Array:
    logs = np.log(constrained)
    return _unconstrain_sum_to_zero(logs - np.mean(logs, axis=-1, keepdims=True))


def _log_jacobian_of_simplex(unconstrained: Array) -> Array:
    size = np.shape(unconstrained)[-1] + 1
    return np.sum(_log_simplex(unconstrained), axis=-1) + 0.5 * math.log(size)


ORDERED_TRANSFORM = Transform(
    "ordered",
    (ORDERED,),
    _constrain_ordered,
    _unconstrain_ordered,
    _log_jacobian_of_ordered,
    event_rank=1,
    unconstrained_shape=same_shape,
    restricts=(REAL,),
)
POSITIVE_ORDERED_TRANSFORM = Transform(
    "positive_ordered",
    (POSITIVE_ORDERED,),
    _constrain_positive_ordered,
    _unconstrain_positive_ordered,
    _log_jacobian_of_positive_ordered,
    event_rank=1,
    unconstrained_shape=same_shape,
    restricts=(REAL, POSITIVE, NONNEGATIVE),
)
SUM_TO_ZERO_TRANSFORM = Transform(
    "sum_to_zero",
    (SUM_TO_ZERO,),
    _constrain_sum_to_zero,
    _unconstrain_sum_to_zero,
    _log_jacobian_of_isometry,
    event_rank=1,
    unconstrained_shape=_one_less,
    restricts=(REAL,),
)
SIMPLEX_TRANSFORM = Transform(
    "simplex",
    (SIMPLEX,),
    _constrain_simplex,
    _unconstrain_simplex,
    _log_jacobian_of_simplex,
    event_rank=1,
    unconstrained_shape=_one_less,
)
