"""`ode`: the solution of a differential equation, its step differentiated and compiled once, however many it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import Box

from exmc import integrators
from exmc.compile.ode_body import OdeBody, ode_path, path_states
from exmc.compile.record import record_body, vector_jacobian_product
from exmc.compile.scan_body import Array, Body, Packing, floating, packing_of
from exmc.compile.tracing import is_fixed, is_recorded, jacobian
from exmc.errors import CompileError, suggest
from exmc.integrators import HEAD, METHODS, VERDICT, Control, Equation

MAX_STEPS = 10_000


def ode(
    slope: Callable[..., Any],
    init: Array,
    times: Array,
    params: Sequence[Array] = (),
    *,
    start: Array = 0.0,
    method: str = "dormand_prince",
    relative_tolerance: float = 1e-6,
    absolute_tolerance: float = 1e-6,
    max_steps: int = MAX_STEPS,
) -> Array:
    """Solve `dy/dt = slope(t, y, *params)` from y = `init` at t = `start`.

    Parameters
    ----------
    slope
        Written in autograd.numpy. y is an array or a tuple of arrays, and the result of the same shapes. It must take
        every value that depends on the parameters of the model as an argument: it is recorded apart from its
        surroundings.
    init
        y at `start`, an array or a tuple of arrays.
    times
        Where y is wanted, shape (times,), increasing; the first may be `start`.
    params
        What the slope depends on besides. These, `init`, `start` and `times` may all depend on the position.
    method
        "dormand_prince", of order 5(4), or, for stiff equations with up to tens of components, "rodas", a Rosenbrock
        method of order 4(3). Both choose their steps by a PI controller. Sources: Hairer, Norsett & Wanner, "Solving
        Ordinary Differential Equations I", II.4 and II.5; Hairer & Wanner, II, IV.2 and IV.7.
    relative_tolerance, absolute_tolerance
        The error of a step, the root of the mean square over components, stays below absolute_tolerance +
        relative_tolerance * abs(y).
    max_steps
        How many steps are tried in all.

    Returns
    -------
    array or tuple of arrays
        y at `times`, of shape (times, ...) each. NaN from where steps run out, shrink to nothing, or leave the numbers;
        to samplers a density of NaN is one of -inf.

    Raises
    ------
    CompileError
        If shapes do not fit, `times` that are numbers do not increase, the method is unknown, or `slope` reaches for a
        traced value that is not its argument. Traced times that do not increase have no solution.

    Notes
    -----
    Steps end at each of `times`. The gradient is the discrete adjoint of the accepted steps, whose sizes are held fixed
    as parts of the intervals between `times`: it differs from that of the exact solution, and from that of the
    numbers computed, by the order of the tolerances (Alexe & Sandu 2009).
    """
    control = _checked_control(method, relative_tolerance, absolute_tolerance, max_steps)
    whole = anp.concatenate([anp.reshape(start, (1,)), anp.reshape(times, (-1,))])
    _check_times(times, whole, (init, start, *params))
    state = packing_of(init)
    _check_slope(slope, state, packing_of(tuple(params)))
    sketched = is_recorded((init, times, start, *params))
    # Data come last: of them no derivative is asked for.
    order = sorted(range(len(params)), key=lambda n: is_fixed(params[n]))
    ordered = tuple(params[n] for n in order)
    free = sum(not is_fixed(p) for p in params)
    arranged = partial(_arranged, slope, order)
    body = _body(arranged, control, state, packing_of(ordered[:free]), packing_of(ordered[free:]), max_steps, sketched)
    shared = floating(packing_of(ordered).pack(ordered)) if params else np.zeros(0)
    path = ode_path(floating(state.pack(init)), shared, floating(whole), body)
    count = len(whole) - 1
    states = anp.reshape(path_states(path, count * body.size), (count, body.size))
    return state.unpack(states, (count,))


def _checked_control(method: str, relative: float, absolute: float, max_steps: int) -> Control:
    if method not in METHODS:
        raise CompileError(f"There is no method {method!r}.", remedy=suggest(method, METHODS))
    if not (relative > 0.0 and absolute > 0.0 and max_steps >= 1):
        raise CompileError(
            f"Tolerances {relative} and {absolute} and max_steps {max_steps} must be above 0.", where=("ode",)
        )
    return Control(method, relative, absolute)


def _check_times(times: Array, whole: Array, others: tuple[Any, ...]) -> None:
    if anp.ndim(times) != 1 or anp.shape(times)[0] == 0:
        raise CompileError(f"The times of an ode are a vector of at least one, not of shape {anp.shape(times)}.")
    flat = [leaf for value in others for leaf in (value if isinstance(value, tuple | list) else (value,))]
    # Among numbers alone nobody knows which are data; falling times that follow from a position have no solution.
    if isinstance(whole, Box) or not any(isinstance(leaf, Box) for leaf in flat):
        return
    steps = np.diff(whole)
    if not (np.all(np.isfinite(whole)) and steps[0] >= 0.0 and np.all(steps[1:] > 0.0)):
        raise CompileError("The times of an ode must increase from its start.", remedy="Sort them.")


def _check_slope(slope: Callable[..., Any], state: Packing, parameters: Packing) -> None:
    with np.errstate(all="ignore"):
        found = slope(0.0, state.unpack(np.ones(state.size)), *parameters.unpack(np.ones(parameters.size)))
    if any(isinstance(leaf, Box) for leaf in (found if isinstance(found, tuple | list) else (found,))):
        raise CompileError(
            "The slope of an ode depends on a parameter of the model that is not its argument.",
            remedy="Pass it in `params`.",
        )
    if packing_of(found).shapes != state.shapes:
        raise CompileError(f"The slope of an ode has shapes {packing_of(found).shapes}, not {state.shapes}.")


def _arranged(slope: Callable[..., Any], order: list[int], t: Array, y: Array, *ordered: Array) -> Array:
    """The slope given its parameters in another order."""
    params = dict(zip(order, ordered, strict=True))
    return slope(t, y, *(params[n] for n in range(len(order))))


def _body(
    slope: Callable[..., Any],
    control: Control,
    state: Packing,
    free: Packing,
    data: Packing,
    max_steps: int,
    sketched: bool,
) -> OdeBody:
    def equation(params: tuple[Array, ...]) -> Equation:
        return Equation(partial(_slope, slope, state, params), partial(_jacobian, slope, state, params))

    def first(y: Array, given: tuple[Array, ...], *params: Array) -> tuple[Array, Array]:
        *fixed, interval = given
        return y, integrators.first_state(equation((*params, *fixed)), control, interval[0], y, interval[1])

    def attempt(state: Array, given: tuple[Array, ...], *params: Array) -> tuple[Array, Array]:
        *fixed, goal = given
        result = integrators.attempt(equation((*params, *fixed)), control, state, goal)
        return result[:-VERDICT], result[-VERDICT:]

    def step(y: Array, given: tuple[Array, ...], *params: Array) -> tuple[Array, None]:
        *fixed, part = given
        return integrators.step(equation((*params, *fixed)), control, part[0], y, part[1]), None

    def body(function: Callable[..., Any], carry: int, given: tuple[int, ...], outputs: int) -> Body:
        inputs = Packing((*data.shapes, given), False)
        returned = Packing(((outputs,),), True) if outputs else Packing((), False)
        return Body(function, Packing(((carry,),), True), inputs, free, returned, record_body, sketched)

    size = state.size
    return OdeBody(
        body(first, size, (2,), HEAD + size),
        body(attempt, HEAD + 2 * size, (), VERDICT),
        body(step, size, (2,), 0),
        vector_jacobian_product,
        max_steps,
        sketched,
    )


def _leaves(slope: Callable[..., Any], state: Packing, params: tuple[Array, ...], t: Array, y: Array) -> list[Array]:
    found = slope(t, state.unpack(y), *params)
    return [found] if state.single else list(found)


def _slope(slope: Callable[..., Any], state: Packing, params: tuple[Array, ...], t: Array, y: Array) -> Array:
    parts = [floating(anp.reshape(leaf, (-1,))) for leaf in _leaves(slope, state, params, t, y)]
    return anp.concatenate(parts) if len(parts) > 1 else parts[0]


def _jacobian(slope: Callable[..., Any], state: Packing, params: tuple[Array, ...], t: Array, y: Array) -> Array:
    point = anp.concatenate([y, anp.reshape(t, (1,))])
    return jacobian(lambda z: _leaves(slope, state, params, z[-1], z[:-1]), point)
