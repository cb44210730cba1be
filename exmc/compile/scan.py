"""`scan`: a loop whose body is differentiated and compiled once, however many steps it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import Box

from exmc.compile.record import record_body
from exmc.compile.scan_body import Array, Body, Packing, floating, packing_of, scan_rows
from exmc.compile.tracing import is_recorded
from exmc.errors import CompileError


def scan(
    step: Callable[..., Any],
    init: Array,
    xs: Array = None,
    params: Sequence[Array] = (),
    *,
    length: int | None = None,
) -> tuple[Array, Array]:
    """Run `carry, y = step(carry, x, *params)` along the first axis of `xs`.

    Parameters
    ----------
    step
        Written in autograd.numpy. `carry` is an array or a tuple of arrays, of the same shapes before and after; `x` is
        an element of `xs` (None without); `y` is an array, a tuple of arrays, or None. It must take every value that
        depends on the parameters of the model as an argument: it is recorded apart from its surroundings.
    init
        The first carry.
    xs
        An array, or a tuple of arrays, of shape (steps, ...).
    params
        What is the same in each step.
    length
        The number of steps, needed without `xs` only.

    Returns
    -------
    carry, ys
        The last carry, and all outputs, each of shape (steps, ...).

    Raises
    ------
    CompileError
        If shapes do not fit, there is no step, or `step` reaches for a traced value that is not its argument.
    """
    inputs = Packing((), False) if xs is None else packing_of(xs, 1)
    arrays = () if xs is None else (xs,) if inputs.single else tuple(xs)
    lengths = {anp.shape(a)[0] for a in arrays} | (set() if length is None else {length})
    if len(lengths) != 1 or 0 in lengths:
        raise CompileError(f"scan needs one number of steps above 0, not {sorted(lengths)}.")
    (steps,) = lengths
    carry, parameters = packing_of(init), packing_of(tuple(params))
    outputs = _output_packing(step, carry, inputs, parameters)
    sketched = is_recorded((init, xs, tuple(params)))
    body = Body(step, carry, inputs, parameters, outputs, record_body, sketched)
    columns = [floating(anp.reshape(a, (steps, -1))) for a in arrays]
    rows = columns[0] if len(columns) == 1 else anp.concatenate(columns, axis=1) if columns else np.zeros((steps, 0))
    start = floating(carry.pack(init))
    shared = floating(parameters.pack(tuple(params))) if parameters.shapes else np.zeros(0)
    results = scan_rows(start, shared, rows, body)
    last = carry.unpack(results[-1, : carry.size])
    if not outputs.shapes:
        return last, None
    return last, outputs.unpack(results[:, carry.size :], (steps,))


def _output_packing(step: Callable[..., Any], carry: Packing, inputs: Packing, parameters: Packing) -> Packing:
    """The shapes of a step's output, and whether its carry keeps its shapes."""
    arguments = [carry.unpack(np.zeros(carry.size)), inputs.unpack(np.zeros(inputs.size)) if inputs.shapes else None]
    with np.errstate(all="ignore"):
        after, output = step(*arguments, *parameters.unpack(np.zeros(parameters.size)))
    leaves = [*(after if isinstance(after, tuple | list) else (after,))]
    leaves += [*(output if isinstance(output, tuple | list) else (output,))]
    if any(isinstance(leaf, Box) for leaf in leaves):
        raise CompileError(
            "The step of a scan depends on a parameter of the model that is not its argument.",
            remedy="Pass it in `params`.",
        )
    if packing_of(after) != carry:
        raise CompileError(f"The carry of a scan changes from {carry.shapes} to {packing_of(after).shapes}.")
    return Packing((), False) if output is None else packing_of(output)
