"""Tail probabilities of log-concave densities in logarithms: by quadrature, with every derivative.

The incomplete gamma and beta functions of scipy underflow beyond 1e-308 and have no derivative in their shapes. Here
the integral of a log-concave density beyond a point is the density there times that of ``exp(h(w))`` over w > 0, with
h(0) = 0 and h falling: the first factor is known in logarithms, the second is tame, and both are made of primitives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.stable import log_beta_density, log_gamma_density
from exmc.special import Array, log1mexp, select

Tails: TypeAlias = Callable[..., tuple[Array, Array]]
"""``tails(value, **parameters)`` -> logarithms of the probabilities of at most `value`, and of more."""

_NODES_A_PANEL = 20
# The scale is searched for within exp(+-_WIDEST); each halving of that range is a step.
_WIDEST = 64.0
_HALVINGS = 9
_LARGEST_STEP = 300.0
_NEAR = 30.0


class _Rule(NamedTuple):
    """Gauss-Legendre on each of several panels: a node is ``start + point * (stop - start)`` of its panel."""

    starts: NDArray[numpy.float64]
    stops: NDArray[numpy.float64]
    points: NDArray[numpy.float64]
    weights: NDArray[numpy.float64]


def _rule(edges: tuple[float, ...]) -> _Rule:
    points, weights = numpy.polynomial.legendre.leggauss(_NODES_A_PANEL)
    panels = len(edges) - 1
    return _Rule(
        numpy.repeat(edges[:-1], _NODES_A_PANEL),
        numpy.repeat(edges[1:], _NODES_A_PANEL),
        numpy.tile(0.5 * (points + 1.0), panels),
        numpy.tile(0.5 * weights, panels),
    )


# In units of the distance at which the integrand has fallen to 1 / e: being log-concave, it is below exp(-40) at the
# last. A shape far below 1 makes one that is flat for long and then falls at once, or dips early: hence fine panels.
_RULE = _rule((0.0, 0.003, 0.05, 0.4, 1.0, 1.4, 3.0, 10.0, 40.0))


def log_integral(exponent: Callable[[Array], Array], like: Array, end: Array = None) -> Array:
    """The logarithm of the integral of ``exp(exponent(w))`` over w from 0 to `end`, or without end.

    Parameters
    ----------
    exponent
        A concave, falling function with exponent(0) = 0, elementwise; its argument has a leading axis more than `like`.
    like
        A number or array of the broadcast shape of all that `exponent` depends on.
    end
        A positive number or an array that broadcasts with `like`.

    Notes
    -----
    Gauss-Legendre on panels scaled to the distance at which the exponent is -1. That distance is found by halving a
    range between constants, so it is a constant to every derivative, as it should be: the integral does not depend on
    it.
    """
    lower, upper = 0.0 * like - _WIDEST, 0.0 * like + _WIDEST
    for _ in range(_HALVINGS):
        middle = 0.5 * (lower + upper)
        high = exponent(np.exp(middle)) > -1.0
        lower, upper = select(high, middle, lower), select(high, upper, middle)
    scale = np.exp(upper)
    starts, stops, points, weights = (column.reshape(-1, *([1] * np.ndim(like))) for column in _RULE)
    first, last = starts * scale, stops * scale
    if end is not None:
        first, last = np.minimum(first, end), np.minimum(last, end)
    width = last - first
    return np.log(np.sum(weights * width * np.exp(exponent(first + points * width)), axis=0))


@dataclass(frozen=True, slots=True)
class _Tail:
    """One of two tails. A function of its own in each family would say the same; a partial one equals no copy of it."""

    tails: Tails
    which: int

    def __call__(self, *arguments: Array, **parameters: Array) -> Array:
        return self.tails(*arguments, **parameters)[self.which]


def lower_of(tails: Tails) -> Callable[..., Array]:
    """The `log_cdf` of a family whose `tails` gives both logarithms, that of at most a value first."""
    return _Tail(tails, 0)


def upper_of(tails: Tails) -> Callable[..., Array]:
    """The `log_ccdf` of such a family."""
    return _Tail(tails, 1)


def both_tails(right: Array, log_tail: Array) -> tuple[Array, Array]:
    """The logarithms of the lower and the upper tail, given one of them: the upper one where `right`."""
    log_rest = log1mexp(np.minimum(log_tail, 0.0))
    return select(right, log_rest, log_tail), select(right, log_tail, log_rest)


def _towards_median(shape: Array) -> Array:
    """`shape`, the mode of the log of a gamma variable's exponential, moved towards its median where that is far below.

    The smaller tail is to be the one that is integrated: the other is its complement. Not moved by more than a factor
    exp(10), beyond which the integrand is flat for too long.
    """
    return shape * np.exp(-np.minimum(0.37 / shape, 10.0))


def log_gamma_tails(x: Array, a: Array) -> tuple[Array, Array]:
    """log P(a, x) and log Q(a, x), the regularised incomplete gamma functions, for positive a and x.

    In y = log(t) the integrand, ``exp(a y - exp(y))``, is log-concave on all of the line.
    """
    right = x > _towards_median(a)
    direction = select(right, 1.0, -1.0)

    def exponent(w: Array) -> Array:
        step = np.minimum(direction * w, _LARGEST_STEP)
        return a * step - x * np.expm1(step)

    log_tail = log_gamma_density(x, a, 1.0) + np.log(x) + log_integral(exponent, a * x)
    return both_tails(right, log_tail)


def log_beta_tails(x: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """The logarithms of I_x(a, b) and of 1 - I_x(a, b), where x and y are positive and ``x + y == 1``.

    In log(t / (1 - t)) the integrand, ``t**a (1 - t)**b``, is log-concave on all of the line.
    """
    right = _towards_median(a) * y < _towards_median(b) * x
    # The part that shrinks in the tail, the other one, and their powers.
    falling, rising = select(right, y, x), select(right, x, y)
    power, other = select(right, b, a), select(right, a, b)

    lesser = falling < 0.5

    def exponent(w: Array) -> Array:
        # Each form where its logarithm's argument is 1 plus what does not cancel.
        near = w < _NEAR
        down = -power * w - (power + other) * np.log1p(select(lesser, falling, 0.5) * np.expm1(-w))
        close = select(near, w, 0.0)
        up = other * close - (power + other) * np.log1p(rising * np.expm1(close))
        far = -power * w - (power + other) * np.log(rising + falling * np.exp(-w))
        return select(lesser, down, select(near, up, far))

    log_tail = log_beta_density(x, y, a, b) + np.log(x) + np.log(y) + log_integral(exponent, a * b * x)
    return both_tails(right, log_tail)
