"""The linear recurrence of first order as an autograd primitive: cumulative products and their derivatives."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import NDArray

Array = NDArray[Any]
Value = Any
"""A number, an array or an autograd box around one."""


def evaluate(factors: Any, terms: Any, axis: int) -> Array:
    """y with ``y[0] = terms[0]`` and ``y[i] = terms[i] + factors[i] * y[i - 1]`` along `axis`.

    Both arguments have one shape. Products of many factors, their derivatives and moving averages with varying weights
    are of this form, and none of them divides.
    """
    factors, result = np.moveaxis(np.asarray(factors), axis, 0), np.moveaxis(np.array(terms, dtype=np.float64), axis, 0)
    with np.errstate(all="ignore"):
        for i in range(1, len(result)):
            result[i] += factors[i] * result[i - 1]
    return np.moveaxis(result, 0, axis)


linear_recurrence = primitive(evaluate)


def _before(ans: Value, axis: int) -> Value:
    """Each element's predecessor, 0 for the first."""
    shape = anp.shape(ans)
    first = np.zeros(tuple(1 if a == axis else n for a, n in enumerate(shape)))
    return anp.concatenate([first, ans[(*(slice(None),) * axis, slice(None, -1))]], axis=axis)


def _reverse(factors: Value, g: Value, axis: int) -> Value:
    """The cotangent of the terms: ``s[i] = g[i] + factors[i + 1] * s[i + 1]``."""
    shape = anp.shape(g)
    last = np.ones(tuple(1 if a == axis else n for a, n in enumerate(shape)))
    following = anp.concatenate([factors[(*(slice(None),) * axis, slice(1, None))], last], axis=axis)
    return anp.flip(linear_recurrence(anp.flip(following, axis), anp.flip(g, axis), axis), axis)


defvjp(
    linear_recurrence,
    lambda ans, factors, terms, axis: lambda g: _reverse(factors, g, axis) * _before(ans, axis),
    lambda ans, factors, terms, axis: lambda g: _reverse(factors, g, axis),
)
