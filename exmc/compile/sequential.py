"""The values of scans and differential equations of a model by primitives that are recorded and compiled once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import Box
from numpy.typing import NDArray

from exmc.compile.function import DataFunction, identity_of
from exmc.compile.kernel import Engine, compile_outputs
from exmc.errors import MissingLoweringError, TooLargeError
from exmc.ir import odes, scans
from exmc.ir.expressions import Apply, Expression
from exmc.ir.loops import Body, OdeBody, ScanBody, loop_body
from exmc.ir.operations import evaluate
from exmc.ir.serial import encode_body
from exmc.late import Late

if TYPE_CHECKING:
    from exmc.compile import ode, scan
else:
    # Few models have loops, and what records them takes long to import.
    ode, scan = Late("exmc.compile.ode"), Late("exmc.compile.scan")

Array = Any
"""A number, a numpy array or an autograd box around one."""


def evaluate_loop(expression: Expression, values: Mapping[str, Array]) -> Array:
    """The value of a deterministic's expression, whose loops, if it is one, are recorded once."""
    body = loop_body(expression)
    if body is None or not isinstance(expression, Apply):
        return evaluate(expression, values)
    return loop_value([evaluate(o, values) for o in expression.operands], body)


def loop_value(operands: list[Array], body: Body) -> Array:
    """The value of a loop given those of its operands, which may be traced."""
    return _scan_value(operands, body) if isinstance(body, ScanBody) else _ode_value(operands, body)


def loop_values(
    body: Body,
    operands: Sequence[Array],
    varying: Sequence[bool],
    *,
    engine: Engine = "native",
    cache: Path | None = None,
) -> NDArray[np.float64] | None:
    """The values of a loop for many samples by machine code, shape (samples, ...).

    Parameters
    ----------
    operands
        Those of the loop; where `varying`, with an axis of samples before their own.
    engine, cache
        As in `exmc.compile.kernel.compile_outputs`.

    Returns
    -------
    array or None
        None where there is no machine code for the loop, or none is wanted.
    """
    if engine != "native":
        return None
    moving = [np.asarray(o, dtype=np.float64) for o, varies in zip(operands, varying, strict=True) if varies]
    shapes = [array.shape[1:] for array in moving]
    positions = np.concatenate([array.reshape(len(array), -1) for array in moving], axis=1)

    def value(position: Array, *data: Array) -> tuple[Array]:
        ends, rest = np.cumsum([math.prod(shape) for shape in shapes]), iter(data)
        parts = (
            anp.reshape(position[end - math.prod(shape) : end], shape) for end, shape in zip(ends, shapes, strict=True)
        )
        return (loop_value([next(parts) if varies else next(rest) for varies in varying], body),)

    data = tuple(np.asarray(o) for o, varies in zip(operands, varying, strict=True) if not varies)
    identity = identity_of(["loop", encode_body(body), [bool(v) for v in varying], [list(shape) for shape in shapes]])
    try:
        outputs = compile_outputs(DataFunction(value, data, identity), positions.shape[1], engine=engine, cache=cache)
    except (MissingLoweringError, TooLargeError):
        return None
    return outputs(positions)[0]


def _traced(captured: Mapping[str, Array]) -> dict[str, Array]:
    """What a body must take as an argument; the rest is data, which it may hold, also as whole numbers to index by."""
    return {name: value for name, value in captured.items() if isinstance(value, Box)}


def _scan_value(operands: list[Array], body: ScanBody) -> Array:
    start, sequences, captured = scans.split(operands, body)
    traced = _traced(captured)
    only_last = body.collect == "last" and body.output in body.carry

    def step(carry: tuple[Array, ...], row: tuple[Array, ...] | None, *params: Array) -> tuple[Array, Array]:
        scope = {
            **captured,
            **dict(zip(traced, params, strict=True)),
            **dict(zip(body.carry, carry, strict=True)),
            **dict(zip(body.sequences, row or (), strict=True)),
        }
        after, output = scans.next_values(body, scope, evaluate)
        return after, None if only_last else output

    rows = tuple(sequences.values()) or None
    last, outputs = scan.scan(step, tuple(start.values()), rows, tuple(traced.values()), length=body.length)
    if only_last:
        return last[body.carry.index(body.output)]
    return scans.collected(body, start.get(body.output), outputs)


def _ode_value(operands: list[Array], body: OdeBody) -> Array:
    state, start, times, captured = odes.split(operands, body)
    traced = _traced(captured)

    def slope(t: Array, y: tuple[Array, ...], *params: Array) -> tuple[Array, ...]:
        scope = {
            **captured,
            **dict(zip(traced, params, strict=True)),
            **dict(zip(body.state, y, strict=True)),
            **({} if body.time is None else {body.time: t}),
        }
        return odes.derivatives(body, scope, evaluate)

    states = ode.ode(
        slope,
        tuple(state.values()),
        times,
        tuple(traced.values()),
        start=start,
        method=body.method,
        relative_tolerance=body.relative_tolerance,
        absolute_tolerance=body.absolute_tolerance,
        max_steps=body.max_steps,
    )
    return odes.joined(list(states), anp.shape(times)[0])
