"""Splits scans into what depends on the carry, done step by step, and all else, done for all steps at once.

Only the recurrence itself stays in a loop of scalar code. What it needs of inputs and parameters is made beforehand and
what follows from the states it went through afterwards, both in fused loops over the steps that can be vectorised; and
the reverse loop finds most of its work done, as it knows the states.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import numpy as np

from exmc.compile.affine import affine_step
from exmc.compile.elements import Elements, is_small
from exmc.compile.lift import Known, lift, liftable, series_of
from exmc.compile.primitives import Array
from exmc.compile.recurrence import Core, recurrence_loop
from exmc.compile.scan_body import Body, Packing
from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Equation, Tape, TapeBuilder

SCAN_PRIMITIVES = ("scan_rows", "scan_reverse")


def split_scans(tape: Tape) -> Tape:
    """The same program, with recurrences in place of scans."""
    while any(e.primitive in SCAN_PRIMITIVES for e in tape.equations):
        tape = _Splitter(tape).run()
    return tape


class Slot(NamedTuple):
    """Where a component lies in a vector."""

    start: int
    size: int


class _Carried(NamedTuple):
    """A component of the state: its value before the first step and, if any, what each step adds before it begins."""

    slot: Slot
    initial: int
    added: int | None


def _slots(body: Body, start: int, *packings: Packing) -> list[Slot]:
    """The places of arrays that are packed one after the other; of their elements if the step is that small."""
    sizes = [math.prod(shape) for packing in packings for shape in packing.shapes]
    if _by_elements(body):
        sizes = [1] * sum(sizes)
    starts = itertools.accumulate(sizes, initial=start)
    return [Slot(first, size) for first, size in zip(starts, sizes, strict=False) if size]


def _by_elements(body: Body) -> bool:
    return all(is_small(tape) for tape in body.tapes.values())


class _Splitter:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.builder = Simplifier(tape.dimension)
        self.known: dict[int, int] = {0: 0}
        self.states: dict[int, list[Known]] = {}
        """By the result of a forward scan: its state before each step."""

    def run(self) -> Tape:
        for ident, value in self.tape.literals.items():
            self.known[ident] = self.builder.literal(value)
        for ident, array in self.tape.constants.items():
            self.known[ident] = self.builder.constant(array)
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
        carried = [_Carried(s, self._part(start, s), None) for s in _slots(body, 0, body.carry)]
        known = {s: self._shared(parameters, s, states) for s in _slots(body, states, body.parameters)}
        known |= {s: self._column(inputs, s, states + shared, steps) for s in _slots(body, states + shared, body.inputs)}
        results = _slots(body, 0, body.carry, body.outputs)
        step = _step(body, "forward", [*(c.slot for c in carried), *known], results)
        split = _Recurrence(self.builder, step, carried, known, steps, reverse=False)
        self.states[equation.result] = [split.before(k) for k in range(len(carried))]
        columns = tuple(split.series(k) for k in range(len(results)))
        places = tuple(((0, steps, 1), (slot.start, slot.size, 1)) for slot in results)
        return self._rewrite("scatter", columns, shape=(steps, body.width), parts=places)

    def _reverse(self, equation: Equation) -> int:
        """The cotangents of start, parameters and perhaps inputs, one after the other."""
        loop = equation.static["loop"]
        body: Body = loop.body
        start, parameters, inputs, _, cotangents = (self.known[o] for o in equation.operands)
        steps = self.tape.types[equation.operands[2]].shape[0]
        states, shared = body.carry.size, body.parameters.size
        head = states + shared
        whole = head + body.inputs.size
        known = dict(zip(_slots(body, 0, body.carry), self.states[equation.operands[3]], strict=True))
        known |= {s: self._shared(parameters, s, states) for s in _slots(body, states, body.parameters)}
        known |= {s: self._column(inputs, s, head, steps) for s in _slots(body, head, body.inputs)}
        known |= {s: self._column(cotangents, s, whole, steps) for s in _slots(body, whole + states, body.outputs)}
        carried = [self._pulled(cotangents, s, whole, steps) for s in _slots(body, whole, body.carry)]
        by_input = [body.inputs] if loop.name == "reverse all" else []
        results = _slots(body, 0, body.carry, body.parameters, *by_input)
        step = _step(body, loop.name, [*(c.slot for c in carried), *known], results)
        split = _Recurrence(self.builder, step, carried, known, steps, reverse=True)
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

    def _pulled(self, cotangents: int, slot: Slot, whole: int, steps: int) -> _Carried:
        """The cotangent of a component of the state: what the rows' own cotangents add to it.

        Often that is nothing, or something for the last state alone.
        """
        zero = self._rewrite("broadcast", (self.builder.literal(0.0),), shape=(slot.size,))
        column = self._column(cotangents, slot, whole, steps).ident
        if _is_zero(self.builder, column):
            return _Carried(slot, zero, None)
        bounds = ((0, steps - 1, 1), (slot.start - whole, slot.size, 1))
        if steps > 1 and _is_zero(self.builder, self._rewrite("slice", (cotangents,), bounds=bounds)):
            return _Carried(slot, self._row(column, steps - 1, slot.size), None)
        return _Carried(slot, zero, column)

    def _part(self, vector: int, slot: Slot, offset: int = 0) -> int:
        return self._rewrite("slice", (vector,), bounds=((slot.start - offset, slot.size, 1),))

    def _shared(self, parameters: int, slot: Slot, offset: int) -> Known:
        return Known(self._part(parameters, slot, offset), False)

    def _column(self, rows: int, slot: Slot, offset: int, steps: int) -> Known:
        array, start = self.builder.constants.get(rows), slot.start - offset
        if array is not None:
            # Side by side for loops over the steps.
            column = partial(_columns, array, slot._replace(start=start))
            return Known(self.builder.derived((array, "columns", start, slot.size), column), True)
        bounds = ((0, steps, 1), (slot.start - offset, slot.size, 1))
        return Known(self._rewrite("slice", (rows,), bounds=bounds), True)

    def _row(self, series: int, number: int, size: int) -> int:
        row = self._rewrite("slice", (series,), bounds=((number, 1, 1), (0, size, 1)))
        return self._rewrite("reshape", (row,), shape=(size,))

    def _rewrite(self, primitive: str, operands: tuple[int, ...], **static: object) -> int:
        return self.builder.rewrite(primitive, operands, static)


def _columns(array: Array, slot: Slot) -> Array:
    return np.ascontiguousarray(array[:, slot.start : slot.start + slot.size])


def _is_zero(builder: Simplifier, value: int) -> bool:
    equation = builder.equations.get(value)
    return equation is not None and equation.primitive == "broadcast" and builder.literals.get(
        equation.operands[0], 1.0
    ) == 0.0


class _Step:
    """The tape of a step whose arguments are used, and whose results are given, component by component."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.equations = {e.result: e for e in tape.equations}

    def place(self, value: int) -> Slot | None:
        """Where a slice of the step's arguments lies in them, or None for another value."""
        if value == 0:
            return Slot(0, self.tape.dimension)
        equation = self.equations.get(value)
        if equation is None or equation.primitive != "slice" or equation.operands != (0,):
            return None
        ((start, size, step),) = equation.static["bounds"]
        return Slot(start, size) if step == 1 else None

    def shape(self, value: int) -> tuple[int, ...]:
        return self.tape.types[value].shape


