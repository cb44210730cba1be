"""Where each value of a tape lives in the machine code: registers, the workspace, the results, the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from exmc.compile.lower_text import FLAGS, Memory, Register, Writer
from exmc.compile.packing import Layout, Packing
from exmc.compile.schedule import Schedule
from exmc.compile.strides import array_strides, contiguous, renamed_strides, view_strides
from exmc.compile.tape import Equation, Tape

_ALIGNMENT = 8
"""Buffers start at whole cache lines, in doubles."""

NARROW = 2**15
"""Data of so many elements leave the nearest cache, and are kept in the smallest dtype that holds them."""


class Embedded(NamedTuple):
    """The code of another tape in the same module: its function, scratch memory and place in the pointer table."""

    name: str
    frame: Frame
    scratch: Memory

    @property
    def mark(self) -> str:
        """Stands for the function's place in the pointer table until the tables before it are complete."""
        return f"@{self.name}.pointers@"

    def call(self, writer: Writer, position: str, results: str) -> None:
        """Run it: both arguments are the names of pointers."""
        table = writer.value(f"getelementptr inbounds i64, ptr %pointers, i64 {self.mark}", "ptr").name
        scratch = writer.address(self.scratch.base, self.scratch.offset, [])
        writer.line(f"call double @{self.name}(ptr {position}, ptr {results}, ptr {scratch}, ptr {table})")


