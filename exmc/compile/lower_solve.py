"""The machine code of Gaussian elimination with row swaps: in loops for small matrices, by LAPACK for others.

The factors lie in memory as `exmc.linalg.lu_factor` describes: transposed, so that a row here is a column of the
packed factors, and LAPACK, which reads columns, finds them as it wants them; the last row is the swaps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_matrix import Matrix, backwards, call, following, minus_product, span
from exmc.compile.lower_text import Memory, Register, Writer
from exmc.compile.tape import Equation

_LAPACK = 32
"""From this size on LAPACK's blocks win over plain loops."""


def _lu_factor(frame: Frame, equation: Equation) -> None:
    writer, size = frame.writer, frame.shape(equation.result)[-1]
    source, packed = (
        Matrix(writer, frame.memory(equation.operands[0])),
        Matrix(writer, frame.buffers[equation.result]),
    )
    if size == 0:
        return
    slot = writer.alloca()
    writer.store(writer.number(0.0), slot)
    with writer.loop(size) as i, writer.loop(size) as j:
        element = source.load(i, j)
        packed.store(element, j, i)
        # 0 times what is not finite is NaN.
        writer.add_to(slot, writer.value(f"fmul double {element.name}, 0.0"), "")
    if size < _LAPACK:
        _eliminate(writer, packed, size)
    else:
        _by_lapack(frame, packed, size)
    # NaN everywhere if anything was not finite, and nothing changed if all was.
    with writer.loop(size + 1) as j, writer.loop(size) as i:
        packed.store(writer.value(f"fadd double {packed.load(j, i).name}, {writer.load(slot).name}"), j, i)


def _eliminate(writer: Writer, packed: Matrix, size: int) -> None:
    """Column by column: the row of the largest pivot goes up, the column is divided by it, and the rest is reduced."""
    end, best, chosen = str(size), writer.alloca(), writer.alloca("i64")
    with writer.loop(size) as k:
        writer.store(writer.number(-1.0), best)
        writer.line(f"store i64 {k}, ptr {chosen}")
        with span(writer, k, end) as i:
            magnitude = writer.intrinsic("fabs", packed.load(k, i))
            larger = writer.value(f"fcmp ogt double {magnitude.name}, {writer.load(best).name}", "i1").name
            for slot, kind, new in ((best, "double", magnitude.name), (chosen, "i64", i)):
                old = writer.value(f"load {kind}, ptr {slot}, align 8", kind).name
                kept = writer.value(f"select i1 {larger}, {kind} {new}, {kind} {old}", kind).name
                writer.line(f"store {kind} {kept}, ptr {slot}, align 8")
        pivot = writer.value(f"load i64, ptr {chosen}, align 8", "i64").name
        packed.store(writer.value(f"uitofp i64 {pivot} to double"), end, k)
        with writer.loop(size) as j:
            upper, lower = packed.load(j, k), packed.load(j, pivot)
            packed.store(lower, j, k)
            packed.store(upper, j, pivot)
        _subtract(writer, packed, k, end)


def _subtract(writer: Writer, packed: Matrix, k: str, end: str) -> None:
    below, top = following(writer, k), packed.load(k, k)
    # A column of zeros stays as it is, as in LAPACK: its pivot of 0 says that the matrix is singular.
    zero = writer.value(f"fcmp oeq double {top.name}, 0.0", "i1").name
    divisor = Register(writer.value(f"select i1 {zero}, double 1.0, double {top.name}").name, "double")
    with span(writer, below, end) as i:
        packed.store(writer.value(f"fdiv double {packed.load(k, i).name}, {divisor.name}"), k, i)
    with span(writer, below, end) as j:
        multiple = packed.load(j, k)
        with span(writer, below, end) as i:
            packed.store(minus_product(writer, packed.load(j, i), multiple, packed.load(k, i)), j, i)


