"""Sums and differences of numbers that are known by their logarithms."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive

from exmc.special import log1mexp, select

Array = Any
"""A number, a numpy array or an autograd box around one."""

Axis = int | tuple[int, ...] | None


@primitive  # type: ignore[untyped-decorator]
def logsumexp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))`` over `axis`, without overflow; -inf for a sum over nothing."""
    x = np.asarray(x, dtype=np.float64)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(all="ignore"):
        total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


@primitive  # type: ignore[untyped-decorator]
def softmax(x: Array, axis: Axis = -1) -> Array:
    """``exp(x) / sum(exp(x))`` over `axis`, without overflow."""
    with np.errstate(all="ignore"):
        shifted = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return shifted / np.sum(shifted, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: Axis = -1) -> Array:
    """The logarithm of `softmax`, without underflow."""
    return x - logsumexp(x, axis=axis, keepdims=True)


def logdiffexp(x: Array, y: Array) -> Array:
    """``log(exp(x) - exp(y))`` for x >= y; -inf where they are equal, infinite or not, and NaN where x < y."""
    same = anp.equal(x, y)
    gap = select(same, -1.0, y - x)
    return select(same, -np.inf, x + log1mexp(gap))


def spread(reduced: Array, shape: tuple[int, ...], axis: Axis) -> Array:
    """What a reduction over `axis` of an array of `shape` left, with the axes that it removed as axes of length 1."""
    axes = (
        range(len(shape)) if axis is None else [a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))]
    )
    return anp.reshape(reduced, tuple(1 if a in axes else n for a, n in enumerate(shape)))


def _logsumexp_vjp(ans: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Any:
    shape = anp.shape(x)
    total = spread(ans, shape, axis)
    # A sum of nothing but zeros has no direction in which it grows first: -inf less -inf is NaN.
    total = select(anp.equal(total, -np.inf), 0.0, total)
    return lambda g: spread(g, shape, axis) * anp.exp(x - total)


def _softmax_vjp(ans: Array, x: Array, axis: Axis = -1) -> Any:
    return lambda g: ans * (g - anp.sum(g * ans, axis=axis, keepdims=True))


defvjp(logsumexp, _logsumexp_vjp)
defvjp(softmax, _softmax_vjp)
