"""The machine code of one fused loop: loads, elementwise arithmetic, reductions, scatters, stores."""

from __future__ import annotations

import math
from typing import NamedTuple

from exmc.compile.lower_elementwise import ELEMENTWISE
from exmc.compile.lower_frame import Frame, broadcast_strides
from exmc.compile.lower_places import index_operand, load_flat, put
from exmc.compile.lower_text import FLAGS, LONG, SUM_FLAGS, Memory, Register, Writer
from exmc.compile.schedule import LoopStep, Part
from exmc.compile.strides import contiguous

Access = tuple[str, int]
"""What is accessed, as a pair of a purpose and a value or part number."""


class Sweep(NamedTuple):
    """A reduction inside a loop: how its result advances, and its stack slot if it fits into one."""

    value: int
    place: Memory | None
    slot: str | None
    depth: int


INITIAL = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}


def combine(writer: Writer, primitive: str, total: Register, term: Register) -> Register:
    """One step of a reduction."""
    term = writer.real(term)
    if primitive in ("max", "min"):
        return writer.intrinsic("maximum" if primitive == "max" else "minimum", total, term)
    operation = f"fadd {SUM_FLAGS}" if primitive == "sum" else f"fmul {FLAGS}"
    return writer.value(f"{operation} double {total.name}, {term.name}")


