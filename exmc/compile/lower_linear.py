"""The machine code of Cholesky factors, triangular substitution and inverses: unrolled, in loops, or by LAPACK.

Everything is row-major, and LAPACK reads columns: the lower triangle of a matrix is the upper one of what it sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import FLAGS, SUM_FLAGS, Memory, Register, Writer
from exmc.compile.strides import contiguous
from exmc.compile.tape import Equation

_UNROLLED = 12
"""Matrices up to this size are straight-line code."""

_LAPACK = 96
"""From this size on LAPACK's blocks win over plain loops."""


class _Matrix(NamedTuple):
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
def _span(writer: Writer, start: str, end: str) -> Iterator[str]:
    """A loop over the numbers from `start` to `end`, exclusive, perhaps none."""
    if start == "0":
        with writer.loop(int(end) if end.isdigit() else end, empty=not end.isdigit()) as index:
            yield index
        return
    count = writer.value(f"sub nsw i64 {end}, {start}", "i64").name
    with writer.loop(count, empty=True) as step:
        yield writer.value(f"add nsw i64 {step}, {start}", "i64").name


def _operate(writer: Writer, operation: str, *operands: Register, flags: str = FLAGS) -> Register:
    return writer.value(f"{operation} {flags} double {', '.join(o.name for o in operands)}")


def _next(writer: Writer, index: str) -> str:
    return str(int(index) + 1) if index.isdigit() else writer.value(f"add nsw i64 {index}, 1", "i64").name


def _minus_product(writer: Writer, value: Register, a: Register, b: Register) -> Register:
    return _operate(writer, "fsub", value, _operate(writer, "fmul", a, b))


def _copy(frame: Frame, source: Memory, target: Memory, shape: tuple[int, ...]) -> None:
    def nest(indices: list[str]) -> None:
        if len(indices) == len(shape):
            _Matrix(frame.writer, target).store(_Matrix(frame.writer, source).load(*indices), *indices)
            return
        with frame.writer.loop(shape[len(indices)]) as index:
            nest([*indices, index])

    nest([])


# --- Cholesky --------------------------------------------------------------------------------------------------------


def _cholesky(frame: Frame, equation: Equation) -> None:
    size = frame.shape(equation.result)[0]
    if size == 0:
        return
    source, target = frame.memory(equation.operands[0]), frame.buffers[equation.result]
    if size <= _UNROLLED:
        _unrolled_factor(frame.writer, source, target, size)
    elif size < _LAPACK:
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
    matrix, result = _Matrix(writer, source), _Matrix(writer, target)
    lower: dict[tuple[int, int], Register] = {}
    good: Register | None = None
    for j in range(size):
        pivot = matrix.load(str(j), str(j))
        for k in range(j):
            pivot = _minus_product(writer, pivot, lower[j, k], lower[j, k])
        fine = _is_pivot(writer, pivot)
        good = fine if good is None else writer.value(f"and i1 {good.name}, {fine.name}", "i1")
        lower[j, j] = writer.intrinsic("sqrt", pivot)
        inverse = _operate(writer, "fdiv", writer.number(1.0), lower[j, j])
        for i in range(j + 1, size):
            element = matrix.load(str(i), str(j))
            for k in range(j):
                element = _minus_product(writer, element, lower[i, k], lower[j, k])
            lower[i, j] = _operate(writer, "fmul", element, inverse)
    assert good is not None
    for i in range(size):
        for j in range(size):
            value = _factor_or_infinity(writer, good, lower[i, j], i == j) if j <= i else writer.number(0.0)
            result.store(value, str(i), str(j))


def _looped_factor(frame: Frame, source: Memory, target: Memory, size: int) -> None:
    """Row operations on the transposed factor: each subtracts a multiple of a row from the rows below."""
    writer = frame.writer
    matrix, upper = _Matrix(writer, source), _Matrix(writer, frame.scratch((size, size)))
    end, slot = str(size), writer.alloca()
    writer.store(writer.number(1.0), slot)
    with writer.loop(size) as i, _span(writer, i, end) as j:
        upper.store(matrix.load(j, i), i, j)
    with writer.loop(size) as k:
        pivot = upper.load(k, k)
        fine = writer.real(_is_pivot(writer, pivot))
        writer.store(_operate(writer, "fmul", writer.load(slot), fine), slot)
        root = writer.intrinsic("sqrt", pivot)
        inverse = _operate(writer, "fdiv", writer.number(1.0), root)
        below = _next(writer, k)
        with _span(writer, below, end) as j:
            upper.store(_operate(writer, "fmul", upper.load(k, j), inverse), k, j)
        upper.store(root, k, k)
        with _span(writer, below, end) as i:
            multiple = upper.load(k, i)
            with _span(writer, i, end) as j:
                upper.store(_minus_product(writer, upper.load(i, j), multiple, upper.load(k, j)), i, j)
    good = writer.value(f"fcmp oeq double {writer.load(slot).name}, 1.0", "i1")
    _write_lower(frame, upper, _Matrix(writer, target), size, good, transposed=True)


