"""Cuts arrays whose neighbours overlap at their borders, so that the work inside is one loop.

Where both x[1:] and x[:-1] are used, as in random walks and autoregressions, the cotangent of x is a sum of parts that
overlap: two more passes over memory. Away from the borders it is one formula of neighbouring elements, and the
border elements are scalars. What is cheap is computed for each neighbour again.
"""

from __future__ import annotations

import math
from functools import reduce
from itertools import pairwise
from typing import Any

from exmc.compile.columns import COMBINE
from exmc.compile.primitives import FLOAT, PRIMITIVES
from exmc.compile.schedule import CHEAP, schedule
from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Equation, Tape

_LEAST_INSIDE = 64
_MOST_BORDER = 16
"""Elements outside the loop at most."""

_MOST_REPEATED = 8
"""Operations an element that are rather repeated for a neighbour than stored."""

Span = tuple[int, int]
"""Elements of a leading axis: from the first to the second number, exclusive."""


def cut_borders(tape: Tape) -> Tape:
    """The same program, without scatters of overlapping parts where that takes fewer trips to memory."""
    spans = _spans(tape)
    if not spans:
        return tape
    stored: set[int] = set()
    while True:
        cutter = _Cutter(tape, spans, stored)
        result = cutter.run()
        if cutter.stored == stored:
            return result if _traffic(result) < _traffic(tape) else tape
        stored = set(cutter.stored)


def _traffic(tape: Tape) -> int:
    """How many numbers are stored or added to memory."""
    plan = schedule(tape)
    stored = sum(tape.types[v].size for v in plan.stored)
    parts = [e for e in tape.equations if e.primitive == "scatter"]
    return stored + sum(tape.types[o].size for e in parts for o in e.operands[: len(e.static["parts"])])


def _spans(tape: Tape) -> dict[int, list[Span]]:
    """By the length of a leading axis: the spans it is cut into."""
    points: dict[int, set[int]] = {}
    scatters = [e for e in tape.equations if _overlapping(e)]
    for equation in scatters:
        length = equation.static["shape"][0]
        edges = points.setdefault(length, {0, length})
        edges.update(edge for part in equation.static["parts"] for edge in (part[0][0], part[0][0] + part[0][1]))
    found: dict[int, list[Span]] = {}
    for length, edges in points.items():
        spans = list(pairwise(sorted(edges)))
        inside = max(spans, key=_size)
        if _size(inside) >= _LEAST_INSIDE and length - _size(inside) <= _MOST_BORDER:
            found[length] = spans
    for equation in scatters:
        if target := found.get(equation.static["shape"][0]):
            _add_parts(found, equation, max(target, key=_size))
    return found


def _add_parts(found: dict[int, list[Span]], equation: Equation, inside: Span) -> None:
    """The spans of parts of a scatter: what goes to the inside of the whole, and what lies before and after."""
    for (start, length, _), *_ in equation.static["parts"]:
        first, last = inside[0] - start, inside[1] - start
        if first >= 0 and last <= length and length not in found:
            found[length] = list(pairwise(sorted({0, first, last, length})))


def _size(span: Span) -> int:
    return span[1] - span[0]


def _overlapping(equation: Equation) -> bool:
    """Whether an equation is a scatter of regions that differ and overlap along the first axis alone."""
    if equation.primitive != "scatter":
        return False
    parts, shape = equation.static["parts"], equation.static["shape"]
    if None in parts or not shape or len(parts) < 2:
        return False
    whole = tuple((0, n, 1) for n in shape[1:])
    if any(part[1:] != whole or part[0][2] != 1 for part in parts):
        return False
    return bool(sum(part[0][1] for part in parts) > shape[0])


