"""The tape of what a recurrence does in each step."""

from __future__ import annotations

from exmc.compile.scan_step import Slot
from exmc.compile.scan_study import Study
from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Tape


class CoreTape:
    """Builds that tape: a function of the loop's state, the `given` values, and what is `added` to components of it."""

    def __init__(self, study: Study, given: list[int], added: list[int]) -> None:
        self.study, self.tape = study, study.step.tape
        self.places: dict[int, Slot] = {}
        self.added: dict[int, Slot] = {}
        size = sum(study.states[k].size for k in study.core)
        for value in given:
            self.places[value] = Slot(size, self.tape.types[value].size)
            size += self.places[value].size
        for number in added:
            self.added[number] = Slot(size, study.states[number].size)
            size += self.added[number].size
        self.builder = Simplifier(size)
        self.made: dict[int, int] = {}

    def run(self, wanted: list[int]) -> Tape:
        """The tape whose output is the wanted values, one after the other."""
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
        if self.study.is_state(value):
            number, place = self.study.state_place(value)
            vector = self._slice(place)
            if number in self.added:
                shift = place.start - self.study.offset(number)
                added = self._slice(Slot(self.added[number].start + shift, place.size))
                vector = self.builder.apply("add", vector, added)
            return vector
        equation = self.study.step.equations[value]
        return self.builder.apply(equation.primitive, *(self._inside(o) for o in equation.operands), **equation.static)

    def _slice(self, place: Slot) -> int:
        return self.builder.apply("slice", 0, bounds=((place.start, place.size, 1),))
