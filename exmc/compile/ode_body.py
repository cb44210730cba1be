"""The solution of a differential equation as two primitives on vectors, forward and reverse, around tapes of one step.

The derivative is the discrete adjoint of the accepted steps, with their sizes held fixed as parts of the intervals
between the times asked for (Hairer, Norsett & Wanner I, II.6; Alexe & Sandu 2009, "On the discrete adjoints of
adaptive time stepping algorithms"): that of the numbers computed but for what the choice of step sizes adds, which is
of the size of the tolerance.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, defvjp_argnums, primitive

from exmc.compile.scan_body import Body
from exmc.integrators import Path, integrate

Array = Any
"""A number, a numpy array or an autograd box around one."""

HEAD = 3
"""Numbers of an accepted step before y: t, h, and the number of the time it ended at, or -1."""

_PATIENCE = 100

Function = Callable[[Array], Array]
Pull = Callable[[Body, Array, str], Array]


@dataclass(frozen=True, slots=True, eq=False)
class OdeBody:
    """What a solution is made of, each a function of vectors with the parameters between state and inputs.

    `first` is the first state of an attempt from y, (t, goal); `attempt` what an attempt makes of its state and goal;
    `step` y after an accepted step, from y and (t, h). Parameters that are data are the first inputs of each: no
    derivative is asked for. `pull` evaluates the vector-Jacobian product of a body, as `Body.tape` names it, without a
    tape. A `sketched` solution is being recorded, and its numbers do not count.
    """

    first: Body
    attempt: Body
    step: Body
    pull: Pull
    max_steps: int
    sketched: bool = False

    @property
    def size(self) -> int:
        """The length of y."""
        return self.step.carry.size

    def path_size(self, times: int) -> int:
        """The length of a path: the states at the times, the number of accepted steps, and those."""
        return times * self.size + 1 + self.max_steps * (HEAD + self.size)

    def pulled_size(self, parameters: int, name: str) -> int:
        """How many parameters have cotangents: those that are data only beside times."""
        return parameters if name == "reverse all" else self.step.parameters.size

    def gradient_size(self, parameters: int, times: int, name: str) -> int:
        """The length of the cotangents of start, parameters and perhaps times."""
        return self.size + self.pulled_size(parameters, name) + (times if name == "reverse all" else 0)


def solve(start: Array, parameters: Array, times: Array, body: OdeBody, first: Function, tried: Function) -> Array:
    """A path as one vector; `first` and `tried` are the bodies of these names as functions of one vector."""

    def placed(function: Function, size: int) -> Function:
        return lambda v: function(np.concatenate([v[:size], parameters, v[size:]]))

    path = integrate(placed(first, body.size), placed(tried, body.attempt.carry.size), start, times, body.max_steps)
    return packed(path, body, len(times) - 1)


def packed(path: Path, body: OdeBody, count: int) -> Array:
    """A path as a vector; what lies beyond the accepted steps is never read."""
    result = np.zeros(body.path_size(count))
    states, steps = path.states.reshape(-1), path.steps.reshape(-1)
    result[: states.size] = states
    result[states.size] = len(path.steps)
    result[states.size + 1 : states.size + 1 + steps.size] = steps
    return result


def pull_back(
    parameters: Array, times: Array, path: Array, cotangents: Array, body: OdeBody, name: str, pulled: Function
) -> Array:
    """The cotangents of start, parameters and perhaps times, in one vector, from those of the states.

    `pulled` is the body `step`'s vector-Jacobian product: of [y, parameters, t, h, cotangent].
    """
    size, count, shared = body.size, len(times) - 1, body.pulled_size(len(parameters), name)
    taken = int(path[count * size])
    steps = path[count * size + 1 :][: taken * (HEAD + size)].reshape(taken, HEAD + size)
    carried, total, by_time = np.zeros(size), np.zeros(shared), np.zeros(count + 1)
    # Where the integration failed, no step led to a state with a cotangent.
    place = count - 1
    for t, h, arrived, *before in steps[::-1]:
        if arrived >= 0:
            place = int(arrived)
            carried = carried + cotangents[place * size : (place + 1) * size]
        found = pulled(np.concatenate([before, parameters, [t, h], carried]))
        carried, total = found[:size], total + found[size : size + shared]
        if name == "reverse all":
            moved, stretched = found[size + shared :]
            # A step moves and stretches with the times at both ends of its interval, of which it is a fixed part.
            span = times[place + 1] - times[place]
            part = ((t - times[place]) * moved + h * stretched) / span if span > 0.0 else moved
            by_time[place] += moved - part
            by_time[place + 1] += part
    parts = [carried, total] + ([by_time] if name == "reverse all" else [])
    return np.concatenate(parts)


def _patient(body: Body, name: str, plain: Function) -> Function:
    """`plain` for a hundred calls, and then the body's tape, which is a tenth of the work once it is recorded."""
    calls = itertools.count()
    return lambda v: plain(v) if next(calls) < _PATIENCE else body.tape(name).evaluate(v)[0]


@primitive  # type: ignore[untyped-decorator]
def ode_path(start: Array, parameters: Array, times: Array, body: OdeBody) -> Array:
    """The path of a solution from `start` at the first of `times` to the others, as a vector."""
    if body.sketched:
        return np.zeros(body.path_size(len(times) - 1))
    with np.errstate(all="ignore"):
        tried = _patient(body.attempt, "forward", body.attempt.apply)
        return solve(start, parameters, times, body, body.first.apply, tried)


@primitive  # type: ignore[untyped-decorator]
def path_states(path: Array, count: int) -> Array:
    """The first `count` numbers of a path: the states at the times."""
    return path[:count]


@primitive  # type: ignore[untyped-decorator]
def ode_reverse(parameters: Array, times: Array, path: Array, cotangents: Array, body: OdeBody, name: str) -> Array:
    """`pull_back` as a function that autograd records."""
    if body.sketched:
        return np.zeros(body.gradient_size(len(parameters), len(times), name))
    with np.errstate(all="ignore"):
        pulled = _patient(body.step, name, lambda v: body.pull(body.step, v, name))
        return pull_back(parameters, times, path, cotangents, body, name, pulled)


def _vjp(argnums: tuple[int, ...], path: Array, args: tuple[Any, ...], _kwargs: Any) -> Any:
    _start, parameters, times, body = args
    name = "reverse all" if 2 in argnums else "reverse"
    size, whole = body.size, anp.shape(parameters)[0]
    shared = body.pulled_size(whole, name)

    def cotangents(g: Array) -> list[Array]:
        found = ode_reverse(parameters, times, path, g, body, name)
        by_parameter = found[size : size + shared]
        if shared < whole:
            by_parameter = anp.concatenate([by_parameter, np.zeros(whole - shared)])
        parts = (found[:size], by_parameter, found[size + shared :])
        return [parts[n] for n in argnums]

    return cotangents


defvjp_argnums(ode_path, _vjp)
# A path is read through its states alone, and their cotangents stand for its own: those of the steps would be zeros,
# many times as many.
defvjp(path_states, lambda ans, path, count: lambda g: g)
