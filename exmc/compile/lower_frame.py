"""Where each value of a tape lives in the machine code: registers, the workspace, the results, the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from exmc.compile.lower_text import Memory, Register, Writer
from exmc.compile.primitives import Array
from exmc.compile.schedule import Schedule, contiguous, view_strides
from exmc.compile.tape import Equation, Tape

_ALIGNMENT = 8
"""Buffers start at whole cache lines, in doubles."""


class Layout(NamedTuple):
    """How a constant is handed to the machine code: as what, with its axes in which order."""

    constant: int
    dtype: str
    order: tuple[int, ...]


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
    buffers: dict[int, Memory] = field(default_factory=dict)
    layouts: dict[Layout, str] = field(default_factory=dict)
    scalars: dict[int, int] = field(default_factory=dict)
    pointers: list[str] = field(default_factory=list)
    covered: set[int] = field(default_factory=set)
    workspace_size: int = 0

    def shape(self, value: int) -> tuple[int, ...]:
        """The shape of a value."""
        return self.tape.types[value].shape

    def allocate(self, value: int, result_offset: int | None = None) -> None:
        """Give a value a buffer: in the results at an offset, or in the workspace."""
        shape = self.shape(value)
        if result_offset is not None:
            self.buffers[value] = Memory("%results", result_offset, contiguous(shape))
            return
        self.buffers[value] = Memory("%workspace", self.workspace_size, contiguous(shape))
        size = max(int(np.prod(shape, dtype=np.int64)), 1)
        self.workspace_size += -(-size // _ALIGNMENT) * _ALIGNMENT

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
            return source._replace(strides=contiguous(self.shape(equation.result)))
        strides = view_strides(equation, source.strides)
        if equation.primitive == "transpose":
            return source._replace(strides=strides)
        assert equation.primitive == "slice", equation
        offset = sum(start * stride for (start, _, _), stride in zip(static["bounds"], source.strides, strict=True))
        return source._replace(offset=source.offset + offset, strides=strides)

    def data(self, constant: int, dtype: str = "float64", order: tuple[int, ...] | None = None) -> Memory:
        """A constant in memory, its axes laid out in the given order (outermost first)."""
        shape = self.shape(constant)
        order = tuple(range(len(shape))) if order is None else order
        layout = Layout(constant, dtype, order)
        if layout not in self.layouts:
            name = f"%data{len(self.layouts)}"
            self.layouts[layout] = name
            self.pointers.append(name)
        inner = contiguous(tuple(shape[axis] for axis in order))
        strides = tuple(inner[order.index(axis)] for axis in range(len(shape)))
        return Memory(self.layouts[layout], 0, strides, constant=True)

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
            address = self.writer.address(place.base, place.offset, [])
            register = self.writer.load(address, constant=place.constant)
        self.registers[value] = register
        return register

    def prologue(self) -> list[str]:
        """The instructions that fetch the pointers of the data."""
        lines = []
        for number, name in enumerate(["%scalars", *self.pointers]):
            lines.append(f"  %slot.{name[1:]} = getelementptr inbounds i64, ptr %pointers, i64 {number}")
            lines.append(f"  {name} = load ptr, ptr %slot.{name[1:]}, align 8, !invariant.load !3")
        return lines

    def constants(self) -> tuple[Array, ...]:
        """The arrays of the pointer table, in order."""
        packed = np.array([float(self.tape.constants[c]) for c in self.scalars], dtype=np.float64)
        arrays = [packed]
        for layout in self.layouts:
            value = self.tape.constants.get(layout.constant)
            array = np.asarray(self.tape.literals[layout.constant] if value is None else value)
            array = array.transpose(layout.order)
            arrays.append(np.ascontiguousarray(array, dtype=layout.dtype))
        return tuple(arrays)


def broadcast_strides(shape: tuple[int, ...], strides: tuple[int, ...], domain: tuple[int, ...]) -> tuple[int, ...]:
    """The strides over `domain` of an array of `shape` that broadcasts to it."""
    missing = len(domain) - len(shape)
    own = [0 if n == 1 else s for n, s in zip(shape, strides, strict=True)]
    return (0,) * missing + tuple(own)
