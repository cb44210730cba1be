"""One step of a scan component by component: small ones element by element."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from exmc.compile.elements import Elements, is_small
from exmc.compile.scan_body import Body, Packing
from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Tape


class Slot(NamedTuple):
    """Where a component lies in a vector."""

    start: int
    size: int


def within(inner: Slot, outer: Slot) -> bool:
    """Whether one place lies in another."""
    return outer.start <= inner.start and inner.start + inner.size <= outer.start + outer.size


def slots_of(body: Body, start: int, *packings: Packing) -> list[Slot]:
    """The places of arrays that are packed one after the other; of their elements if the step is that small."""
    sizes = [math.prod(shape) for packing in packings for shape in packing.shapes]
    if by_elements(body):
        sizes = [1] * sum(sizes)
    starts = itertools.accumulate(sizes, initial=start)
    return [Slot(first, size) for first, size in zip(starts, sizes, strict=False) if size]


def by_elements(body: Body) -> bool:
    """Whether the step, forward and in reverse, is small enough to be written out by elements."""
    body.tape("forward")
    return all(is_small(tape) for tape in body.tapes.values())


class Step:
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
        """The shape of a value."""
        return self.tape.types[value].shape


def step_of(body: Body, name: str, arguments: list[Slot], results: list[Slot]) -> Step:
    """A step with an output for each component of its result."""
    tape = body.tape(name)
    builder = Simplifier(tape.dimension)
    if by_elements(body):
        (numbers,) = Elements(builder, tape).run()
        reals = [builder.rewrite("to_float", (numbers[slot.start],), {}) for slot in results]
        parts = [builder.rewrite("reshape", (real,), {"shape": (1,)}) for real in reals]
    else:
        whole = _from_components(builder, tape, arguments)
        parts = [builder.rewrite("slice", (whole,), {"bounds": ((s.start, s.size, 1),)}) for s in results]
    return Step(builder.finish(tuple(parts)))


def _from_components(builder: Simplifier, tape: Tape, arguments: list[Slot]) -> int:
    """The result of a step whose argument is put together from its components."""
    bounds = tuple(((s.start, s.size, 1),) for s in arguments)
    slices = tuple(builder.rewrite("slice", (0,), {"bounds": b}) for b in bounds)
    number = builder.adopt(tape)
    number[0] = builder.rewrite("scatter", slices, {"shape": (tape.dimension,), "parts": bounds})
    for e in tape.equations:
        number[e.result] = builder.rewrite(e.primitive, tuple(number[o] for o in e.operands), e.static)
    return number[tape.outputs[0]]
