"""Matrices in memory as code sees them: elements, spans of loops, routines of LAPACK and BLAS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import FLAGS, Memory, Register, Writer

UNROLLED = 15
"""Matrices up to this size are straight-line code."""

LAPACK = 96
"""From this size on LAPACK's blocks win over plain loops."""


class Matrix(NamedTuple):
    """An array in memory, addressed by indices that are names or numbers."""

    writer: Writer
    place: Memory

    def address(self, *indices: str) -> str:
        terms = list(zip(indices, self.place.strides, strict=True))
        offset = self.place.offset + sum(int(i) * s for i, s in terms if i.isdigit())
        return self.writer.address(self.place.base, offset, [(i, s) for i, s in terms if not i.isdigit()])

    def load(self, *indices: str) -> Register:
        if self.place.dtype != "float64":
            return self.writer.element(self.place, indices)
        return self.writer.load(self.address(*indices), constant=self.place.constant)

    def store(self, value: Register, *indices: str) -> None:
        self.writer.store(value, self.address(*indices))


@contextmanager
def span(writer: Writer, start: str, end: str) -> Iterator[str]:
    """A loop over the numbers from `start` to `end`, exclusive, perhaps none."""
    if start == "0":
        with writer.loop(int(end) if end.isdigit() else end, empty=not end.isdigit()) as index:
            yield index
        return
    count = writer.value(f"sub nsw i64 {end}, {start}", "i64").name
    with writer.loop(count, empty=True) as step:
        yield writer.value(f"add nsw i64 {step}, {start}", "i64").name


def operate(writer: Writer, operation: str, *operands: Register, flags: str = FLAGS) -> Register:
    return writer.value(f"{operation} {flags} double {', '.join(o.name for o in operands)}")


def following(writer: Writer, index: str) -> str:
    return str(int(index) + 1) if index.isdigit() else writer.value(f"add nsw i64 {index}, 1", "i64").name


def minus_product(writer: Writer, value: Register, a: Register, b: Register) -> Register:
    return operate(writer, "fsub", value, operate(writer, "fmul", a, b))


def backwards(writer: Writer, index: str, size: int) -> str:
    """The index that counts down from size - 1 as `index` counts up."""
    return writer.value(f"sub nsw i64 {size - 1}, {index}", "i64").name


def copy(frame: Frame, source: Memory, target: Memory, shape: tuple[int, ...]) -> None:
    def nest(indices: list[str]) -> None:
        if len(indices) == len(shape):
            Matrix(frame.writer, target).store(Matrix(frame.writer, source).load(*indices), *indices)
            return
        with frame.writer.loop(shape[len(indices)]) as index:
            nest([*indices, index])

    if 0 not in shape:
        nest([])


def call(writer: Writer, routine: str, *arguments: str | int | float) -> str:
    """Call a routine of LAPACK or BLAS, all arguments by reference: flags, numbers, addresses. Gives its status."""
    passed = []
    for argument in arguments:
        if isinstance(argument, str) and argument.startswith("%"):
            passed.append(argument)
            continue
        if isinstance(argument, str):
            kind, value = "i8", str(ord(argument))
        elif isinstance(argument, int):
            kind, value = "i32", str(argument)
        else:
            kind, value = "double", writer.number(argument).name
        slot = writer.alloca(kind)
        writer.line(f"store {kind} {value}, ptr {slot}")
        passed.append(slot)
    status = writer.alloca("i32")
    if routine.startswith(("dpo", "dge")):
        passed.append(status)
    kinds = ", ".join(["ptr"] * len(passed))
    writer.declarations.setdefault(f"exmc_{routine}", f"declare void @exmc_{routine}({kinds})")
    writer.line(f"call void @exmc_{routine}({', '.join(f'ptr {p}' for p in passed)})")
    return writer.value(f"load i32, ptr {status}", "i32").name
