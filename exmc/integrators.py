"""Steps of methods for differential equations with control of their error, and the loop around them.

The methods are written in autograd.numpy on vectors: what is recorded, compiled and differentiated is one attempt at a
step. An attempt's state is the vector [y, t, h, memory, growth, slope]: the solution y at time t, the size of the step
to try, the size of the last accepted error, by how much the step may grow, and dy/dt at t. Its result is the next
state and [accepted, arrived, used, going]: whether the step was good enough, whether it ended at the time asked for,
how long it was, and whether it makes sense to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray

from exmc.linalg import inverse

Array = Any
"""A number, a numpy array or an autograd box around one."""

FloatArray = NDArray[np.float64]
Slope = Callable[[Array, Array], Array]

HEAD = 4
"""Numbers of an attempt's state that are neither solution nor slope."""

VERDICT = 4
"""Numbers that an attempt adds to the next state."""

_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 10.0
_REJECTED = 1e10


class Equation(NamedTuple):
    """dy/dt and its derivative: `slope(t, y)` of shape (n,), `jacobian(t, y)` with respect to y and t, (n, n + 1)."""

    slope: Slope
    jacobian: Callable[[Array, Array], Array]


class Method(NamedTuple):
    """A one-step method: `advance(equation, t, y, h, slope)` gives y after the step and an estimate of its error.

    `slope` is dy/dt before the step, and `order` one more than the order of the weaker of the two solutions compared.
    """

    advance: Callable[[Equation, Array, Array, Array, Array], tuple[Array, Array]]
    order: int


class Control(NamedTuple):
    """Which method, and how large the error of a step may be: below absolute + relative * |y|, as a mean square."""

    method: str
    relative: float
    absolute: float


def _combination(coefficients: tuple[float, ...], vectors: list[Array]) -> Array:
    terms = [c * v for c, v in zip(coefficients, vectors, strict=False) if c != 0.0]
    return sum(terms[1:], terms[0])


# Dormand & Prince (1980); Hairer, Norsett & Wanner, "Solving Ordinary Differential Equations I", table II.5.2.
_DP_NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_DP_ROWS = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_DP_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)


def _dormand_prince(equation: Equation, t: Array, y: Array, h: Array, slope: Array) -> tuple[Array, Array]:
    slopes, after = [slope], y
    for node, row in zip(_DP_NODES, _DP_ROWS, strict=True):
        after = y + h * _combination(row, slopes)
        slopes.append(equation.slope(t + node * h, after))
    return after, h * _combination(_DP_ERROR, slopes)


# RODAS, of order 4(3) and stiffly accurate: Hairer & Wanner, "Solving Ordinary Differential Equations II", section IV.7
# and the constants of their code of that name, in the form without products of matrices and vectors.
_RODAS_GAMMA = 0.25
_RODAS_NODES = (0.0, 0.386, 0.21, 0.63, 1.0, 1.0)
_RODAS_TIMES = (0.25, -0.1043, 0.1035, -0.03620000000000023, 0.0, 0.0)
_RODAS_A = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0),
)
_RODAS_C = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)


def _rodas(equation: Equation, t: Array, y: Array, h: Array, slope: Array) -> tuple[Array, Array]:
    size = len(y)
    jacobian = equation.jacobian(t, y)
    by_state, by_time = jacobian[:, :size], jacobian[:, size]
    solve = inverse(np.eye(size) - (_RODAS_GAMMA * h) * by_state)
    stages: list[Array] = []
    after = y
    for node, time, a, c in zip(_RODAS_NODES, _RODAS_TIMES, _RODAS_A, _RODAS_C, strict=True):
        after = y + _combination(a, stages) if a else y
        right = (equation.slope(t + node * h, after) if a else slope) + (time * h) * by_time
        right = h * right + _combination(c, stages) if c else h * right
        stages.append(anp.dot(solve, _RODAS_GAMMA * right))
    return after + stages[-1], stages[-1]


METHODS: Mapping[str, Method] = MappingProxyType(
    {"dormand_prince": Method(_dormand_prince, 5), "rodas": Method(_rodas, 4)}
)
"""By name: for equations that are not stiff, and for those that are."""


def first_state(equation: Equation, control: Control, t: Array, y: Array, goal: Array) -> Array:
    """What an attempt's state starts with after y: [t, h, memory, growth, slope].

    The first step is that of Hairer, Norsett & Wanner I, section II.4, and at most the way to `goal`.
    """
    slope = equation.slope(t, y)
    scale = control.absolute + control.relative * anp.abs(y)
    height, rise = _norm(y / scale), _norm(slope / scale)
    guess = anp.where(anp.minimum(height, rise) < 1e-5, 1e-6, 0.01 * height / rise)
    bend = _norm((equation.slope(t + guess, y + guess * slope) - slope) / scale) / guess
    steepest = anp.maximum(rise, bend)
    second = anp.where(
        steepest <= 1e-15,
        anp.maximum(1e-6, 1e-3 * guess),
        (0.01 / steepest) ** (1.0 / METHODS[control.method].order),
    )
    # Where the trial step left the domain of the equation, the guess has to do: attempts shrink it.
    second = anp.where(anp.isfinite(second), second, guess)
    h = anp.minimum(100.0 * guess, second)
    h = anp.where(goal > t, anp.minimum(h, goal - t), h)
    return anp.concatenate([_row(t), _row(h), np.array([1e-4, _GROW]), slope])