class _Cutter:
    def __init__(self, tape: Tape, spans: dict[int, list[Span]], stored: set[int]) -> None:
        self.tape, self.spans = tape, spans
        self.equations = {e.result: e for e in tape.equations}
        self.builder = Simplifier(tape.dimension)
        self.known = self.builder.adopt(tape)
        self.stored = set(stored)
        self.regions: dict[int, Span] = {}
        self.costs: dict[int, float] = {}

    def run(self) -> Tape:
        for equation in self.tape.equations:
            self.costs[equation.result] = self._cost(equation)
        for equation in self.tape.equations:
            # Only what is not elementwise asks for pieces: with them, most arrays in one piece are dead code.
            self.known[equation.result] = self._whole(equation)
        return self.builder.finish(tuple(self.known[o] for o in self.tape.outputs))

    def _shape(self, value: int) -> tuple[int, ...]:
        return self.tape.types[value].shape

    def _rewrite(self, primitive: str, operands: tuple[int, ...], **static: Any) -> int:
        return self.builder.rewrite(primitive, operands, static)

    def _whole(self, equation: Equation) -> int:
        operands, static = equation.operands, equation.static
        if equation.primitive == "scatter" and None not in static["parts"]:
            return self._scatter(equation)
        if equation.primitive in COMBINE and 0 in static["axes"] and self._cut(operands[0], FLOAT):
            parts = [self._reduced(equation, span) for span in self.spans[self._shape(operands[0])[0]]]
            return reduce(lambda a, b: self._rewrite(COMBINE[equation.primitive], (a, b)), parts)
        return self._rewrite(equation.primitive, tuple(self.known[o] for o in operands), **static)

    def _cut(self, value: int, dtype: str = "") -> bool:
        """Whether a value is computed piece by piece."""
        shape = self._shape(value)
        if not shape or shape[0] not in self.spans or (dtype and self.tape.types[value].dtype != dtype):
            return False
        return value not in self.stored and self._elementwise(value)

    def _elementwise(self, value: int) -> bool:
        """Whether an element of a value is made of elements of its operands."""
        equation = self.equations.get(value)
        if equation is None:
            return False
        return PRIMITIVES[equation.primitive].kind == "elementwise" or self._summed(equation)

    def _summed(self, equation: Equation) -> bool:
        return _overlapping(equation) and equation.static["shape"][0] in self.spans

    def _reduced(self, equation: Equation, span: Span) -> int:
        piece = self._at(equation.operands[0], span)
        if self.builder.types[piece].shape == ():
            return piece
        return self._rewrite(equation.primitive, (piece,), **equation.static)

    def _scatter(self, equation: Equation) -> int:
        """The parts piece by piece; those that overlap added up beforehand."""
        shape = equation.static["shape"]
        pieces, places = [], []
        if self._summed(equation):
            for span in self.spans[shape[0]]:
                pieces.append(self._sum_at(equation, span))
                places.append(((span[0], _size(span), 1), *((0, n, 1) for n in shape[1:])))
            return self._rewrite("scatter", tuple(pieces), shape=shape, parts=tuple(places))
        for value, part in zip(equation.operands, equation.static["parts"], strict=True):
            if not self._cut(value):
                pieces.append(self.known[value])
                places.append(part)
                continue
            (start, length, step), *others = part
            for span in self.spans[length]:
                pieces.append(self._at(value, span))
                places.append(((start + step * span[0], _size(span), step), *others))
        return self._rewrite("scatter", tuple(pieces), shape=shape, parts=tuple(places))

    # --- a span of a value -----------------------------------------------------------------------------------------

    def _at(self, value: int, span: Span) -> int:
        """Some elements of a value's leading axis; one element of a vector is a scalar."""
        shape = self._shape(value)
        equation = self.equations.get(value)
        if span == (0, shape[0]) and value in self.known:
            return self.known[value]
        if equation is None or not self._elementwise(value) or self._met_elsewhere(value, span):
            return self._sliced(self.known[value], shape, span)
        if equation.primitive == "scatter":
            return self._sum_at(equation, span)
        extents = (_size(span), *shape[1:]) if shape[1:] or _size(span) > 1 else ()
        if equation.primitive == "take":
            index = self.known[equation.operands[1]]
            bounds = ((span[0], _size(span), 1), *((0, n, 1) for n in shape[1:]))
            piece = self.builder.prepare("slice", index, bounds=bounds)
            piece = self.builder.prepare("reshape", piece, shape=extents)
            return self._rewrite("take", (self.known[equation.operands[0]], piece))
        operands = tuple(self._operand_at(o, shape, span) for o in equation.operands)
        if equation.primitive == "broadcast":
            return self._rewrite("broadcast", operands, shape=extents)
        return self._rewrite(equation.primitive, operands, **equation.static)

    def _operand_at(self, operand: int, shape: tuple[int, ...], span: Span) -> int:
        own = self._shape(operand)
        if own == (1,) and len(shape) == 1:
            return self._rewrite("reshape", (self.known[operand],), shape=())
        if len(own) < len(shape) or own[0] == 1:
            return self.known[operand]
        return self._at(operand, span)

    def _sliced(self, whole: int, shape: tuple[int, ...], span: Span) -> int:
        bounds = ((span[0], _size(span), 1), *((0, n, 1) for n in shape[1:]))
        piece = self._rewrite("slice", (whole,), bounds=bounds)
        if len(shape) > 1 or _size(span) > 1:
            return piece
        return self._rewrite("reshape", (piece,), shape=())

    def _sum_at(self, equation: Equation, span: Span) -> int:
        """The elements of a scatter: the sum of the parts that lie there."""
        terms = []
        for value, ((start, length, _), *_) in zip(equation.operands, equation.static["parts"], strict=True):
            if span[1] <= start or start + length <= span[0]:
                continue
            if not (start <= span[0] and span[1] <= start + length):
                return self._sliced(self.known[equation.result], equation.static["shape"], span)
            terms.append(self._at_part(value, (span[0] - start, span[1] - start), equation.static["shape"][1:]))
        if not terms:
            extents = (_size(span), *equation.static["shape"][1:])
            return self._rewrite("broadcast", (self.builder.literal(0.0),), shape=extents)
        return reduce(lambda a, b: self._rewrite("add", (a, b)), terms)

    def _at_part(self, value: int, span: Span, rest: tuple[int, ...]) -> int:
        # A part of one element may have lost its axes.
        return self._at(value, span) if len(self._shape(value)) == 1 + len(rest) else self.known[value]

    def _cost(self, equation: Equation) -> float:
        """Operations that give an element of a value where only stored values are at hand."""
        value = equation.result
        if not self._elementwise(value) or not self._shape(value) or value in self.stored:
            return 0
        by_scalar = equation.primitive == "divide" and self._shape(equation.operands[1]) == ()
        if equation.primitive not in CHEAP and not by_scalar:
            return math.inf
        return 1 + sum(self.costs.get(o, 0) for o in equation.operands)

    def _met_elsewhere(self, value: int, span: Span) -> bool:
        """Whether a costly value is asked for at another long span than before, so that it had better be stored.

        What is computed from a costlier value is not: that one is.
        """
        if value in self.stored:
            return True
        if _size(span) <= _MOST_BORDER or self.costs[value] <= _MOST_REPEATED:
            return False
        if any(self.costs.get(o, 0) > _MOST_REPEATED for o in self.equations[value].operands):
            return False
        if self.regions.setdefault(value, span) != span:
            self.stored.add(value)
        return False
