"""The machine code of the inverse of a small general matrix: elimination with partial pivoting, in loops."""

from __future__ import annotations

import math

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import FLAGS, Memory, Register, Writer
from exmc.compile.tape import Equation


class _Rows:
    """A row-major matrix that is computed."""

    def __init__(self, writer: Writer, place: Memory) -> None:
        self.writer, self.place = writer, place

    def address(self, row: str, column: str) -> str:
        terms = list(zip((row, column), self.place.strides, strict=True))
        return self.writer.address(self.place.base, self.place.offset, terms)

    def load(self, row: str, column: str) -> Register:
        return self.writer.load(self.address(row, column))

    def store(self, value: Register, row: str, column: str) -> None:
        self.writer.store(value, self.address(row, column))


def _inverse(frame: Frame, equation: Equation) -> None:
    """Gauss-Jordan elimination of [A | I] (Golub & Van Loan, section 3.4), NaN throughout unless all is finite."""
    writer, size = frame.writer, frame.shape(equation.result)[0]
    if size == 0:
        return
    source, target = frame.memory(equation.operands[0]), _Rows(writer, frame.buffers[equation.result])
    work = _Rows(writer, frame.scratch((size, 2 * size)))
    writer.zero(work.place.base, work.place.offset, 2 * size * size)
    with writer.loop(size) as i:
        with writer.loop(size, scalar=True) as j:
            work.store(writer.element(source, (i, j)), i, j)
        work.store(writer.number(1.0), i, _plus(writer, i, size))
    with writer.loop(size) as k:
        _swap(writer, work, k, _pivot(writer, work, k, size), 2 * size)
        _eliminate(writer, work, k, size)
    total = writer.alloca()
    writer.store(writer.number(0.0), total)
    with writer.loop(size) as i, writer.loop(size, scalar=True) as j:
        writer.add_to(total, writer.intrinsic("fabs", work.load(i, _plus(writer, j, size))))
    finite = writer.value(f"fcmp olt double {writer.load(total).name}, {writer.number(math.inf).name}", "i1")
    with writer.loop(size) as i, writer.loop(size, scalar=True) as j:
        value = work.load(i, _plus(writer, j, size)).name
        kept = f"select i1 {finite.name}, double {value}, double {writer.number(math.nan).name}"
        target.store(writer.value(kept), i, j)


def _plus(writer: Writer, index: str, offset: int) -> str:
    return writer.value(f"add nuw nsw i64 {index}, {offset}", "i64").name


def _pivot(writer: Writer, work: _Rows, k: str, size: int) -> str:
    """The row from `k` on with the largest element in column `k`."""
    best, row = writer.alloca(), writer.alloca("i64")
    writer.store(writer.number(-1.0), best)
    writer.line(f"store i64 {k}, ptr {row}")
    with writer.loop(size, scalar=True) as i:
        element = writer.intrinsic("fabs", work.load(i, k))
        below = writer.value(f"icmp uge i64 {i}, {k}", "i1").name
        larger = writer.value(f"fcmp ogt double {element.name}, {writer.load(best).name}", "i1").name
        with writer.when(writer.value(f"and i1 {below}, {larger}", "i1")):
            writer.store(element, best)
            writer.line(f"store i64 {i}, ptr {row}")
    return writer.value(f"load i64, ptr {row}", "i64").name


def _swap(writer: Writer, work: _Rows, first: str, second: str, width: int) -> None:
    with writer.loop(width, scalar=True) as column:
        upper, lower = work.load(first, column), work.load(second, column)
        work.store(lower, first, column)
        work.store(upper, second, column)


def _eliminate(writer: Writer, work: _Rows, k: str, size: int) -> None:
    """Make column `k` that of the identity."""
    pivot = work.load(k, k)
    inverse = writer.value(f"fdiv {FLAGS} double 1.0, {pivot.name}")
    with writer.loop(2 * size, scalar=True) as column:
        scaled = writer.value(f"fmul {FLAGS} double {work.load(k, column).name}, {inverse.name}")
        work.store(scaled, k, column)
    with writer.loop(size) as i:
        multiple = work.load(i, k)
        with writer.when(writer.value(f"icmp ne i64 {i}, {k}", "i1")), writer.loop(2 * size, scalar=True) as column:
            product = writer.value(f"fmul {FLAGS} double {multiple.name}, {work.load(k, column).name}")
            rest = writer.value(f"fsub {FLAGS} double {work.load(i, column).name}, {product.name}")
            work.store(rest, i, column)


INVERSES: dict[str, BlockRule] = {"inverse": _inverse}
"""The inverse of a general matrix."""
