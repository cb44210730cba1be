"""What rounding alone may change in a recorded function: the scale of agreement where terms cancel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exmc.compile.primitives import PRIMITIVES
from exmc.compile.tape import Tape

FloatArray = NDArray[np.float64]

UNIT = 2.0**-53
"""The largest relative error of one correctly rounded operation."""

_REPLICAS = 12
_SCALE = 2.0**12
"""Changes are this much larger than a rounding, lest they be rounded themselves, and their effect is divided by it."""


def spread(tape: Tape, position: FloatArray, generator: np.random.Generator) -> tuple[float, ...]:
    """For each output the root mean square, over its elements together, of what rounding changes.

    Every float that the tape computes is multiplied by 1 + UNIT or 1 - UNIT at random: Monte Carlo arithmetic (Parker
    1997). To first order the result is UNIT times the root of the sum of (adjoint * value)**2 over all of them, so that
    terms which cancel count with their own size.
    """
    exact = tape.evaluate(position)
    squares = np.zeros(len(exact))
    for _ in range(_REPLICAS):
        changed = _rounded_otherwise(tape, position, generator)
        squares += [float(np.sum((a - b) ** 2)) for a, b in zip(changed, exact, strict=True)]
    return tuple(float(s) / _SCALE for s in np.sqrt(squares / _REPLICAS))


def _rounded_otherwise(tape: Tape, position: FloatArray, generator: np.random.Generator) -> tuple[FloatArray, ...]:
    constants = {ident: constant.values for ident, constant in tape.constants.items()}
    values: dict[int, object] = {0: position, **tape.literals, **constants}
    with np.errstate(all="ignore"):
        for equation in tape.equations:
            operands = [values[o] for o in equation.operands]
            primitive = PRIMITIVES[equation.primitive]
            result = np.asarray(primitive.evaluate(*operands, **equation.static))
            # Moving and picking numbers does not round them.
            moves = primitive.kind == "view" or equation.primitive in (
                "broadcast",
                "take",
                "where",
                "negative",
                "scatter",
            )
            if result.dtype == np.float64 and not moves:
                result = result + generator.choice([-_SCALE, _SCALE], result.shape) * UNIT * result
            values[equation.result] = result
    return tuple(np.asarray(values[o]) for o in tape.outputs)