def _step(body: Body, name: str, arguments: list[Slot], results: list[Slot]) -> _Step:
    """A step with an output for each component of its result."""
    tape = body.tape(name)
    builder = Simplifier(tape.dimension)
    if _by_elements(body):
        (numbers,) = Elements(builder, tape).run()
        reals = [builder.rewrite("to_float", (numbers[slot.start],), {}) for slot in results]
        parts = [builder.rewrite("reshape", (real,), {"shape": (1,)}) for real in reals]
    else:
        whole = _from_components(builder, tape, arguments)
        parts = [builder.rewrite("slice", (whole,), {"bounds": ((s.start, s.size, 1),)}) for s in results]
    return _Step(builder.finish(tuple(parts)))


def _from_components(builder: Simplifier, tape: Tape, arguments: list[Slot]) -> int:
    """The result of a step whose argument is put together from its components."""
    bounds = tuple(((s.start, s.size, 1),) for s in arguments)
    slices = tuple(builder.rewrite("slice", (0,), {"bounds": b}) for b in bounds)
    number = {0: builder.rewrite("scatter", slices, {"shape": (tape.dimension,), "parts": bounds})}
    for ident, value in tape.literals.items():
        number[ident] = builder.literal(value)
    for ident, array in tape.constants.items():
        number[ident] = builder.constant(array)
    for e in tape.equations:
        number[e.result] = builder.rewrite(e.primitive, tuple(number[o] for o in e.operands), e.static)
    return number[tape.outputs[0]]


