"""What of a scan's step depends on what, and so what its loop must do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from exmc.compile.affine import affine_step
from exmc.compile.lift import liftable
from exmc.compile.scan_step import Slot, Step, within


class Study:
    """A step, and for each of its values where it can be computed.

    Attributes
    ----------
    step
        With one output for each component of the state, perhaps others after them.
    states
        Where the components of the state lie in the step's arguments.
    known
        Where what is known beforehand lies there, and whether it varies from step to step.
    core
        The components of the state that only a loop can compute.
    needs, possible
        For each value: the components of the state it depends on; whether it can be had for all steps at once, given
        the states they went through.
    """

    def __init__(self, step: Step, states: Sequence[Slot], known: Mapping[Slot, bool], steps: int) -> None:
        self.step, self.states, self.known, self.steps = step, states, known, steps
        self.outputs = step.tape.outputs
        self.varying: set[int] = set()
        self.needs: dict[int, frozenset[int]] = {}
        self.possible: dict[int, bool] = {}
        for ident in (*step.tape.literals, *step.tape.constants):
            self.needs[ident], self.possible[ident] = frozenset(), True
        for value in (0, *step.equations):
            self._classify(value)
        self.core: Collection[int] = self._core()

    def affine(self) -> Study:
        """The same of the step with products with the state in its loop, if it is that and made of scalars."""
        if not self.core or any(s.size > 1 for s in self.states) or not all(self.possible[o] for o in self.outputs):
            return self
        elements = {}
        for value in (0, *self.step.equations):
            owner = self.owner_of(value)
            if isinstance(owner, int) and owner in self.core:
                elements[value] = owner
        tape = affine_step(self.step.tape, elements, tuple(self.core))
        return self if tape is None else Study(Step(tape), self.states, self.known, self.steps)

    def owner_of(self, value: int) -> int | Slot | None:
        """Of a slice of the arguments the component in which it lies: a number of the state's, or what is known."""
        place = self.step.place(value)
        if place is None:
            return None
        for number, state in enumerate(self.states):
            if within(place, state):
                return number
        return next((slot for slot in self.known if within(place, slot)), None)

    def _classify(self, value: int) -> None:
        owner = self.owner_of(value)
        if owner is not None:
            self.needs[value] = frozenset({owner}) if isinstance(owner, int) else frozenset()
            self.possible[value] = True
            if isinstance(owner, int) or self.known[owner]:
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
        numbers = range(len(self.states))
        reach = {k: set(self.needs[self.outputs[k]]) for k in numbers}
        for middle in numbers:
            for k in numbers:
                if middle in reach[k]:
                    reach[k] |= reach[middle]
        seeds = {k for k in numbers if k in reach[k] or not self.possible[self.outputs[k]]}
        # What an output needs that only the loop can compute is there, too.
        seeds = seeds.union(*(self.needs[o] for o in self.outputs if not self.possible[o]))
        return [k for k in numbers if k in seeds or (reach[k] & seeds and any(k in reach[s] for s in seeds))]

    def offset(self, number: int) -> int:
        """Where a component of the core lies in the loop's state."""
        return sum(self.states[k].size for k in self.core if k < number)

    def given(self, wanted: Iterable[int]) -> list[int]:
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
        return self.owner_of(value) in self.core

    def state_place(self, value: int) -> tuple[int, Slot]:
        """Of such a slice: the component's number, and where the slice lies in the loop's state."""
        place, number = self.step.place(value), self.owner_of(value)
        assert place is not None
        assert isinstance(number, int)
        return number, Slot(self.offset(number) + place.start - self.states[number].start, place.size)