def attempt(equation: Equation, control: Control, state: Array, goal: Array) -> Array:
    """One attempt at a step towards the time `goal`: the next state, and the verdict.

    The size of the next step is that of a PI controller (Gustafsson; Hairer & Wanner II, section IV.2).
    """
    size = (len(state) - HEAD) // 2
    y, slope = state[:size], state[size + HEAD :]
    t, h, memory, growth = (state[size + i] for i in range(HEAD))
    method = METHODS[control.method]
    # A step that would nearly get there is stretched, so that no tiny one has to follow.
    arrives = t + 1.01 * h >= goal
    used = anp.where(arrives, goal - t, h)
    after, error = method.advance(equation, t, y, used, slope)
    reached = anp.where(arrives, goal, t + used)
    following = equation.slope(reached, after)
    scale = control.absolute + control.relative * anp.maximum(anp.abs(y), anp.abs(after))
    raw = _norm(error / scale)
    # A step out of the equation's domain is an error like another, and a shorter one is tried.
    worst = anp.where(anp.isfinite(raw + anp.sum(following)), raw, _REJECTED)
    accepted = worst <= 1.0
    integral = 0.2 / method.order
    proportional = anp.maximum(worst, 1e-10) ** (0.75 * integral - 1.0 / method.order)
    factor = _SAFETY * proportional * anp.where(accepted, memory**integral, 1.0)
    proposal = used * anp.minimum(anp.maximum(factor, _SHRINK), growth)
    # A step cut short by the time asked for says nothing against the one that was planned.
    arrived = anp.logical_and(accepted, arrives)
    planned = anp.where(arrived, anp.maximum(proposal, h), proposal)
    now = anp.where(accepted, reached, t)
    # NaN is no step either: every comparison with it is false.
    counts = anp.logical_and(anp.abs(now) + 0.1 * planned > anp.abs(now), planned < np.inf)
    going = anp.logical_and(counts, goal >= t)
    return anp.concatenate(
        [
            anp.where(accepted, after, y),
            _row(now),
            _row(planned),
            _row(anp.where(accepted, anp.maximum(worst, 1e-4), memory)),
            _row(anp.where(accepted, _GROW, 1.0)),
            anp.where(accepted, following, slope),
            _row(1.0 * accepted),
            _row(1.0 * arrived),
            _row(used),
            _row(1.0 * going),
        ]
    )


def step(equation: Equation, control: Control, t: Array, y: Array, h: Array) -> Array:
    """y after an accepted step from t to t + h: what the solution's derivative is that of."""
    return METHODS[control.method].advance(equation, t, y, h, equation.slope(t, y))[0]


def _norm(vector: Array) -> Array:
    return anp.sqrt(anp.mean(vector * vector))


def _row(number: Array) -> Array:
    return anp.reshape(number, (1,))


class Path(NamedTuple):
    """A solution with the accepted steps that led to it.

    Attributes
    ----------
    states
        At the times asked for, shape (times, n); NaN from where the integration failed.
    steps
        One row for each accepted step, shape (steps, 3 + n): t, h, the number of the time it ended at or -1, and y
        before it.
    """

    states: FloatArray
    steps: FloatArray


def integrate(
    first: Callable[[FloatArray], FloatArray],
    tried: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    times: FloatArray,
    max_steps: int,
) -> Path:
    """The loop around the attempts, by numpy.

    Parameters
    ----------
    first, tried
        From [y, t, goal] to an attempt's first state, and from [state, goal] to what `attempt` returns.
    times
        The first time, at which y is `start`, and those asked for, not decreasing.
    max_steps
        How many steps are tried in all.
    """
    size, count = len(start), len(times) - 1
    states = np.full((count, size), np.nan)
    steps: list[FloatArray] = []
    state, place = first(np.concatenate([start, times[:2]])), 0
    for _ in range(max_steps):
        result = tried(np.concatenate([state, times[place + 1 : place + 2]]))
        after, (accepted, arrived, used, going) = result[:-VERDICT], result[-VERDICT:]
        if accepted:
            steps.append(np.concatenate([[state[size], used, place if arrived else -1], state[:size]]))
        if arrived:
            states[place] = after[:size]
            place += 1
        if place == count or not going:
            break
        state = after
    return Path(states, np.reshape(steps, (len(steps), 3 + size)))
