"""What a loop over steps must do one step after the other: a primitive on the tape of one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc.compile.primitives import Array, Loop
from exmc.compile.tape import Tape


@dataclass(frozen=True, slots=True, eq=False)
class Core:
    """A step as a function of one vector: the state, what is the same in each step, what each step is given.

    Attributes
    ----------
    tape
        Its output is the next state and then what else is kept of a step.
    steps
        How many.
    states
        The length of the state.
    uniforms
        How many operands after the first, the initial state, are the same in each step; the rest have one element of
        their first axis for each.
    reverse
        Whether the last step comes first.
    """

    tape: Tape
    steps: int
    states: int
    uniforms: int
    reverse: bool

    @property
    def width(self) -> int:
        """The length of a step's result."""
        return self.tape.output_shapes[0][0]

    @property
    def before(self) -> int:
        """The row of the result in which the state before step 0 lies: that of step t lies t rows below."""
        return int(self.reverse)

    @property
    def after(self) -> int:
        """The row of the result in which the result of step 0 lies."""
        return 1 - self.before


def run(start: Array, *operands: Any, loop: Loop) -> Array:
    """The results of all steps by numpy, shape (steps + 1, width), with the initial state before the first."""
    core: Core = loop.body
    rows = np.zeros((core.steps + 1, core.width))
    uniforms = [np.reshape(u, -1) for u in operands[: core.uniforms]]
    order = range(core.steps - 1, -1, -1) if core.reverse else range(core.steps)
    state = start
    rows[core.steps if core.reverse else 0, : core.states] = start
    for t in order:
        given = [np.reshape(series[t], -1) for series in operands[core.uniforms :]]
        (rows[core.after + t],) = core.tape.evaluate(np.concatenate([state, *uniforms, *given]))
        state = rows[core.after + t, : core.states]
    return rows


def recurrence_loop(core: Core) -> Loop:
    """The parameter of the primitive."""
    return Loop(core, "recurrence", _evaluate)


def _evaluate(*operands: Any) -> Array:
    *arrays, loop = operands
    return run(*arrays, loop=loop)
