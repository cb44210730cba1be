"""What gathers and scatters at computed places, sorting and recurrences mean in primitives."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import autograd.numpy as anp
from autograd.builtins import container_take

from exmc.compile.arguments import Rule, Traced, Unsupported, operand
from exmc.compile.computed_index import pick, place
from exmc.compile.linear_recurrence import linear_recurrence
from exmc.compile.tape import TapeBuilder


def _pick(builder: TapeBuilder, x: Any, numbers: Any) -> int:
    value = builder.apply("to_float", operand(builder, x))
    # Places that are data are known when the code is made.
    primitive = "pick" if isinstance(numbers, Traced) else "take"
    return builder.apply(primitive, value, operand(builder, numbers))


def _place(builder: TapeBuilder, values: Any, numbers: Any, shape: tuple[int, ...]) -> int:
    value, places = builder.apply("to_float", operand(builder, values)), operand(builder, numbers)
    value = builder.apply("broadcast", value, shape=builder.types[places].shape)
    if isinstance(numbers, Traced):
        return builder.apply("place", value, places, shape=shape)
    return builder.apply("scatter", value, places, shape=shape, parts=(None,))


def _order(builder: TapeBuilder, x: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> int:
    value = builder.apply("to_float", operand(builder, x))
    shape = builder.types[value].shape
    if axis is None:
        shape, axis = (builder.types[value].size,), 0
        value = builder.apply("reshape", value, shape=shape)
    if not shape:
        raise Unsupported
    last = len(shape) - 1
    swap = tuple(last if a == axis % len(shape) else axis % len(shape) if a == last else a for a in range(len(shape)))
    moved = builder.apply("transpose", value, permutation=swap)
    return builder.apply("transpose", builder.apply("order", moved), permutation=swap)


def _recurrence(builder: TapeBuilder, factors: Any, terms: Any, axis: int) -> int:
    values = [builder.apply("to_float", operand(builder, a)) for a in (factors, terms)]
    return builder.apply("linear_recurrence", *values, axis=axis)


def _member(builder: TapeBuilder, several: Any, number: Any) -> int:
    made = builder.equations.get(several.ident) if isinstance(several, Traced) else None
    if made is None or made.primitive != "members" or not isinstance(number, int):
        raise Unsupported
    return made.operands[number]


COMPUTED_RULES: Mapping[Any, Rule] = MappingProxyType(
    {pick: _pick, place: _place, anp.argsort: _order, linear_recurrence: _recurrence, container_take: _member}
)
"""By autograd function."""