def _by_lapack(frame: Frame, packed: Matrix, size: int) -> None:
    writer = frame.writer
    swaps = frame.scratch((size,))
    pivots = writer.address(swaps.base, swaps.offset, [])
    call(writer, "dgetrf", size, size, packed.address("0", "0"), size, pivots)
    with writer.loop(size) as k:
        # LAPACK counts from 1.
        place = writer.value(f"getelementptr inbounds i32, ptr {pivots}, i64 {k}", "ptr").name
        number = writer.value(f"sub i32 {writer.value(f'load i32, ptr {place}', 'i32').name}, 1", "i32").name
        packed.store(writer.value(f"sitofp i32 {number} to double"), str(size), k)


# --- Solutions -------------------------------------------------------------------------------------------------------


def _lu_solve(frame: Frame, equation: Equation) -> None:
    """Whole rows at a time: swap, substitute forwards, substitute backwards; for the transpose in reverse."""
    writer = frame.writer
    factors, right = (Matrix(writer, frame.memory(o)) for o in equation.operands)
    shape, target = frame.shape(equation.result), frame.buffers[equation.result]
    if 0 in shape:
        return
    size, width = shape[0], math.prod(shape[1:])
    step = target.strides[0]
    result = Matrix(writer, Memory(target.base, target.offset, (step, 1)))
    with writer.loop(size) as i, writer.loop(width) as c:
        result.store(right.load(i, c) if len(shape) == 2 else right.load(i), i, c)
    if equation.static["transposed"]:
        _triangle(writer, factors, result, (size, width), upper=True, transposed=True)
        _triangle(writer, factors, result, (size, width), upper=False, transposed=True)
        _swap_rows(writer, factors, result, (size, width), reverse=True)
    else:
        _swap_rows(writer, factors, result, (size, width), reverse=False)
        _triangle(writer, factors, result, (size, width), upper=False, transposed=False)
        _triangle(writer, factors, result, (size, width), upper=True, transposed=False)


def _swap_rows(writer: Writer, factors: Matrix, result: Matrix, shape: tuple[int, int], *, reverse: bool) -> None:
    size, width = shape
    with writer.loop(size) as step:
        k = backwards(writer, step, size) if reverse else step
        swap = factors.load(str(size), k)
        number = writer.value(f"fcmp ord double {swap.name}, 0.0", "i1").name
        safe = writer.value(f"select i1 {number}, double {swap.name}, double 0.0").name
        other = writer.value(f"fptosi double {safe} to i64", "i64").name
        with writer.loop(width) as c:
            mine, theirs = result.load(k, c), result.load(other, c)
            result.store(theirs, k, c)
            result.store(mine, other, c)


def _triangle(
    writer: Writer, factors: Matrix, result: Matrix, shape: tuple[int, int], *, upper: bool, transposed: bool
) -> None:
    """Solve with the upper triangle, or with the lower one whose diagonal is 1.

    Each row that is solved is subtracted from the rows still to come: below it, or above it.
    """
    size, width = shape
    downwards = upper == transposed
    with writer.loop(size) as step:
        k = step if downwards else backwards(writer, step, size)
        if upper:
            pivot = factors.load(k, k)
            zero = writer.value(f"fcmp oeq double {pivot.name}, 0.0", "i1").name
            # No solution: NaN, as for a matrix that is not finite.
            divisor = writer.value(f"select i1 {zero}, double {writer.number(math.nan).name}, double {pivot.name}")
            with writer.loop(width) as c:
                result.store(writer.value(f"fdiv double {result.load(k, c).name}, {divisor.name}"), k, c)
        rest = (following(writer, k), str(size)) if downwards else ("0", k)
        with span(writer, *rest) as i:
            # Packed factors lie transposed: row i, column k is at k, i.
            multiple = factors.load(i, k) if transposed else factors.load(k, i)
            with writer.loop(width) as c:
                result.store(minus_product(writer, result.load(i, c), multiple, result.load(k, c)), i, c)


SOLVES: Mapping[str, BlockRule] = MappingProxyType({"lu_factor": _lu_factor, "lu_solve": _lu_solve})
"""The operations of this module by primitive."""