def _write_lower(
    frame: Frame, source: _Matrix, target: _Matrix, size: int, good: Register, *, transposed: bool
) -> None:
    """The lower triangle into `target`, zeros above; diag(inf) unless `good`."""
    writer = frame.writer
    with writer.loop(size) as i:
        with _span(writer, "0", i) as j:
            value = source.load(j, i) if transposed else source.load(i, j)
            target.store(_factor_or_infinity(writer, good, value, False), i, j)
        target.store(_factor_or_infinity(writer, good, source.load(i, i), True), i, i)
        with _span(writer, _next(writer, i), str(size)) as j:
            target.store(writer.number(0.0), i, j)


def _lapack_factor(frame: Frame, source: Memory, target: Memory, size: int) -> None:
    writer = frame.writer
    matrix, result = _Matrix(writer, source), _Matrix(writer, target)
    with writer.loop(size) as i, _span(writer, "0", _next(writer, i)) as j:
        result.store(matrix.load(i, j), i, j)
    status = _call(writer, "dpotrf", "U", size, result.address("0", "0"), size)
    good = writer.value(f"icmp eq i32 {status}, 0", "i1")
    # A factor of something that is not finite is NaN at the end.
    fine = _is_pivot(writer, result.load(str(size - 1), str(size - 1)))
    good = writer.value(f"and i1 {good.name}, {fine.name}", "i1")
    _write_lower(frame, result, result, size, good, transposed=False)


def _call(writer: Writer, routine: str, *arguments: str | int | float) -> str:
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
    if routine.startswith("dpo"):
        passed.append(status)
    kinds = ", ".join(["ptr"] * len(passed))
    writer.declarations.setdefault(f"exmc_{routine}", f"declare void @exmc_{routine}({kinds})")
    writer.line(f"call void @exmc_{routine}({', '.join(f'ptr {p}' for p in passed)})")
    return writer.value(f"load i32, ptr {status}", "i32").name


# --- substitution ----------------------------------------------------------------------------------------------------


def _substitute(frame: Frame, equation: Equation) -> None:
    lower, right = (frame.memory(o) for o in equation.operands)
    target = frame.buffers[equation.result]
    shape = frame.shape(equation.result)
    transposed = equation.static["transposed"]
    if 0 in shape:
        return
    if len(shape) == 1 and shape[0] <= _UNROLLED:
        _unrolled_substitution(frame.writer, lower, right, target, shape[0], transposed)
        return
    _copy(frame, right, target, shape)
    square = frame.shape(equation.operands[0])
    if len(shape) == 1:
        _vector_substitution(frame, lower, target, shape[0], transposed)
    elif shape[0] >= _LAPACK and lower.strides == contiguous(square) and not lower.constant:
        addresses = [_Matrix(frame.writer, place).address("0", "0") for place in (lower, target)]
        # L X = B is X' U = B' in columns, with U the upper triangle that L is there.
        flag, (size, width) = ("T" if transposed else "N"), shape
        _call(frame.writer, "dtrsm", "R", "U", flag, "N", width, size, 1.0, addresses[0], size, addresses[1], width)
    else:
        _matrix_substitution(frame, lower, target, shape, transposed)


def _unrolled_substitution(
    writer: Writer, lower: Memory, right: Memory, target: Memory, size: int, transposed: bool
) -> None:
    matrix, vector, result = (_Matrix(writer, place) for place in (lower, right, target))
    solution: dict[int, Register] = {}
    order = range(size - 1, -1, -1) if transposed else range(size)
    for i in order:
        value = vector.load(str(i))
        for k in solution:
            element = matrix.load(str(k), str(i)) if transposed else matrix.load(str(i), str(k))
            value = _minus_product(writer, value, element, solution[k])
        solution[i] = _operate(writer, "fdiv", value, matrix.load(str(i), str(i)))
    for i, value in solution.items():
        result.store(value, str(i))