class _Recurrence:
    """One scan in one direction, on its way into the tape around it."""

    def __init__(
        self,
        builder: Simplifier,
        step: _Step,
        carried: list[_Carried],
        known: dict[Slot, Known],
        steps: int,
        *,
        reverse: bool,
    ) -> None:
        self.builder, self.carried, self.slots = builder, carried, known
        self.steps, self.reverse = steps, reverse
        self._study(step)
        if (tape := self._affine()) is not None:
            self._study(_Step(tape))
        self.lifted: dict[int, Known] = {}
        self.extras: dict[int, Slot] = {}
        self.rows: int | None = None
        if self.core or not all(self.possible[o] for o in self.outputs):
            self._emit()

    # --- what depends on what --------------------------------------------------------------------------------------

    def _study(self, step: _Step) -> None:
        """Find out what depends on what."""
        self.step, self.outputs = step, step.tape.outputs
        self.varying: set[int] = set()
        self.needs: dict[int, frozenset[int]] = {}
        self.possible: dict[int, bool] = {}
        for ident in (*step.tape.literals, *step.tape.constants):
            self.needs[ident], self.possible[ident] = frozenset(), True
        for value in (0, *step.equations):
            self._classify(value)
        self.core = self._core()

    def _affine(self) -> Tape | None:
        """The step with what the loop does as products with its state, if it is that and made of scalars."""
        if not self.core or any(c.slot.size > 1 for c in self.carried) or not all(map(self.possible.get, self.outputs)):
            return None
        states = {}
        for value in (0, *self.step.equations):
            place = self.step.place(value)
            owner = self._owner(place) if place is not None else None
            if isinstance(owner, int) and owner in self.core:
                states[value] = owner
        return affine_step(self.step.tape, states, tuple(self.core))

    def _owner(self, place: Slot) -> int | Slot | None:
        """The component in which a slice of the arguments lies: a number of the state's, or what is known."""
        for number, carried in enumerate(self.carried):
            if _within(place, carried.slot):
                return number
        return next((slot for slot in self.slots if _within(place, slot)), None)

    def _classify(self, value: int) -> None:
        """Which components of the state a value needs, whether it varies, whether it can be had for all steps."""
        place = self.step.place(value)
        owner = self._owner(place) if place is not None else None
        if owner is not None:
            self.needs[value] = frozenset({owner}) if isinstance(owner, int) else frozenset()
            self.possible[value] = True
            if isinstance(owner, int) or self.slots[owner].series:
                self.varying.add(value)
        elif value in self.step.equations:
            equation = self.step.equations[value]
            self.needs[value] = frozenset().union(*(self.needs[o] for o in equation.operands))
            if any(o in self.varying for o in equation.operands):
                self.varying.add(value)
            able = value not in self.varying or liftable(self.step.tape, equation, self.steps)
            self.possible[value] = able and all(self.possible[o] for o in equation.operands)

    def _core(self) -> list[int]:
        """The components that need themselves, those between them, and those that only a loop can compute."""
        numbers = range(len(self.carried))
        reach = {k: set(self.needs[self.outputs[k]]) for k in numbers}
        for middle in numbers:
            for k in numbers:
                if middle in reach[k]:
                    reach[k] |= reach[middle]
        seeds = {k for k in numbers if k in reach[k] or not self.possible[self.outputs[k]]}
        # What an output needs that only the loop can compute is there, too.
        seeds = seeds.union(*(self.needs[o] for o in self.outputs if not self.possible[o]))
        return [k for k in numbers if k in seeds or (reach[k] & seeds and any(k in reach[s] for s in seeds))]

    # --- values in the tape around ---------------------------------------------------------------------------------

    def series(self, output: int) -> int:
        """A component of the result for all steps: (steps, size)."""
        value = self.outputs[output]
        if output in self.core:
            return self._after(Slot(self.offset(output), self.carried[output].slot.size))
        if value in self.extras:
            return self._after(self.extras[value])
        return series_of(self.builder, self._value(value), self.step.shape(value), self.steps)

    def before(self, number: int) -> Known:
        """A component of the state before each step: (steps, size)."""
        carried = self.carried[number]
        size = carried.slot.size
        if number in self.core:
            found = self._span(Slot(self.offset(number), size), int(self.reverse))
        else:
            found = self._delayed(number)
        if carried.added is not None:
            found = self._rewrite("add", (found, carried.added))
        return Known(found, True)

    def _delayed(self, number: int) -> int:
        """The initial state, then what each step but the last makes of it."""
        initial, size = self.carried[number].initial, self.carried[number].slot.size
        first = self._rewrite("reshape", (initial,), shape=(1, size))
        if self.steps == 1:
            return first
        rest = self._rewrite(
            "slice", (self.series(number),), bounds=((int(self.reverse), self.steps - 1, 1), (0, size, 1))
        )
        ends = ((0, 1, 1), (1, self.steps - 1, 1))
        if self.reverse:
            ends = ((self.steps - 1, 1, 1), (0, self.steps - 1, 1))
        parts = tuple((end, (0, size, 1)) for end in ends)
        return self._rewrite("scatter", (first, rest), shape=(self.steps, size), parts=parts)

    def _value(self, value: int) -> Known:
        """A value of the step's tape, of all steps or the same in each."""
        if value not in self.lifted:
            self.lifted[value] = self._found(value)
        return self.lifted[value]

    def _found(self, value: int) -> Known:
        tape = self.step.tape
        if value in tape.literals:
            return Known(self.builder.literal(tape.literals[value]), False)
        if value in tape.constants:
            return Known(self.builder.constant(tape.constants[value]), False)
        place = self.step.place(value)
        owner = self._owner(place) if place is not None else None
        if place is not None and owner is not None:
            slot = self.carried[owner].slot if isinstance(owner, int) else owner
            known = self.before(owner) if isinstance(owner, int) else self.slots[owner]
            inner = ((place.start - slot.start, place.size, 1),)
            bounds = ((0, self.steps, 1), *inner) if known.series else inner
            return Known(self._rewrite("slice", (known.ident,), bounds=bounds), known.series)
        equation = self.step.equations[value]
        return lift(self.builder, tape, equation, tuple(self._value(o) for o in equation.operands), self.steps)

    # --- the loop --------------------------------------------------------------------------------------------------

    def offset(self, number: int) -> int:
        """Where a component of the core lies in its state."""
        return sum(self.carried[k].slot.size for k in self.core[: self.core.index(number)])

    def _emit(self) -> None:
        states = sum(self.carried[k].slot.size for k in self.core)
        others = [o for n, o in enumerate(self.outputs) if n not in self.core and not self.possible[o]]
        width = states
        for value in dict.fromkeys(others):
            self.extras[value] = Slot(width, self.step.shape(value)[0])
            width += self.extras[value].size
        wanted = [*(self.outputs[k] for k in self.core), *self.extras]
        given = self._given(wanted)
        uniform, series = (tuple(v for v in given if self._value(v).series is s) for s in (False, True))
        added = [a for k in self.core if (a := self.carried[k].added) is not None]
        tape = _CoreTape(self, states, (*uniform, *series)).run(wanted)
        start = self._packed([self.carried[k].initial for k in self.core], states)
        core = Core(split_scans(tape), self.steps, states, len(uniform), self.reverse)
        columns = [self._value(v).ident for v in (*uniform, *series)]
        self.rows = self.builder.apply("recurrence", start, *columns, *added, loop=recurrence_loop(core))
        for number in self.core:
            self._remember(self.outputs[number], self.series(number))

    def _remember(self, value: int, series: int) -> None:
        """The loop has made a value of each step, and what it is a reshape of."""
        self.lifted[value] = Known(series, True)
        equation = self.step.equations.get(value)
        if equation is not None and equation.primitive in ("reshape", "broadcast"):
            (source,) = equation.operands
            shape = self.step.shape(source)
            if math.prod(shape) == math.prod(self.step.shape(value)):
                self._remember(source, self._rewrite("reshape", (series,), shape=(self.steps, *shape)))

    def _given(self, wanted: Iterable[int]) -> list[int]:
        """The values that the loop finds made."""
        found: dict[int, None] = {}
        seen: set[int] = set()
        stack = list(wanted)
        while stack:
            value = stack.pop()
            if value in seen or value in self.step.tape.literals or value in self.step.tape.constants:
                continue
            seen.add(value)
            if self.outside(value):
                found[value] = None
            elif not self.is_state(value):
                stack += self.step.equations[value].operands
        return list(found)

    def outside(self, value: int) -> bool:
        """Whether a value is made outside the loop."""
        return self.possible[value] and not self.needs[value] & set(self.core)

    def is_state(self, value: int) -> bool:
        """Whether a value is a slice of a component of the loop's state."""
        place = self.step.place(value)
        return place is not None and self._owner(place) in self.core

    def state_place(self, value: int) -> tuple[int, Slot]:
        """Of such a slice: the component's number, and where the slice lies in the loop's state."""
        place = self.step.place(value)
        number = self._owner(place) if place is not None else None
        assert place is not None and isinstance(number, int)
        return number, Slot(self.offset(number) + place.start - self.carried[number].slot.start, place.size)

    def _packed(self, parts: list[int], size: int) -> int:
        starts = [self.offset(k) for k in self.core]
        places = tuple(((s, self.carried[k].slot.size, 1),) for s, k in zip(starts, self.core, strict=True))
        return self._rewrite("scatter", tuple(parts), shape=(size,), parts=places)

    def _after(self, slot: Slot) -> int:
        return self._span(slot, 1 - int(self.reverse))

    def _span(self, slot: Slot, first: int) -> int:
        assert self.rows is not None
        return self._rewrite("slice", (self.rows,), bounds=((first, self.steps, 1), (slot.start, slot.size, 1)))

    def _rewrite(self, primitive: str, operands: tuple[int, ...], **static: object) -> int:
        return self.builder.rewrite(primitive, operands, static)


