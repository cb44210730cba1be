"""Splits scans into what depends on the carry, done step by step, and all else, done for all steps at once.

Only the recurrence itself stays in a loop of scalar code. What it needs of inputs and parameters is made beforehand and
what follows from the states it went through afterwards, both in fused loops over the steps that can be vectorised; and
the reverse loop finds most of its work done, as it knows the states.
"""

from __future__ import annotations

from collections.abc import Callable

from exmc.compile.lift import Known
from exmc.compile.scan_body import Body
from exmc.compile.scan_series import Carried, Recurrence
from exmc.compile.scan_step import Slot, slots_of, step_of
from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Equation, Tape

SCAN_PRIMITIVES = ("scan_rows", "scan_reverse")


def split_scans(tape: Tape, absorb: Callable[[Tape], Tape]) -> Tape:
    """The same program, with recurrences in place of scans; `absorb` as for `optimised`."""
    while any(e.primitive in SCAN_PRIMITIVES for e in tape.equations):
        tape = absorb(_Splitter(tape).run())
    return tape


class _Splitter:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.builder = Simplifier(tape.dimension)
        self.known = self.builder.adopt(tape)
        self.states: dict[int, list[Known]] = {}
        """By the result of a forward scan: its state before each step."""

    def run(self) -> Tape:
        for equation in self.tape.equations:
            if equation.primitive == "scan_rows":
                self.known[equation.result] = self._forward(equation)
            elif equation.primitive == "scan_reverse":
                self.known[equation.result] = self._reverse(equation)
            else:
                operands = tuple(self.known[o] for o in equation.operands)
                self.known[equation.result] = self.builder.rewrite(equation.primitive, operands, equation.static)
        return self.builder.finish(tuple(self.known[o] for o in self.tape.outputs))

    def _forward(self, equation: Equation) -> int:
        """The rows of states and outputs."""
        body: Body = equation.static["loop"].body
        start, parameters, inputs = (self.known[o] for o in equation.operands)
        steps = self.tape.types[equation.operands[2]].shape[0]
        states, shared = body.carry.size, body.parameters.size
        carried = [Carried(s, self._part(start, s), None) for s in slots_of(body, 0, body.carry)]
        known = {s: self._shared(parameters, s, states) for s in slots_of(body, states, body.parameters)}
        known |= {
            s: self._column(inputs, s, states + shared, steps) for s in slots_of(body, states + shared, body.inputs)
        }
        results = slots_of(body, 0, body.carry, body.outputs)
        step = step_of(body, "forward", [*(c.slot for c in carried), *known], results)
        split = Recurrence(self.builder, step, carried, known, steps, reverse=False)
        self.states[equation.result] = [split.before(k) for k in range(len(carried))]
        columns = tuple(split.series(k) for k in range(len(results)))
        places = tuple(((0, steps, 1), (slot.start, slot.size, 1)) for slot in results)
        return self._rewrite("scatter", columns, shape=(steps, body.width), parts=places)

    def _reverse(self, equation: Equation) -> int:
        """The cotangents of start, parameters and perhaps inputs, one after the other."""
        loop = equation.static["loop"]
        body: Body = loop.body
        _, parameters, inputs, _, cotangents = (self.known[o] for o in equation.operands)
        steps = self.tape.types[equation.operands[2]].shape[0]
        states, shared = body.carry.size, body.parameters.size
        head = states + shared
        whole = head + body.inputs.size
        known = dict(zip(slots_of(body, 0, body.carry), self.states[equation.operands[3]], strict=True))
        known |= {s: self._shared(parameters, s, states) for s in slots_of(body, states, body.parameters)}
        known |= {s: self._column(inputs, s, head, steps) for s in slots_of(body, head, body.inputs)}
        known |= {s: self._column(cotangents, s, whole, steps) for s in slots_of(body, whole + states, body.outputs)}
        carried = [self._pulled(cotangents, s, whole, steps) for s in slots_of(body, whole, body.carry)]
        by_input = [body.inputs] if loop.name == "reverse all" else []
        results = slots_of(body, 0, body.carry, body.parameters, *by_input)
        step = step_of(body, loop.name, [*(c.slot for c in carried), *known], results)
        split = Recurrence(self.builder, step, carried, known, steps, reverse=True)
        pieces, places = [], []
        for number, slot in enumerate(results):
            series = split.series(number)
            if slot.start < states:
                pieces.append(self._row(series, 0, slot.size))
                places.append(((slot.start, slot.size, 1),))
            elif slot.start < head:
                pieces.append(self._rewrite("sum", (series,), axes=(0,)))
                places.append(((slot.start, slot.size, 1),))
        if by_input and body.inputs.size:
            inner = [s for s in results if s.start >= head]
            columns = tuple(split.series(results.index(s)) for s in inner)
            regions = tuple(((0, steps, 1), (s.start - head, s.size, 1)) for s in inner)
            by = self._rewrite("scatter", columns, shape=(steps, body.inputs.size), parts=regions)
            pieces.append(self._rewrite("reshape", (by,), shape=(steps * body.inputs.size,)))
            places.append(((head, steps * body.inputs.size, 1),))
        size = head + (steps * body.inputs.size if by_input else 0)
        return self._rewrite("scatter", tuple(pieces), shape=(size,), parts=tuple(places))

    def _pulled(self, cotangents: int, slot: Slot, whole: int, steps: int) -> Carried:
        """The cotangent of a component of the state: what the rows' own cotangents add to it.

        Often that is nothing, or something for the last state alone.
        """
        zero = self._rewrite("broadcast", (self.builder.literal(0.0),), shape=(slot.size,))
        column = self._column(cotangents, slot, whole, steps).ident
        if _is_zero(self.builder, column):
            return Carried(slot, zero, None)
        bounds = ((0, steps - 1, 1), (slot.start - whole, slot.size, 1))
        if steps > 1 and _is_zero(self.builder, self._rewrite("slice", (cotangents,), bounds=bounds)):
            return Carried(slot, self._row(column, steps - 1, slot.size), None)
        return Carried(slot, zero, column)

    def _part(self, vector: int, slot: Slot, offset: int = 0) -> int:
        return self._rewrite("slice", (vector,), bounds=((slot.start - offset, slot.size, 1),))

    def _shared(self, parameters: int, slot: Slot, offset: int) -> Known:
        return Known(self._part(parameters, slot, offset), False)

    def _column(self, rows: int, slot: Slot, offset: int, steps: int) -> Known:
        bounds = ((0, steps, 1), (slot.start - offset, slot.size, 1))
        if rows in self.builder.constants:
            # Prepared, its elements are side by side for loops over the steps.
            return Known(self.builder.prepare("slice", rows, bounds=bounds), True)
        return Known(self._rewrite("slice", (rows,), bounds=bounds), True)

    def _row(self, series: int, number: int, size: int) -> int:
        row = self._rewrite("slice", (series,), bounds=((number, 1, 1), (0, size, 1)))
        return self._rewrite("reshape", (row,), shape=(size,))

    def _rewrite(self, primitive: str, operands: tuple[int, ...], **static: object) -> int:
        return self.builder.rewrite(primitive, operands, static)


def _is_zero(builder: Simplifier, value: int) -> bool:
    equation = builder.equations.get(value)
    return (
        equation is not None
        and equation.primitive == "broadcast"
        and builder.literals.get(equation.operands[0], 1.0) == 0.0
    )
