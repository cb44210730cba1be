"""Splits arrays of many rows and a short last axis into their columns, so that all work on a row shares one loop.

Mixture components and categories are such axes. As one array, each reduction over them would end a loop over the rows;
as columns, the reduction is elementwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

from exmc.compile.primitives import FLOAT, PRIMITIVES
from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Equation, Tape

_MOST_COLUMNS = 8
_LEAST_ROWS = 32

COMBINE = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}

Shape = tuple[int, ...]


def split_columns(tape: Tape) -> Tape:
    """The same program, with no array of a short last axis that is made elementwise and reduced."""
    reduced = {
        e.operands[0]
        for e in tape.equations
        if e.primitive in COMBINE and _short(tape.types[e.operands[0]].shape) and _over_last(tape, e)
    }
    if not reduced:
        return tape
    return _Splitter(tape).run()


def _short(shape: Shape) -> bool:
    """Whether arrays of this shape are split."""
    return len(shape) >= 2 and 2 <= shape[-1] <= _MOST_COLUMNS and math.prod(shape[:-1]) >= _LEAST_ROWS


def _over_last(tape: Tape, equation: Equation) -> bool:
    return len(tape.types[equation.operands[0]].shape) - 1 in equation.static["axes"]


class _Splitter:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.builder = Simplifier(tape.dimension)
        self.whole = self.builder.adopt(tape)
        self.columns: dict[int, list[int]] = {}

    def run(self) -> Tape:
        for equation in self.tape.equations:
            self._translate(equation)
        return self.builder.finish(tuple(self._joined(o) for o in self.tape.outputs))

    def _shape(self, value: int) -> Shape:
        return self.tape.types[value].shape

    def _translate(self, equation: Equation) -> None:
        result, static = equation.result, equation.static
        elementwise = PRIMITIVES[equation.primitive].kind == "elementwise"
        if elementwise and _short(self._shape(result)) and equation.primitive != "take":
            self.columns[result] = self._elementwise(equation)
        elif equation.primitive == "take" and _short(self._shape(result)):
            self.columns[result] = self._gathers(equation)
        elif equation.primitive in COMBINE and equation.operands[0] in self.columns:
            self.whole[result] = self._reduction(equation)
        else:
            operands = tuple(self._joined(o) for o in equation.operands)
            self.whole[result] = self.builder.rewrite(equation.primitive, operands, static)

    def _elementwise(self, equation: Equation) -> list[int]:
        shape = self._shape(equation.result)
        results = []
        for column in range(shape[-1]):
            operands = tuple(self._column(o, column) for o in equation.operands)
            static: dict[str, Any] = equation.static
            if equation.primitive == "broadcast":
                static = {"shape": shape[:-1]}
            value = self.builder.rewrite(equation.primitive, operands, static)
            if self.builder.types[value].shape != shape[:-1]:
                value = self.builder.rewrite("broadcast", (value,), {"shape": shape[:-1]})
            results.append(value)
        return results

    def _gathers(self, equation: Equation) -> list[int]:
        source, index = (self._joined(o) for o in equation.operands)
        columns = []
        for column in range(self.builder.types[index].shape[-1]):
            numbers = self._column_of(index, column, self.builder.prepare)
            columns.append(self.builder.rewrite("take", (source, numbers), {}))
        return columns

    def _column(self, value: int, column: int) -> int:
        """One column of an operand that broadcasts to the split shape: without its last axis."""
        if value in self.columns:
            return self.columns[value][column]
        shape = self._shape(value)
        whole = self.whole[value]
        if shape == ():
            return whole
        return self._column_of(whole, column, self._rewrite)

    def _rewrite(self, primitive: str, operand: int, **static: Any) -> int:
        return self.builder.rewrite(primitive, (operand,), static)

    def _column_of(self, whole: int, column: int, apply: Callable[..., int]) -> int:
        shape = self.builder.types[whole].shape
        if shape[-1] != 1:
            whole = apply("slice", whole, bounds=(*((0, n, 1) for n in shape[:-1]), (column, 1, 1)))
        return apply("reshape", whole, shape=shape[:-1])

    def _reduction(self, equation: Equation) -> int:
        operand = equation.operands[0]
        last = len(self._shape(operand)) - 1
        axes = tuple(a for a in equation.static["axes"] if a != last)
        parts = self.columns[operand]
        if axes == equation.static["axes"]:
            reduced = [self.builder.rewrite(equation.primitive, (p,), {"axes": axes}) for p in parts]
            return self._join(reduced)
        if self.tape.types[operand].dtype != FLOAT:
            return self.builder.rewrite(equation.primitive, (self._joined(operand),), equation.static)
        combine = COMBINE[equation.primitive]
        total = reduce(lambda a, b: self.builder.rewrite(combine, (a, b), {}), parts)
        return self.builder.rewrite(equation.primitive, (total,), {"axes": axes}) if axes else total

    def _joined(self, value: int) -> int:
        """The array in one piece."""
        if value not in self.whole:
            self.whole[value] = self._join(self.columns[value])
        return self.whole[value]

    def _join(self, parts: list[int]) -> int:
        shape = self.builder.types[parts[0]].shape
        total = (*shape, len(parts))
        pieces = []
        for part in parts:
            real = self.builder.rewrite("to_float", (part,), {})
            pieces.append(self.builder.rewrite("reshape", (real,), {"shape": (*shape, 1)}))
        places = tuple((*((0, n, 1) for n in shape), (k, 1, 1)) for k in range(len(parts)))
        return self.builder.rewrite("scatter", tuple(pieces), {"shape": total, "parts": places})