def _within(inner: Slot, outer: Slot) -> bool:
    return outer.start <= inner.start and inner.start + inner.size <= outer.start + outer.size


class _CoreTape:
    """Builds the tape of what a loop does in each step."""

    def __init__(self, split: _Recurrence, states: int, given: tuple[int, ...]) -> None:
        self.split, self.tape = split, split.step.tape
        self.places: dict[int, Slot] = {}
        self.added: dict[int, Slot] = {}
        size = states
        for value in given:
            self.places[value] = Slot(size, self.tape.types[value].size)
            size += self.places[value].size
        for number in split.core:
            if split.carried[number].added is not None:
                self.added[number] = Slot(size, split.carried[number].slot.size)
                size += self.added[number].size
        self.builder: TapeBuilder = Simplifier(size)
        self.made: dict[int, int] = {}

    def run(self, wanted: list[int]) -> Tape:
        values = [self._inside(v) for v in wanted]
        places, start = [], 0
        for value in wanted:
            places.append(((start, self.tape.types[value].size, 1),))
            start += self.tape.types[value].size
        whole = self.builder.apply("scatter", *values, shape=(start,), parts=tuple(places))
        return self.builder.finish((whole,))

    def _inside(self, value: int) -> int:
        if value not in self.made:
            self.made[value] = self._make(value)
        return self.made[value]

    def _make(self, value: int) -> int:
        if value in self.tape.literals:
            return self.builder.literal(self.tape.literals[value])
        if value in self.tape.constants:
            return self.builder.constant(self.tape.constants[value])
        if value in self.places:
            vector = self._slice(self.places[value])
            return self.builder.apply("reshape", vector, shape=self.tape.types[value].shape)
        if self.split.is_state(value):
            number, place = self.split.state_place(value)
            vector = self._slice(place)
            if number in self.added:
                shift = place.start - self.split.offset(number)
                added = self._slice(Slot(self.added[number].start + shift, place.size))
                vector = self.builder.apply("add", vector, added)
            return vector
        equation = self.split.step.equations[value]
        return self.builder.apply(
            equation.primitive, *(self._inside(o) for o in equation.operands), **equation.static
        )

    def _slice(self, place: Slot) -> int:
        return self.builder.apply("slice", 0, bounds=((place.start, place.size, 1),))
