"""Differential equations as expressions: the type of their value, and the value by numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import autograd
import autograd.numpy as anp
import numpy as np

from exmc import integrators
from exmc.errors import ModelError
from exmc.integrators import Control, Equation
from exmc.ir.expressions import Expression
from exmc.ir.loops import OdeBody, run_formulas
from exmc.ir.types import ArrayType

Infer = Callable[[Expression, Mapping[str, ArrayType]], ArrayType]
Evaluate = Callable[[Expression, Mapping[str, Any]], Any]


class Split(NamedTuple):
    """The operands of a differential equation."""

    state: dict[str, Any]
    start: Any
    times: Any
    captured: dict[str, Any]


def split(operands: list[Any], body: OdeBody) -> Split:
    """What each operand is to the equation."""
    count = len(body.state)
    return Split(
        dict(zip(body.state, operands[:count], strict=True)),
        operands[count],
        operands[count + 1],
        dict(zip(body.captured, operands[count + 2 :], strict=True)),
    )


def state_types(operands: list[ArrayType], body: OdeBody) -> dict[str, ArrayType]:
    """The types of the names that the formulas may use, definitions aside."""
    state, _, _, captured = split(operands, body)
    scope = captured | {n: ArrayType(t.shape, t.dims) for n, t in state.items()}
    return scope if body.time is None else {**scope, body.time: ArrayType()}


def infer_ode(operands: list[ArrayType], body: OdeBody, infer: Infer) -> ArrayType:
    """The type of the solution: a row for each time, whose columns are the states, one after the other."""
    scope = state_types(operands, body)
    found = run_formulas(body, scope, infer)
    for name in body.state:
        if found[name].shape != scope[name].shape:
            message = f"{name!r} is {scope[name]}, and its derivative {found[name]}."
            raise ModelError(message).within("derivative", name)
    state, start, times, _ = split(operands, body)
    if start.shape:
        raise ModelError(f"the start is a time, not a value {start}.").within("start")
    if len(times.shape) != 1 or times.shape[0] == 0:
        raise ModelError(f"the times are a vector of at least one, not a value {times}.").within("times")
    if len(state) == 1:
        (only,) = state.values()
        dims = (times.dims[0] if times.dims[0] not in only.dims else None, *only.dims)
        return ArrayType((times.shape[0], *only.shape), dims)
    return ArrayType((times.shape[0], sum(t.size for t in state.values())), (times.dims[0], None))


def derivatives(body: OdeBody, scope: Mapping[str, Any], evaluate: Evaluate) -> tuple[Any, ...]:
    """The derivative of each state."""
    found = run_formulas(body, scope, evaluate)
    return tuple(found[name] for name in body.state)


def joined(states: list[Any], times: int) -> Any:
    """The states at all times, of shape (times, ...) each, as one value."""
    if len(states) == 1:
        return states[0]
    return anp.concatenate([anp.reshape(s, (times, -1)) for s in states], axis=1)


def run_ode(operands: list[Any], body: OdeBody, evaluate: Evaluate) -> Any:
    """The solution by the loop in Python that compiled ones are compared with."""
    state, start, times, captured = split(operands, body)
    shapes = {name: np.shape(value) for name, value in state.items()}
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    ends = np.cumsum(sizes)

    def unpack(flat: Any, lead: tuple[int, ...] = ()) -> dict[str, Any]:
        parts = zip(shapes.items(), ends, sizes, strict=True)
        return {name: anp.reshape(flat[..., end - n : end], (*lead, *shape)) for (name, shape), end, n in parts}

    def slope(t: Any, y: Any) -> Any:
        scope = {**captured, **unpack(y)} | ({} if body.time is None else {body.time: t})
        return anp.concatenate([anp.reshape(1.0 * d, (-1,)) for d in derivatives(body, scope, evaluate)])

    def jacobian(t: Any, y: Any) -> Any:
        return autograd.jacobian(lambda z: slope(z[-1], z[:-1]))(np.concatenate([y, [t]]))

    equation = Equation(slope, jacobian)
    control = Control(body.method, body.relative_tolerance, body.absolute_tolerance)

    def first(given: Any) -> Any:
        y, t, goal = given[:-2], given[-2], given[-1]
        return np.concatenate([y, integrators.first_state(equation, control, t, y, goal)])

    def tried(given: Any) -> Any:
        result: Any = integrators.attempt(equation, control, given[:-1], given[-1])
        return result

    flat = np.concatenate([np.ravel(np.asarray(v, dtype=np.float64)) for v in state.values()])
    whole = np.concatenate([[float(start)], np.asarray(times, dtype=np.float64)])
    with np.errstate(all="ignore"):
        path = integrators.integrate(first, tried, flat, whole, body.max_steps)
    return joined(list(unpack(path.states, (len(times),)).values()), len(times))