class FusedLoop:
    """Emits the step of a schedule that is one pass over a domain."""

    def __init__(self, frame: Frame, step: LoopStep) -> None:
        self.frame, self.writer = frame, frame.writer
        self.domain = step.domain
        self.items = step.items
        self.parts = [i for i in step.items if isinstance(i, Part)]
        values = [i for i in step.items if not isinstance(i, Part)]
        roles = frame.schedule.roles
        self.reductions = [v for v in values if roles[v] == "reduction"]
        self.computed = [v for v in values if roles[v] == "loop" and v not in frame.schedule.repeated]
        self.strides: dict[Access, tuple[int, ...]] = {}
        self.places: dict[Access, Memory] = {}
        self.local: dict[int, Register] = {}
        self.inside = set(self.computed)

    def emit(self) -> None:
        """Write the loop."""
        if self._idle:
            return
        self._plan()
        extents = self._merge()
        sweeps = [self._begin(v, extents) for v in self.reductions]
        if 0 not in self.domain:
            self.writer.long_loop = extents[-1] >= LONG
            self._nest(extents, sweeps, [])
            self.writer.long_loop = False
        for sweep in sweeps:
            if sweep.slot is not None and sweep.depth == 0:
                self._finish(sweep, [])

    @property
    def _idle(self) -> bool:
        return not (self.parts or self.reductions or self.computed)

    # --- what is read and written, and how it advances --------------------------------------------------------

    def _plan(self) -> None:
        """Find every access, and load the scalars beforehand: a register defined in a loop is not known after it."""
        frame = self.frame
        for value in self.computed:
            self._plan_operands(value)
            if value in frame.schedule.stored:
                place = frame.buffers[value]
                self._access("store", value, self.domain, place._replace(strides=contiguous(self.domain)))
        for value in self.reductions:
            self._plan_value(frame.equations[value].operands[0])
            axes = frame.equations[value].static["axes"]
            kept = iter(contiguous(frame.shape(value)))
            self.strides["reduce", value] = tuple(0 if a in axes else next(kept) for a in range(len(self.domain)))
        for part in self.parts:
            self._plan_part(part)

    def _plan_part(self, part: Part) -> None:
        frame = self.frame
        equation = frame.equations[part.scatter]
        self._plan_value(equation.operands[part.number])
        place = frame.buffers[part.scatter]
        region = equation.static["parts"][part.number]
        if region is None:
            place = self._indices(index_operand(frame, part), part.scatter)
            self._access("index", part.number, self.domain, place, part.scatter)
            return
        bounds = list(zip(region, place.strides, strict=True))
        offset = sum(start * stride for (start, _, _), stride in bounds)
        strides = tuple(step * stride for (_, _, step), stride in bounds)
        target = place._replace(offset=place.offset + offset, strides=strides)
        self._access("part", part.number, self.domain, target, part.scatter)

    def _plan_operands(self, value: int) -> None:
        equation = self.frame.equations[value]
        if equation.primitive == "take":
            source, indices = equation.operands
            self.frame.memory(source)
            self._access("gather", value, self.frame.shape(indices), self._indices(indices, source))
            return
        for operand in equation.operands:
            self._plan_value(operand)
        if equation.primitive == "divide" and self._divides_by_scalar(value):
            self.frame.reciprocal(equation.operands[1])

    def _divides_by_scalar(self, value: int) -> bool:
        """Whether a quotient's divisor is one number for the whole loop that code must compute."""
        divisor = self.frame.equations[value].operands[1]
        return self.frame.shape(divisor) == () and divisor not in self.frame.tape.literals

    def _plan_value(self, value: int) -> None:
        frame = self.frame
        if value in self.inside or ("load", value) in self.places:
            return
        if frame.shape(value) == ():
            frame.scalar(value)
        elif value in frame.schedule.repeated and frame.shape(value) == self.domain:
            self._plan_operands(value)
        else:
            self._access("load", value, frame.shape(value), self._data(value))

    def _data(self, value: int) -> Memory:
        """Where a value that is loaded lies."""
        return self.frame.memory(value)

    def _indices(self, constant: int, target: int) -> Memory:
        """Where the indices into an array lie."""
        return self.frame.indices(constant, math.prod(self.frame.shape(target)))

    def _access(self, purpose: str, value: int, shape: tuple[int, ...], place: Memory, owner: int = -1) -> None:
        key = (purpose if owner < 0 else f"{purpose}{owner}", value)
        self.places[key] = place
        self.strides[key] = broadcast_strides(shape, place.strides, self.domain)

    def _merge(self) -> list[int]:
        """Drop axes of length 1, and merge neighbouring axes over which every access advances evenly."""
        axes = [a for a, n in enumerate(self.domain) if n != 1]
        extents = [self.domain[a] for a in axes]
        columns = [[s[a] for s in self.strides.values()] for a in axes]
        at = len(extents) - 2
        while at >= 0:
            if all(o == i * extents[at + 1] for o, i in zip(columns[at], columns[at + 1], strict=True)):
                extents[at : at + 2] = [extents[at] * extents[at + 1]]
                columns[at : at + 2] = [columns[at + 1]]
            at -= 1
        if not extents:
            extents, columns = [1], [[0] * len(self.strides)]
        for number, key in enumerate(self.strides):
            self.strides[key] = tuple(column[number] for column in columns)
        return extents

    # --- the nest -----------------------------------------------------------------------------------------------

    def _nest(self, extents: list[int], sweeps: list[Sweep], indices: list[str]) -> None:
        depth = len(indices)
        if depth == len(extents):
            self._body(sweeps, indices)
            return
        with self.writer.loop(extents[depth]) as index:
            inner = [*indices, index]
            for sweep in sweeps:
                if sweep.slot is not None and sweep.depth == depth + 1:
                    self._reset(sweep)
            self._nest(extents, sweeps, inner)
            for sweep in sweeps:
                if sweep.slot is not None and sweep.depth == depth + 1:
                    self._finish(sweep, inner)

    def _body(self, sweeps: list[Sweep], indices: list[str]) -> None:
        self.local = {}
        for value in self.computed:
            self._value(value, indices)
            if value in self.frame.schedule.stored:
                self.writer.store(self.local[value], self._address(("store", value), indices))
        for sweep in sweeps:
            self._sweep(sweep, indices)
        for part in self.parts:
            self._part(part, indices)

    def _address(self, key: Access, indices: list[str]) -> str:
        place = self.places[key]
        terms = list(zip(indices, self.strides[key], strict=True))
        return self.writer.address(place.base, place.offset, terms)

    def _element(self, key: Access, indices: list[str]) -> Register:
        return self.writer.element(self.places[key]._replace(strides=self.strides[key]), indices)

    def _number(self, key: Access, indices: list[str]) -> str:
        return self.writer.index(self.places[key]._replace(strides=self.strides[key]), indices)

    def _value(self, value: int, indices: list[str]) -> Register:
        """The value at the current index, in a register."""
        if value in self.local:
            return self.local[value]
        if ("load", value) in self.places:
            self.local[value] = self._element(("load", value), indices)
        elif self.frame.shape(value) == () and value not in self.inside:
            return self.frame.scalar(value)
        elif self.frame.equations[value].primitive == "take":
            self.local[value] = self._gather(value, indices)
        else:
            equation = self.frame.equations[value]
            if equation.primitive == "divide" and self._divides_by_scalar(value):
                dividend = self.writer.real(self._value(equation.operands[0], indices))
                reciprocal = self.frame.reciprocal(equation.operands[1])
                self.local[value] = self.writer.value(f"fmul {FLAGS} double {dividend.name}, {reciprocal.name}")
                return self.local[value]
            operands = [self._value(o, indices) for o in equation.operands]
            self.local[value] = ELEMENTWISE[equation.primitive](self.writer, *operands)
        return self.local[value]

    def _gather(self, value: int, indices: list[str]) -> Register:
        return load_flat(self.frame, self.frame.equations[value].operands[0], self._number(("gather", value), indices))

    def _part(self, part: Part, indices: list[str]) -> None:
        equation = self.frame.equations[part.scatter]
        term = self._value(equation.operands[part.number], indices)
        region = equation.static["parts"][part.number]
        if region is not None:
            put(self.frame, part, term, self._address((f"part{part.scatter}", part.number), indices))
            return
        self._add_at(part, term, self._number((f"index{part.scatter}", part.number), indices))

    def _add_at(self, part: Part, term: Register, number: str) -> None:
        place = self.frame.buffers[part.scatter]
        put(self.frame, part, term, self.writer.address(place.base, place.offset, [(number, 1)]))

    # --- reductions ------------------------------------------------------------------------------------------------

    def _begin(self, value: int, extents: list[int]) -> Sweep:
        strides = self.strides["reduce", value]
        primitive = self.frame.equations[value].primitive
        kept = [n for n, stride in enumerate(strides) if stride != 0]
        depth = len(kept)
        place = self.frame.buffers.get(value)
        if depth == 0 or (kept == list(range(depth)) and depth < len(extents) and 0 not in self.domain):
            sweep = Sweep(value, place, self.writer.alloca(), depth)
            if depth == 0:
                self._reset(sweep)
            return sweep
        assert place is not None
        count = math.prod(self.frame.shape(value))
        if count:
            self.writer.fill(place.base, place.offset, count, self.writer.number(INITIAL[primitive]))
        return Sweep(value, place, None, 0)

    def _reset(self, sweep: Sweep) -> None:
        assert sweep.slot is not None
        initial = INITIAL[self.frame.equations[sweep.value].primitive]
        self.writer.store(self.writer.number(initial), sweep.slot)

    def _sweep(self, sweep: Sweep, indices: list[str]) -> None:
        equation = self.frame.equations[sweep.value]
        term = self._value(equation.operands[0], indices)
        address = sweep.slot or self._result(sweep, indices)
        self.writer.store(combine(self.writer, equation.primitive, self.writer.load(address), term), address)

    def _finish(self, sweep: Sweep, indices: list[str]) -> None:
        assert sweep.slot is not None
        total = self.writer.load(sweep.slot)
        if self.frame.shape(sweep.value) == ():
            self.frame.registers[sweep.value] = total
        if sweep.place is not None:
            self.writer.store(total, self._result(sweep, indices))

    def _result(self, sweep: Sweep, indices: list[str]) -> str:
        assert sweep.place is not None
        terms = list(zip(indices, self.strides["reduce", sweep.value], strict=False))
        return self.writer.address(sweep.place.base, sweep.place.offset, terms)
