"""The machine code of Cholesky factors and inverses: unrolled, in loops, or by LAPACK.

Everything is row-major, and LAPACK reads columns: the lower triangle of a matrix is the upper one of what it sees.
"""

from __future__ import annotations

import math

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_matrix import LAPACK, UNROLLED, Matrix, call, copy, following, minus_product, operate, span
from exmc.compile.lower_substitution import substitute
from exmc.compile.lower_text import Memory, Register, Writer
from exmc.compile.tape import Equation

# --- Cholesky --------------------------------------------------------------------------------------------------------


def _cholesky(frame: Frame, equation: Equation) -> None:
    size = frame.shape(equation.result)[0]
    if size == 0:
        return
    source, target = frame.memory(equation.operands[0]), frame.buffers[equation.result]
    if size <= UNROLLED:
        _unrolled_factor(frame.writer, source, target, size)
    elif size < LAPACK:
        _looped_factor(frame, source, target, size)
    else:
        _lapack_factor(frame, source, target, size)


def _is_pivot(writer: Writer, value: Register) -> Register:
    positive = writer.value(f"fcmp ogt double {value.name}, 0.0", "i1").name
    finite = writer.value(f"fcmp olt double {value.name}, 0x7FF0000000000000", "i1").name
    return writer.value(f"and i1 {positive}, {finite}", "i1")


def _factor_or_infinity(writer: Writer, good: Register, value: Register, diagonal: bool) -> Register:
    """An element of the factor; of diag(inf) where there is none."""
    instead = writer.number(math.inf if diagonal else 0.0)
    return writer.value(f"select i1 {good.name}, double {value.name}, double {instead.name}")


def _unrolled_factor(writer: Writer, source: Memory, target: Memory, size: int) -> None:
    matrix, result = Matrix(writer, source), Matrix(writer, target)
    lower: dict[tuple[int, int], Register] = {}
    good: Register | None = None
    for j in range(size):
        pivot = matrix.load(str(j), str(j))
        for k in range(j):
            pivot = minus_product(writer, pivot, lower[j, k], lower[j, k])
        fine = _is_pivot(writer, pivot)
        good = fine if good is None else writer.value(f"and i1 {good.name}, {fine.name}", "i1")
        lower[j, j] = writer.intrinsic("sqrt", pivot)
        inverse = operate(writer, "fdiv", writer.number(1.0), lower[j, j])
        for i in range(j + 1, size):
            element = matrix.load(str(i), str(j))
            for k in range(j):
                element = minus_product(writer, element, lower[i, k], lower[j, k])
            lower[i, j] = operate(writer, "fmul", element, inverse)
    assert good is not None
    for i in range(size):
        for j in range(size):
            value = _factor_or_infinity(writer, good, lower[i, j], i == j) if j <= i else writer.number(0.0)
            result.store(value, str(i), str(j))


def _looped_factor(frame: Frame, source: Memory, target: Memory, size: int) -> None:
    """Row operations on the transposed factor: each subtracts a multiple of a row from the rows below."""
    writer = frame.writer
    matrix, upper = Matrix(writer, source), Matrix(writer, frame.scratch((size, size)))
    end, slot = str(size), writer.alloca()
    writer.store(writer.number(1.0), slot)
    with writer.loop(size) as i, span(writer, i, end) as j:
        upper.store(matrix.load(j, i), i, j)
    with writer.loop(size) as k:
        pivot = upper.load(k, k)
        fine = writer.real(_is_pivot(writer, pivot))
        writer.store(operate(writer, "fmul", writer.load(slot), fine), slot)
        root = writer.intrinsic("sqrt", pivot)
        inverse = operate(writer, "fdiv", writer.number(1.0), root)
        below = following(writer, k)
        with span(writer, below, end) as j:
            upper.store(operate(writer, "fmul", upper.load(k, j), inverse), k, j)
        upper.store(root, k, k)
        with span(writer, below, end) as i:
            multiple = upper.load(k, i)
            with span(writer, i, end) as j:
                upper.store(minus_product(writer, upper.load(i, j), multiple, upper.load(k, j)), i, j)
    good = writer.value(f"fcmp oeq double {writer.load(slot).name}, 1.0", "i1")
    _write_lower(frame, upper, Matrix(writer, target), size, good, transposed=True)


