"""The path of L-BFGS from a starting point to a mode of a log density."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.sampling.initial import InitialPoint

FloatArray = NDArray[np.float64]
Function = Callable[[FloatArray], tuple[float, FloatArray]]

# Weak Wolfe conditions with the constants of Nocedal & Wright, "Numerical optimization" (2006), chapter 3.
_ASCENT, _CURVATURE = 1e-4, 0.9
_TRIALS = 40
# The gain that Newton's method would still make, relative to the log density: below it is rounding.
_TOLERANCE = 1e-14
# A step along which the gradient hardly changes says nothing of the curvature (Zhang et al. 2022, section 2.1).
_FLATTEST = 1e-12


class Path(NamedTuple):
    """The iterates of an ascent, the first of which is its start.

    Attributes
    ----------
    positions, gradients : ndarray, shape (iterates, dimension)
    log_densities : ndarray, shape (iterates,)
    evaluations : int
        How often the density was evaluated.
    converged : bool
        Whether it ended at a mode, and not at the limit of iterations or where no step leads up.
    """

    positions: FloatArray
    log_densities: FloatArray
    gradients: FloatArray
    evaluations: int
    converged: bool


def ascend(function: Function, start: InitialPoint, iterations: int, history: int) -> Path:
    """Climb from `start` for at most so many `iterations`, remembering the last `history` steps.

    L-BFGS (Nocedal & Wright 2006, algorithm 7.4) with the bisection for weak Wolfe conditions of Lewis & Overton,
    "Nonsmooth optimization via quasi-Newton methods" (2013), which takes a density that is not finite for -inf.
    """
    points = [start]
    steps: deque[Step] = deque(maxlen=history)
    evaluations, converged = 1, False
    for _ in range(iterations):
        here = points[-1]
        direction = _direction(here.gradient, steps)
        slope = _dot(direction, here.gradient)
        if slope <= _TOLERANCE * max(1.0, abs(here.log_density)):
            converged = True
            break
        found, tried = _search(function, here, direction, slope, first=not steps)
        evaluations += tried
        if found is None:
            break
        points.append(found)
        step = step_between(here, found)
        if step.informs:
            steps.append(step)
    return Path(
        np.stack([p.position for p in points]),
        np.array([p.log_density for p in points]),
        np.stack([p.gradient for p in points]),
        evaluations,
        converged,
    )


class Step(NamedTuple):
    """From one iterate to the next: the change of the position, and the fall of the gradient."""

    move: FloatArray
    fall: FloatArray

    @property
    def informs(self) -> bool:
        """Whether the log density is concave along it, by more than rounding."""
        return _dot(self.move, self.fall) > _FLATTEST * _dot(self.fall, self.fall)


def step_between(one: InitialPoint, other: InitialPoint) -> Step:
    """The step from `one` to `other`."""
    return Step(other.position - one.position, one.gradient - other.gradient)


def _dot(one: FloatArray, other: FloatArray) -> float:
    # Not BLAS, whose bits depend on its threads.
    return float(np.einsum("i,i->", one, other))


def _direction(gradient: FloatArray, steps: deque[Step]) -> FloatArray:
    """The gradient times the approximate covariance, by the two loops of algorithm 7.4."""
    direction, coefficients = gradient.copy(), []
    for move, fall in reversed(steps):
        coefficient = _dot(move, direction) / _dot(move, fall)
        coefficients.append(coefficient)
        direction = direction - coefficient * fall
    if steps:
        move, fall = steps[-1]
        direction = direction * (_dot(move, fall) / _dot(fall, fall))
    for (move, fall), coefficient in zip(steps, reversed(coefficients), strict=True):
        direction = direction + (coefficient - _dot(fall, direction) / _dot(move, fall)) * move
    return direction


def _search(
    function: Function, here: InitialPoint, direction: FloatArray, slope: float, *, first: bool
) -> tuple[InitialPoint | None, int]:
    """A point along `direction` that is high enough and flat enough, and how many were tried; None if there is none."""
    # The first direction is a gradient, the length of which means nothing.
    step = min(1.0, 1.0 / math.sqrt(slope)) if first else 1.0
    low, high = 0.0, math.inf
    best: InitialPoint | None = None
    for trial in range(1, _TRIALS + 1):
        position = here.position + step * direction
        value, gradient = function(position)
        whole = math.isfinite(value) and bool(np.isfinite(gradient).all())
        if not whole or value < here.log_density + _ASCENT * step * slope:
            high = step
        else:
            best = InitialPoint(position, value, gradient)
            if _dot(gradient, direction) <= _CURVATURE * slope:
                return best, trial
            low = step
        step = 0.5 * (low + high) if math.isfinite(high) else 2.0 * step
    return best, _TRIALS
