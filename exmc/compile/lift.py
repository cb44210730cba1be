"""One step's equations for all steps at once: each array gets the steps as a leading axis."""

from __future__ import annotations

import math
from typing import NamedTuple

from exmc.compile.primitives import PRIMITIVES
from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Equation, Tape

_LARGEST = 2**20
"""Elements of all steps together; larger arrays are made step by step."""

_SMALL = 16


class Known(NamedTuple):
    """A value of the tape around: of all steps, (steps, ...), or the same in each."""

    ident: int
    series: bool


def liftable(tape: Tape, equation: Equation, steps: int) -> bool:
    """Whether an equation of a step can be done for all steps at once."""
    size = tape.types[equation.result].size
    if size > _SMALL and size * steps > _LARGEST:
        return False
    kind, static = PRIMITIVES[equation.primitive].kind, equation.static
    if equation.primitive == "scatter":
        return None not in static["parts"]
    return (kind != "memory" or equation.primitive in ("contract", "cumsum")) and equation.primitive not in (
        "take",
        "external",
    )


def lift(builder: Simplifier, tape: Tape, equation: Equation, operands: tuple[Known, ...], steps: int) -> Known:
    """The value of an equation of a step's tape in the tape around."""
    static = equation.static
    if not any(o.series for o in operands):
        return Known(builder.rewrite(equation.primitive, tuple(o.ident for o in operands), static), False)
    shapes = tuple(tape.types[o].shape for o in equation.operands)
    result = tape.types[equation.result].shape
    match equation.primitive:
        case "contract":
            static = {"spec": _batched(static["spec"], operands)}
        case "scatter":
            lengths = [tuple(n for _, n, _ in part) for part in static["parts"]]
            operands = tuple(_spread(builder, o, n, steps) for o, n in zip(operands, lengths, strict=True))
            parts = tuple(((0, steps, 1), *part) for part in static["parts"])
            static = {"shape": (steps, *result), "parts": parts}
        case "sum" | "prod" | "max" | "min":
            static = {"axes": tuple(a + 1 for a in static["axes"])}
        case "cumsum":
            static = {"axis": static["axis"] + 1}
        case "reshape":
            static = {"shape": (steps, *result)}
        case "transpose":
            static = {"permutation": (0, *(a + 1 for a in static["permutation"]))}
        case "slice":
            static = {"bounds": ((0, steps, 1), *static["bounds"])}
        case _:
            rank = len(result)
            operands = tuple(_aligned(builder, o, s, rank, steps) for o, s in zip(operands, shapes, strict=True))
            static = {"shape": (steps, *result)} if equation.primitive == "broadcast" else static
    return Known(builder.rewrite(equation.primitive, tuple(o.ident for o in operands), static), True)


def _batched(spec: str, operands: tuple[Known, ...]) -> str:
    inputs, output = spec.split("->")
    letter = next(c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in spec)
    terms = [letter + t if o.series else t for t, o in zip(inputs.split(","), operands, strict=True)]
    return ",".join(terms) + "->" + letter + output


def _aligned(builder: Simplifier, operand: Known, shape: tuple[int, ...], rank: int, steps: int) -> Known:
    """A series whose axes meet those of a result of this rank, as numpy broadcasts from the last axis."""
    if not operand.series or len(shape) == rank:
        return operand
    return _shaped(builder, operand, (steps, *(1,) * (rank - len(shape)), *shape))


def _spread(builder: Simplifier, operand: Known, shape: tuple[int, ...], steps: int) -> Known:
    """A series of arrays of this shape; a part of one element may have lost its axes."""
    if operand.series:
        return _shaped(builder, operand, (steps, *shape))
    if math.prod(shape) == 1:
        operand = _shaped(builder, operand, ())
    return Known(builder.rewrite("broadcast", (operand.ident,), {"shape": (steps, *shape)}), True)


def _shaped(builder: Simplifier, operand: Known, shape: tuple[int, ...]) -> Known:
    return Known(builder.rewrite("reshape", (operand.ident,), {"shape": shape}), operand.series)


def series_of(builder: Simplifier, value: Known, shape: tuple[int, ...], steps: int) -> int:
    """A value as (steps, *shape)."""
    return _spread(builder, value, shape, steps).ident