def _write_lower(frame: Frame, source: Matrix, target: Matrix, size: int, good: Register, *, transposed: bool) -> None:
    """The lower triangle into `target`, zeros above; diag(inf) unless `good`."""
    writer = frame.writer
    with writer.loop(size) as i:
        with span(writer, "0", i) as j:
            value = source.load(j, i) if transposed else source.load(i, j)
            target.store(_factor_or_infinity(writer, good, value, False), i, j)
        target.store(_factor_or_infinity(writer, good, source.load(i, i), True), i, i)
        with span(writer, following(writer, i), str(size)) as j:
            target.store(writer.number(0.0), i, j)


def _lapack_factor(frame: Frame, source: Memory, target: Memory, size: int) -> None:
    writer = frame.writer
    matrix, result = Matrix(writer, source), Matrix(writer, target)
    with writer.loop(size) as i, span(writer, "0", following(writer, i)) as j:
        result.store(matrix.load(i, j), i, j)
    status = call(writer, "dpotrf", "U", size, result.address("0", "0"), size)
    good = writer.value(f"icmp eq i32 {status}, 0", "i1")
    # A factor of something that is not finite is NaN at the end.
    fine = _is_pivot(writer, result.load(str(size - 1), str(size - 1)))
    good = writer.value(f"and i1 {good.name}, {fine.name}", "i1")
    _write_lower(frame, result, result, size, good, transposed=False)


# --- inverse ---------------------------------------------------------------------------------------------------------


def _inverse(frame: Frame, equation: Equation) -> None:
    """Of L L': by dpotri, or as Y' Y where Y is the inverse of L."""
    writer, size = frame.writer, frame.shape(equation.result)[0]
    source, target = frame.memory(equation.operands[0]), frame.buffers[equation.result]
    lower, result = Matrix(writer, source), Matrix(writer, target)
    if size == 0:
        return
    if size >= LAPACK:
        copy(frame, source, target, (size, size))
        call(writer, "dpotri", "U", size, result.address("0", "0"), size)
    else:
        half = Matrix(writer, frame.scratch((size, size)))
        _inverse_of_triangle(writer, lower, half, size)
        writer.zero(target.base, target.offset, size * size)
        with writer.loop(size) as k, span(writer, "0", following(writer, k)) as i:
            multiple = half.load(k, i)
            with span(writer, "0", following(writer, i)) as j:
                product = operate(writer, "fmul", multiple, half.load(k, j))
                result.store(operate(writer, "fadd", result.load(i, j), product), i, j)
    with writer.loop(size) as i, span(writer, "0", i) as j:
        result.store(result.load(i, j), j, i)


def _inverse_of_triangle(writer: Writer, lower: Matrix, half: Matrix, size: int) -> None:
    writer.zero(half.place.base, half.place.offset, size * size)
    with writer.loop(size) as i:
        inverse = operate(writer, "fdiv", writer.number(1.0), lower.load(i, i))
        with span(writer, "0", i) as k:
            multiple = lower.load(i, k)
            with span(writer, "0", following(writer, k)) as c:
                half.store(minus_product(writer, half.load(i, c), multiple, half.load(k, c)), i, c)
        with span(writer, "0", i) as c:
            half.store(operate(writer, "fmul", half.load(i, c), inverse), i, c)
        half.store(inverse, i, i)


LINEAR: dict[str, BlockRule] = {"cholesky": _cholesky, "substitute": substitute, "inverse_from_factor": _inverse}
"""The operations on matrices."""