@dataclass(slots=True)
class Frame:
    """The state of lowering one tape.

    Attributes
    ----------
    registers
        Scalars computed so far.
    buffers
        Where arrays that are computed live.
    layouts
        The constants the code refers to, in the order of the pointer table; entry 0 of that table is the array of all
        scalar constants.
    covered
        Scatters that write each element exactly once, so that storing will do for adding.
    """

    tape: Tape
    schedule: Schedule
    writer: Writer
    equations: dict[int, Equation]
    registers: dict[int, Register] = field(default_factory=dict)
    reciprocals: dict[int, Register] = field(default_factory=dict)
    buffers: dict[int, Memory] = field(default_factory=dict)
    layouts: dict[Layout, str] = field(default_factory=dict)
    scalars: dict[int, int] = field(default_factory=dict)
    pointers: list[str] = field(default_factory=list)
    covered: set[int] = field(default_factory=set)
    workspace_size: int = 0
    emit: Callable[[Tape, Writer], Frame] | None = None
    embedded: list[Embedded] = field(default_factory=list)

    def embed(self, tape: Tape) -> Embedded:
        """The code of a tape that writes all its outputs, as a function of this module."""
        assert self.emit is not None
        name = f"exmc_body{len(self.writer.declarations)}"
        self.writer.declarations[name] = ""
        inner = self.emit(tape, self.writer.inner())
        self.writer.declarations[name] = inner.writer.body(name)
        embedded = Embedded(name, inner, self.scratch((inner.workspace_size,)))
        self.embedded.append(embedded)
        return embedded

    def link(self) -> None:
        """Say in the code where the pointer tables of embedded functions begin: after our own, in order."""
        place = 1 + len(self.layouts)
        for embedded in self.embedded:
            self.writer.lines = [line.replace(embedded.mark, str(place)) for line in self.writer.lines]
            place += embedded.frame.packing().entries

    def shape(self, value: int) -> tuple[int, ...]:
        """The shape of a value."""
        return self.tape.types[value].shape

    def allocate(self, value: int, result_offset: int | None = None) -> None:
        """Give a value a buffer: in the results at an offset, or in the workspace."""
        shape, equation = self.shape(value), self.equations.get(value)
        strides = contiguous(shape) if equation is None else array_strides(equation, shape)
        if result_offset is not None and strides == contiguous(shape):
            self.buffers[value] = Memory("%results", result_offset, strides)
        else:
            self.buffers[value] = self.scratch(shape)._replace(strides=strides)

    def scratch(self, shape: tuple[int, ...]) -> Memory:
        """An array in the workspace."""
        place = Memory("%workspace", self.workspace_size, contiguous(shape))
        size = max(int(np.prod(shape, dtype=np.int64)), 1)
        self.workspace_size += -(-size // _ALIGNMENT) * _ALIGNMENT
        return place

    def memory(self, value: int) -> Memory:
        """Where an array is: computed, the position, data, or a view of one of these."""
        if value in self.buffers:
            return self.buffers[value]
        if value == 0:
            return Memory("%position", 0, (1,))
        if value in self.tape.constants or value in self.tape.literals:
            return self.data(value)
        equation = self.equations[value]
        source = self.memory(equation.operands[0])
        view = self._view(equation, source)
        self.buffers[value] = view
        return view

    def _view(self, equation: Equation, source: Memory) -> Memory:
        static = equation.static
        if equation.primitive == "reshape":
            shapes = self.shape(equation.operands[0]), self.shape(equation.result)
            renamed = renamed_strides(shapes[0], source.strides, shapes[1])
            if renamed is not None:
                return source._replace(strides=renamed)
            return source._replace(strides=contiguous(self.shape(equation.result)))
        strides = view_strides(equation, source.strides)
        if equation.primitive == "transpose":
            return source._replace(strides=strides)
        assert equation.primitive == "slice", equation
        offset = sum(start * stride for (start, _, _), stride in zip(static["bounds"], source.strides, strict=True))
        return source._replace(offset=source.offset + offset, strides=strides)

    def data(self, constant: int, order: tuple[int, ...] | None = None, sorted_by: int | None = None) -> Memory:
        """A constant in memory, its axes laid out in the given order (outermost first)."""
        shape = self.shape(constant)
        order = tuple(range(len(shape))) if order is None else order
        arrangement = () if sorted_by is None else ("sorted", sorted_by)
        dtype = self._narrowest(constant)
        name = self._pointer(Layout(constant, dtype, order, arrangement))
        inner = contiguous(tuple(shape[axis] for axis in order))
        strides = tuple(inner[order.index(axis)] for axis in range(len(shape)))
        return Memory(name, 0, strides, constant=True, dtype=dtype)

    def indices(self, constant: int, size: int, sorted_by: int | None = None) -> Memory:
        """A constant of flat indices into an array of `size` elements."""
        shape = self.shape(constant)
        dtype = index_dtype(size)
        arrangement = () if sorted_by is None else ("sorted", sorted_by)
        name = self._pointer(Layout(constant, dtype, tuple(range(len(shape))), arrangement))
        return Memory(name, 0, contiguous(shape), constant=True, dtype=dtype)

    def starts(self, constant: int, groups: int) -> Memory:
        """Where each group of a sorted index begins and ends: shape (groups + 1,)."""
        dtype = index_dtype(self.tape.types[constant].size + 1)
        name = self._pointer(Layout(constant, dtype, (0,), ("starts", groups)))
        return Memory(name, 0, (1,), constant=True, dtype=dtype)

    def tiles(self, matrix: int, axis: int, size: int) -> Memory:
        """A matrix in tiles of `size` rows, of shape (tiles, columns, size); `axis` numbers its rows."""
        columns = self.shape(matrix)[1 - axis]
        dtype = self._narrowest(matrix)
        name = self._pointer(Layout(matrix, dtype, (axis, 1 - axis), ("tiles", size)))
        return Memory(name, 0, (columns * size, size, 1), constant=True, dtype=dtype)

    def _narrowest(self, constant: int) -> str:
        data = self.tape.constants.get(constant)
        return "float64" if data is None or data.size < NARROW else data.ask("narrowest")

    def _pointer(self, layout: Layout) -> str:
        if layout not in self.layouts:
            name = f"%data{len(self.layouts)}"
            self.layouts[layout] = name
            self.pointers.append(name)
        return self.layouts[layout]

    def scalar(self, value: int) -> Register:
        """A scalar in a register. Only in straight-line code: the register must dominate its later uses."""
        if value in self.registers:
            return self.registers[value]
        if value in self.tape.literals:
            return self.writer.number(float(self.tape.literals[value]))
        if value in self.tape.constants:
            slot = self.scalars.setdefault(value, len(self.scalars))
            address = self.writer.address("%scalars", slot, [])
            register = self.writer.load(address, constant=True)
        else:
            place = self.memory(value)
            register = self.writer.element(place._replace(strides=()), ())
        self.registers[value] = register
        return register

    def reciprocal(self, value: int) -> Register:
        """One over a scalar, computed once: a product with it may differ from the quotient in the last place.

        As for `scalar`, first asked for in straight-line code.
        """
        if value not in self.reciprocals:
            divisor = self.writer.real(self.scalar(value))
            self.reciprocals[value] = self.writer.value(f"fdiv {FLAGS} double 1.0, {divisor.name}")
        return self.reciprocals[value]

    def prologue(self) -> list[str]:
        """The instructions that fetch the pointers of the data."""
        lines = []
        for number, name in enumerate(["%scalars", *self.pointers]):
            lines.append(f"  %slot.{name[1:]} = getelementptr inbounds i64, ptr %pointers, i64 {number}")
            lines.append(f"  {name} = load ptr, ptr %slot.{name[1:]}, align 8, !invariant.load !3")
        return lines

    def packing(self) -> Packing:
        """How the data are handed to the code: ours, then those of embedded functions."""
        wanted = {layout.constant for layout in self.layouts} & self.tape.literals.keys()
        literals = {ident: float(self.tape.literals[ident]) for ident in wanted}
        embedded = tuple((e.frame.packing(), e.frame.tape.values) for e in self.embedded)
        return Packing(tuple(self.scalars), tuple(self.layouts), literals, embedded)


def index_dtype(size: int) -> str:
    """The smallest dtype for indices below `size`, whatever their values."""
    return "int8" if size <= 2**7 else "int16" if size <= 2**15 else "int32" if size <= 2**31 else "int64"


def broadcast_strides(shape: tuple[int, ...], strides: tuple[int, ...], domain: tuple[int, ...]) -> tuple[int, ...]:
    """The strides over `domain` of an array of `shape` that broadcasts to it."""
    missing = len(domain) - len(shape)
    own = [0 if n == 1 else s for n, s in zip(shape, strides, strict=True)]
    return (0,) * missing + tuple(own)
