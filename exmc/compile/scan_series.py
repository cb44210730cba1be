"""One scan in one direction: what is made for all steps at once, before and after the loop that is left."""

from __future__ import annotations

import math
from typing import NamedTuple

from exmc.compile.lift import Known, lift, series_of
from exmc.compile.recurrence import Core, recurrence_loop
from exmc.compile.scan_core import CoreTape
from exmc.compile.scan_step import Slot, Step
from exmc.compile.scan_study import Study
from exmc.compile.simplify import Simplifier


class Carried(NamedTuple):
    """A component of the state: its value before the first step and, if any, what each step adds before it begins."""

    slot: Slot
    initial: int
    added: int | None


class Recurrence:
    """One scan in one direction, on its way into the tape around it."""

    def __init__(
        self,
        builder: Simplifier,
        step: Step,
        carried: list[Carried],
        known: dict[Slot, Known],
        steps: int,
        *,
        reverse: bool,
    ) -> None:
        self.builder, self.carried, self.known = builder, carried, known
        self.steps, self.reverse = steps, reverse
        varies = {slot: value.series for slot, value in known.items()}
        self.study = Study(step, [c.slot for c in carried], varies, steps).affine()
        self.lifted: dict[int, Known] = {}
        self.extras: dict[int, Slot] = {}
        self.rows: int | None = None
        if self.study.core or not all(self.study.possible[o] for o in self.study.outputs):
            self._emit()

    def series(self, output: int) -> int:
        """A component of the result for all steps: (steps, size)."""
        study, value = self.study, self.study.outputs[output]
        if output in study.core:
            return self._after(Slot(study.offset(output), self.carried[output].slot.size))
        if value in self.extras:
            return self._after(self.extras[value])
        return series_of(self.builder, self._value(value), study.step.shape(value), self.steps)

    def before(self, number: int) -> Known:
        """A component of the state before each step: (steps, size)."""
        carried = self.carried[number]
        size = carried.slot.size
        if number in self.study.core:
            found = self._span(Slot(self.study.offset(number), size), int(self.reverse))
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
        step = self.study.step
        if value in step.tape.literals:
            return Known(self.builder.literal(step.tape.literals[value]), False)
        if value in step.tape.constants:
            return Known(self.builder.constant(step.tape.constants[value]), False)
        place, owner = step.place(value), self.study.owner_of(value)
        if place is not None and owner is not None:
            slot = self.carried[owner].slot if isinstance(owner, int) else owner
            known = self.before(owner) if isinstance(owner, int) else self.known[owner]
            inner = ((place.start - slot.start, place.size, 1),)
            bounds = ((0, self.steps, 1), *inner) if known.series else inner
            return Known(self._rewrite("slice", (known.ident,), bounds=bounds), known.series)
        equation = step.equations[value]
        return lift(self.builder, step.tape, equation, tuple(self._value(o) for o in equation.operands), self.steps)

    def _emit(self) -> None:
        """The loop."""
        study = self.study
        states = sum(self.carried[k].slot.size for k in study.core)
        width = states
        for value in (o for n, o in enumerate(study.outputs) if n not in study.core and not study.possible[o]):
            self.extras[value] = Slot(width, study.step.shape(value)[0])
            width += self.extras[value].size
        wanted = [*(study.outputs[k] for k in study.core), *self.extras]
        given = study.given(wanted)
        uniform, series = ([v for v in given if self._value(v).series is s] for s in (False, True))
        added = {k: a for k in study.core if (a := self.carried[k].added) is not None}
        tape = CoreTape(study, [*uniform, *series], list(added)).run(wanted)
        start = self._start(states)
        core = Core(tape, self.steps, states, len(uniform), self.reverse)
        columns = [self._value(v).ident for v in (*uniform, *series)]
        self.rows = self.builder.apply("recurrence", start, *columns, *added.values(), loop=recurrence_loop(core))
        for number in study.core:
            self._remember(study.outputs[number], self.series(number))

    def _start(self, states: int) -> int:
        """The loop's first state."""
        if not states:
            return self._rewrite("broadcast", (self.builder.literal(0.0),), shape=(0,))
        parts = tuple(self.carried[k].initial for k in self.study.core)
        places = tuple(((self.study.offset(k), self.carried[k].slot.size, 1),) for k in self.study.core)
        return self._rewrite("scatter", parts, shape=(states,), parts=places)

    def _remember(self, value: int, series: int) -> None:
        """The loop has made a value of each step, and what it is a reshape of."""
        self.lifted[value] = Known(series, True)
        equation = self.study.step.equations.get(value)
        if equation is not None and equation.primitive in ("reshape", "broadcast"):
            (source,) = equation.operands
            shape = self.study.step.shape(source)
            if math.prod(shape) == math.prod(self.study.step.shape(value)):
                self._remember(source, self._rewrite("reshape", (series,), shape=(self.steps, *shape)))

    def _after(self, slot: Slot) -> int:
        return self._span(slot, 1 - int(self.reverse))

    def _span(self, slot: Slot, first: int) -> int:
        assert self.rows is not None
        return self._rewrite("slice", (self.rows,), bounds=((first, self.steps, 1), (slot.start, slot.size, 1)))

    def _rewrite(self, primitive: str, operands: tuple[int, ...], **static: object) -> int:
        return self.builder.rewrite(primitive, operands, static)
