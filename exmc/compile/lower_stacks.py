"""The machine code of an operation on a stack of matrices: that on one of them, in a loop over the leading axes."""

from __future__ import annotations

import math
from dataclasses import replace

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import ELEMENTS, Memory
from exmc.compile.primitives import ArrayType
from exmc.compile.tape import Equation


def stacked(rule: BlockRule) -> BlockRule:
    """`rule`, which knows single matrices, for stacks whose operands and result have the same leading axes."""

    def each(frame: Frame, equation: Equation) -> None:
        first = equation.operands[0]
        lead = frame.shape(first)[:-2]
        if not lead:
            rule(frame, equation)
        elif math.prod(frame.shape(equation.result)):
            _loop(frame, equation, rule, lead)

    return each


def _loop(frame: Frame, equation: Equation, rule: BlockRule, lead: tuple[int, ...]) -> None:
    places = {operand: frame.memory(operand) for operand in equation.operands}
    places[equation.result] = frame.buffers[equation.result]
    types = list(frame.tape.types)
    for value in places:
        types[value] = ArrayType(types[value].shape[len(lead) :], types[value].dtype)
    tape = replace(frame.tape, types=tuple(types))

    def nest(indices: list[str]) -> None:
        if len(indices) < len(lead):
            with frame.writer.loop(lead[len(indices)]) as index:
                nest([*indices, index])
            return
        one = {value: _member(frame, place, indices) for value, place in places.items()}
        inner = replace(frame, tape=tape, buffers=one)
        rule(inner, equation)
        frame.workspace_size = inner.workspace_size

    nest([])


def _member(frame: Frame, place: Memory, indices: list[str]) -> Memory:
    steps = list(zip(indices, place.strides[: len(indices)], strict=True))
    base = frame.writer.address(place.base, place.offset, steps, ELEMENTS[place.dtype][0])
    return place._replace(base=base, offset=0, strides=place.strides[len(indices) :])