def _backwards(writer: Writer, index: str, size: int) -> str:
    return writer.value(f"sub nsw i64 {size - 1}, {index}", "i64").name


def _vector_substitution(frame: Frame, lower: Memory, target: Memory, size: int, transposed: bool) -> None:
    writer = frame.writer
    matrix, result = _Matrix(writer, lower), _Matrix(writer, target)
    with writer.loop(size) as step:
        if transposed:
            i = _backwards(writer, step, size)
            value = _operate(writer, "fdiv", result.load(i), matrix.load(i, i))
            result.store(value, i)
            with _span(writer, "0", i) as k:
                result.store(_minus_product(writer, result.load(k), matrix.load(i, k), value), k)
        else:
            slot = writer.alloca()
            writer.store(writer.number(0.0), slot)
            with _span(writer, "0", step) as k:
                product = _operate(writer, "fmul", matrix.load(step, k), result.load(k))
                writer.store(_operate(writer, "fadd", writer.load(slot), product, flags=SUM_FLAGS), slot)
            rest = _operate(writer, "fsub", result.load(step), writer.load(slot))
            result.store(_operate(writer, "fdiv", rest, matrix.load(step, step)), step)


def _matrix_substitution(frame: Frame, lower: Memory, target: Memory, shape: tuple[int, ...], transposed: bool) -> None:
    """Whole rows of the right-hand sides at a time."""
    writer, (size, width) = frame.writer, shape
    matrix, result = _Matrix(writer, lower), _Matrix(writer, target)

    def scale(i: str) -> None:
        inverse = _operate(writer, "fdiv", writer.number(1.0), matrix.load(i, i))
        with writer.loop(width) as c:
            result.store(_operate(writer, "fmul", result.load(i, c), inverse), i, c)

    with writer.loop(size) as step:
        i = _backwards(writer, step, size) if transposed else step
        if transposed:
            scale(i)
        with _span(writer, "0", i) as k:
            multiple = matrix.load(i, k)
            into, row = (k, i) if transposed else (i, k)
            with writer.loop(width) as c:
                result.store(_minus_product(writer, result.load(into, c), multiple, result.load(row, c)), into, c)
        if not transposed:
            scale(i)


# --- inverse ---------------------------------------------------------------------------------------------------------


def _inverse(frame: Frame, equation: Equation) -> None:
    """Of L L': by dpotri, or as Y' Y where Y is the inverse of L."""
    writer, size = frame.writer, frame.shape(equation.result)[0]
    source, target = frame.memory(equation.operands[0]), frame.buffers[equation.result]
    lower, result = _Matrix(writer, source), _Matrix(writer, target)
    if size == 0:
        return
    if size >= _LAPACK:
        _copy(frame, source, target, (size, size))
        _call(writer, "dpotri", "U", size, result.address("0", "0"), size)
    else:
        half = _Matrix(writer, frame.scratch((size, size)))
        _inverse_of_triangle(writer, lower, half, size)
        writer.zero(target.base, target.offset, size * size)
        with writer.loop(size) as k, _span(writer, "0", _next(writer, k)) as i:
            multiple = half.load(k, i)
            with _span(writer, "0", _next(writer, i)) as j:
                product = _operate(writer, "fmul", multiple, half.load(k, j))
                result.store(_operate(writer, "fadd", result.load(i, j), product), i, j)
    with writer.loop(size) as i, _span(writer, "0", i) as j:
        result.store(result.load(i, j), j, i)


def _inverse_of_triangle(writer: Writer, lower: _Matrix, half: _Matrix, size: int) -> None:
    writer.zero(half.place.base, half.place.offset, size * size)
    with writer.loop(size) as i:
        inverse = _operate(writer, "fdiv", writer.number(1.0), lower.load(i, i))
        with _span(writer, "0", i) as k:
            multiple = lower.load(i, k)
            with _span(writer, "0", _next(writer, k)) as c:
                half.store(_minus_product(writer, half.load(i, c), multiple, half.load(k, c)), i, c)
        with _span(writer, "0", i) as c:
            half.store(_operate(writer, "fmul", half.load(i, c), inverse), i, c)
        half.store(inverse, i, i)


LINEAR: dict[str, BlockRule] = {"cholesky": _cholesky, "substitute": _substitute, "inverse_from_factor": _inverse}
"""The operations on matrices."""
