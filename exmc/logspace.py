"""Sums and differences of numbers that are known by their logarithms."""

from __future__ import annotations

from collections.abc import Sequence
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
        return softmax_text(np.asarray(x, dtype=np.float64), axis)


@primitive  # type: ignore[untyped-decorator]
def log_softmax(x: Array, axis: Axis = -1) -> Array:
    """The logarithm of `softmax`, without underflow."""
    with np.errstate(all="ignore"):
        return log_softmax_text(np.asarray(x, dtype=np.float64), axis)


def logdiffexp(x: Array, y: Array) -> Array:
    """``log(exp(x) - exp(y))`` for x >= y; -inf where they are equal, infinite or not, and NaN where x < y."""
    same = anp.equal(x, y)
    larger = select(same, 0.0, x)
    return select(same, -np.inf, larger + log1mexp(select(same, -1.0, y) - larger))


def log_sum(parts: Sequence[Array]) -> Array:
    """``log(sum(exp(part)))``, elementwise over `parts`, so that a loop over rows needs no array for them.

    Where all are -inf it is -inf, with a gradient of zero.
    """
    top = parts[0]
    for part in parts[1:]:
        top = anp.maximum(top, part)
    impossible = anp.equal(top, -np.inf)
    top = select(impossible, 0.0, top)
    total = 0.0
    for part in parts:
        total = total + anp.exp(part - top)
    return select(impossible, -np.inf, anp.log(select(impossible, 1.0, total)) + top)


def log_sum_of_terms(_value: Array, **terms: Array) -> Array:
    """A log density that is the sum of densities known by their logarithms: `Custom` observations name it."""
    return log_sum(list(terms.values()))


# --- Written in functions that machine code has ----------------------------------------------------------------------


def exponentials(x: Array, axis: Axis) -> tuple[Array, Array]:
    """``exp(x - top)``, and the largest element `top` over `axis`, kept as axes of length 1; 0 if it is infinite."""
    top = anp.max(x, axis=axis, keepdims=True)
    top = select(anp.isfinite(top), top, 0.0)
    return anp.exp(x - top), top


def logsumexp_text(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """`logsumexp` over at least one element."""
    terms, top = exponentials(x, axis)
    total = anp.log(anp.sum(terms, axis=axis, keepdims=keepdims))
    return total + anp.reshape(top, anp.shape(total))


def softmax_text(x: Array, axis: Axis = -1) -> Array:
    """`softmax`."""
    terms, _ = exponentials(x, axis)
    return terms / anp.sum(terms, axis=axis, keepdims=True)


def log_softmax_text(x: Array, axis: Axis = -1) -> Array:
    """`log_softmax`: x less its largest element first, or a large x loses the digits."""
    terms, top = exponentials(x, axis)
    return (x - top) - anp.log(anp.sum(terms, axis=axis, keepdims=True))


# --- Derivatives -----------------------------------------------------------------------------------------------------


def spread(reduced: Array, shape: tuple[int, ...], axis: Axis) -> Array:
    """What a reduction over `axis` of an array of `shape` left, with the axes that it removed as axes of length 1."""
    axes = (
        range(len(shape)) if axis is None else [a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))]
    )
    return anp.reshape(reduced, tuple(1 if a in axes else n for a, n in enumerate(shape)))


def _logsumexp_vjp(ans: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Any:
    shape = anp.shape(x)
    if 0 in shape:
        return lambda g: anp.zeros(shape)
    terms, _ = exponentials(x, axis)
    total = anp.sum(terms, axis=axis, keepdims=True)
    # A sum of nothing but zeros has no direction in which it grows first.
    shares = terms / select(anp.equal(total, 0.0), 1.0, total)
    return lambda g: spread(g, shape, axis) * shares


def _softmax_vjp(ans: Array, x: Array, axis: Axis = -1) -> Any:
    return lambda g: ans * (g - anp.sum(g * ans, axis=axis, keepdims=True))


def _log_softmax_vjp(ans: Array, x: Array, axis: Axis = -1) -> Any:
    return lambda g: g - anp.exp(ans) * anp.sum(g, axis=axis, keepdims=True)


defvjp(logsumexp, _logsumexp_vjp)
defvjp(softmax, _softmax_vjp)
defvjp(log_softmax, _log_softmax_vjp)
