"""What a function computes from its data alone: a program of its own, run once for each data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from exmc.compile.primitives import Array
from exmc.compile.tape import Constant, Tape, TapeBuilder


class Preparation:
    """Takes the equations on data alone out of tapes, and keeps what they compute as the tapes' constants.

    Parameters
    ----------
    data
        The arguments of the function, each of which may be a constant of its tape.
    """

    def __init__(self, data: Sequence[Constant]) -> None:
        self._builder = TapeBuilder(0)
        self._arguments = {self._builder.constant(constant): number for number, constant in enumerate(data)}
        self._idents: dict[Constant, int] = {self._builder.constants[i]: i for i in self._arguments}

    def absorb(self, tape: Tape) -> Tape:
        """`tape` with the results of its prepared equations, computed now, in place of these equations."""
        prepared = _prepared(tape)
        if not prepared:
            return tape
        moved = _with_ancestors(tape, prepared)
        builder = TapeBuilder(tape.dimension)
        values: dict[int, Any] = dict(tape.literals) | {i: c.values for i, c in tape.constants.items()}
        mine = {i: self._builder.literal(number) for i, number in tape.literals.items()}
        mine |= {i: self._ident(constant) for i, constant in tape.constants.items()}
        theirs = builder.adopt(tape)
        for equation in tape.equations:
            ident = equation.result
            if ident in moved:
                mine[ident] = self._builder.apply(
                    equation.primitive, *(mine[o] for o in equation.operands), **equation.static
                )
                with np.errstate(all="ignore"):
                    values[ident] = equation.evaluate(values)
                constant = Constant(_typed(values[ident], tape, ident))
                self._idents[constant] = mine[ident]
                theirs[ident] = builder.constant(constant)
            if ident not in prepared:
                theirs[ident] = builder.apply(
                    equation.primitive, *(theirs[o] for o in equation.operands), **equation.static
                )
        return builder.finish(tuple(theirs[o] for o in tape.outputs))

    def program(self, constants: Sequence[Constant]) -> tuple[Tape, dict[int, int]]:
        """The program that computes `constants` of absorbed tapes, and which of its own constants are which argument.

        It is a tape of dimension 0: its outputs are the constants, in order.
        """
        outputs = tuple(self._ident(constant) for constant in constants)
        tape = self._builder.finish(outputs)
        numbers = {self._builder.constants[i]: number for i, number in self._arguments.items()}
        return tape, {i: numbers[c] for i, c in tape.constants.items() if c in numbers}

    def _ident(self, constant: Constant) -> int:
        if constant not in self._idents:
            self._idents[constant] = self._builder.constant(constant)
        return self._idents[constant]


def run(program: Tape, arguments: dict[int, int], data: Sequence[Array]) -> list[Array]:
    """What a program of `Preparation` computes from data.

    Raises IndexError where the data hold an index that is out of range.
    """
    constants = dict(program.constants) | {i: Constant(data[number]) for i, number in arguments.items()}
    found = replace(program, constants=constants).evaluate(np.zeros(0))
    return [_typed(array, program, output) for array, output in zip(found, program.outputs, strict=True)]


def _typed(value: Any, tape: Tape, ident: int) -> Array:
    kind = tape.types[ident]
    return np.ascontiguousarray(value, dtype=kind.dtype).reshape(kind.shape)


def _prepared(tape: Tape) -> set[int]:
    """The prepared equations, and the conversions of data to floats."""
    floats = {e.result for e in tape.equations if e.primitive == "to_float" and e.operands[0] in tape.constants}
    return floats | tape.prepared


def _with_ancestors(tape: Tape, prepared: set[int]) -> set[int]:
    """The prepared equations, and those that they need."""
    moved = set(prepared)
    made = {e.result for e in tape.equations}
    for equation in reversed(tape.equations):
        if equation.result in moved:
            moved.update(o for o in equation.operands if o in made)
    return moved
