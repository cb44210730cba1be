"""A tape of small arrays as a tape of their elements: every operation on a few numbers becomes scalar arithmetic.

Of a scan's step this leaves numbers, so that over all steps each is one long vector; shapes and places cost nothing.
"""

from __future__ import annotations

import itertools
from functools import reduce
from typing import Any

import numpy as np

from exmc.compile.columns import COMBINE
from exmc.compile.primitives import PRIMITIVES, Array, region
from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Equation, Tape

_MOST_ELEMENTS = 16
"""Of an array."""

_MOST_NUMBERS = 1000
"""Of a tape."""

_BLOCKS = ("contract", "cumsum", "scatter")

Numbers = Array
"""The value ids of an array's elements."""


def is_small(tape: Tape) -> bool:
    """Whether a tape is worth writing out by elements."""
    for equation in tape.equations:
        static, kind = equation.static, PRIMITIVES[equation.primitive].kind
        if any(0 in tape.types[o].shape for o in equation.operands):
            return False
        if tape.types[equation.result].size > _MOST_ELEMENTS and kind != "view" and equation.primitive != "scatter":
            return False
        if kind == "external" or (kind == "memory" and equation.primitive not in _BLOCKS):
            return False
        if equation.primitive == "take" and equation.operands[1] not in tape.constants:
            return False
        if equation.primitive == "scatter" and None in static["parts"]:
            return False
        if equation.primitive == "contract" and _products(tape, equation) > _MOST_ELEMENTS**2:
            return False
    sizes = (tape.types[e.result].size for e in tape.equations if PRIMITIVES[e.primitive].kind != "view")
    return sum(sizes) <= _MOST_NUMBERS


def _products(tape: Tape, equation: Equation) -> int:
    sizes = _extents(equation.static["spec"], [tape.types[o].shape for o in equation.operands])
    return int(np.prod(list(sizes.values()), dtype=np.int64))


def _extents(spec: str, shapes: list[tuple[int, ...]]) -> dict[str, int]:
    terms = spec.split("->")[0].split(",")
    return {c: n for term, shape in zip(terms, shapes, strict=True) for c, n in zip(term, shape, strict=True)}


class Elements:
    """Translates a tape into scalars of a builder."""

    def __init__(self, builder: Simplifier, tape: Tape) -> None:
        self.builder, self.tape = builder, tape
        self.known: dict[int, Numbers] = {0: self._elements(0, (tape.dimension,))}
        for ident, value in tape.literals.items():
            self.known[ident] = np.array(builder.literal(value), dtype=object)
        for ident, array in tape.constants.items():
            self.known[ident] = self._elements(builder.constant(array), array.shape)

    def run(self) -> list[Numbers]:
        """The elements of each output."""
        for equation in self.tape.equations:
            operands = [self.known[o] for o in equation.operands]
            found = np.asarray(self._apply(equation, operands), dtype=object)
            self.known[equation.result] = found.reshape(self.tape.types[equation.result].shape)
        return [self.known[o] for o in self.tape.outputs]

    def _elements(self, value: int, shape: tuple[int, ...]) -> Numbers:
        found = np.empty(shape, dtype=object)
        for index in np.ndindex(shape):
            piece = self.builder.rewrite("slice", (value,), {"bounds": tuple((i, 1, 1) for i in index)})
            found[index] = self.builder.rewrite("reshape", (piece,), {"shape": ()})
        return found

    def _operate(self, primitive: str, *operands: int, **static: Any) -> int:
        return self.builder.rewrite(primitive, operands, static)

    def _apply(self, equation: Equation, operands: list[Numbers]) -> Any:
        static, primitive = equation.static, equation.primitive
        match primitive:
            case "broadcast" | "reshape" | "transpose" | "slice":
                return PRIMITIVES[primitive].evaluate(operands[0], **static)
            case "take":
                index = self.tape.constants[equation.operands[1]]
                # The code depends on each of its elements.
                index.ask("digest")
                return operands[0].reshape(-1)[index.values]
            case "scatter":
                return self._scattered(operands, static)
            case "contract":
                return self._contracted(operands, static["spec"])
            case "cumsum":
                return self._cumulated(equation, operands[0])
        if primitive in COMBINE:
            return self._reduced(equation, operands[0])
        function = np.frompyfunc(lambda *ids: self._operate(primitive, *ids), len(operands), 1)
        return function(*operands)

    def _total(self, terms: list[int], combine: str = "add") -> int:
        return reduce(lambda a, b: self._operate(combine, a, b), terms)

    def _reduced(self, equation: Equation, operand: Numbers) -> Numbers:
        axes, shape = equation.static["axes"], self.tape.types[equation.result].shape
        kept = [a for a in range(operand.ndim) if a not in axes]
        rows = self._counted(equation, operand).transpose((*kept, *axes)).reshape(*shape, -1)
        found = np.empty(shape, dtype=object)
        for index in np.ndindex(shape):
            found[index] = self._total(list(rows[index]), COMBINE[equation.primitive])
        return found

    def _counted(self, equation: Equation, operand: Numbers) -> Numbers:
        """Truths that are added up as the numbers they count as."""
        if self.tape.types[equation.result].dtype == self.tape.types[equation.operands[0]].dtype:
            return operand
        return np.asarray(np.frompyfunc(lambda v: self._operate("to_integer", v), 1, 1)(operand), dtype=object)

    def _scattered(self, operands: list[Numbers], static: dict[str, Any]) -> Numbers:
        found = np.full(static["shape"], None, dtype=object)
        for part, value in zip(static["parts"], operands, strict=True):
            target = found[region(part)]
            for index, term in zip(np.ndindex(target.shape), np.broadcast_to(value, target.shape).flat, strict=True):
                real = self._operate("to_float", term)
                target[index] = real if target[index] is None else self._operate("add", target[index], real)
        zero = self.builder.literal(0.0)
        return np.array([zero if v is None else v for v in found.flat], dtype=object).reshape(found.shape)

    def _contracted(self, operands: list[Numbers], spec: str) -> Numbers:
        inputs, output = spec.split("->")
        terms = inputs.split(",")
        extents = _extents(spec, [o.shape for o in operands])
        summed = [c for c in extents if c not in output]
        found = np.empty(tuple(extents[c] for c in output), dtype=object)
        for index in np.ndindex(found.shape):
            products = []
            for rest in itertools.product(*(range(extents[c]) for c in summed)):
                at = {**dict(zip(output, index, strict=True)), **dict(zip(summed, rest, strict=True))}
                factors = [o[tuple(at[c] for c in t)] for o, t in zip(operands, terms, strict=True)]
                products.append(self._total(factors, "multiply"))
            found[index] = self._total(products)
        return found

    def _cumulated(self, equation: Equation, operand: Numbers) -> Numbers:
        rows = np.moveaxis(self._counted(equation, operand), equation.static["axis"], 0)
        found = rows.copy()
        for k in range(1, len(rows)):
            for index in np.ndindex(rows.shape[1:]):
                found[(k, *index)] = self._operate("add", found[(k - 1, *index)], rows[(k, *index)])
        return np.moveaxis(found, 0, equation.static["axis"])
