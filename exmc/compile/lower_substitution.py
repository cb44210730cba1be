"""The machine code of solving with a triangular matrix: unrolled, in loops, or by BLAS."""

from __future__ import annotations

from exmc.compile.lower_frame import Frame
from exmc.compile.lower_matrix import LAPACK, UNROLLED, Matrix, backwards, call, copy, minus_product, operate, span
from exmc.compile.lower_text import SUM_FLAGS, Memory, Register, Writer
from exmc.compile.strides import contiguous
from exmc.compile.tape import Equation


def substitute(frame: Frame, equation: Equation) -> None:
    lower, right = (frame.memory(o) for o in equation.operands)
    target = frame.buffers[equation.result]
    shape = frame.shape(equation.result)
    transposed = equation.static["transposed"]
    if 0 in shape:
        return
    if len(shape) == 1 and shape[0] <= UNROLLED:
        _unrolled_substitution(frame.writer, lower, right, target, shape[0], transposed)
        return
    copy(frame, right, target, shape)
    square = frame.shape(equation.operands[0])
    if len(shape) == 1:
        _vector_substitution(frame, lower, target, shape[0], transposed)
    elif shape[0] >= LAPACK and lower.strides == contiguous(square) and not lower.constant:
        addresses = [Matrix(frame.writer, place).address("0", "0") for place in (lower, target)]
        # L X = B is X' U = B' in columns, with U the upper triangle that L is there.
        flag, (size, width) = ("T" if transposed else "N"), shape
        call(frame.writer, "dtrsm", "R", "U", flag, "N", width, size, 1.0, addresses[0], size, addresses[1], width)
    else:
        _matrix_substitution(frame, lower, target, shape, transposed)


def _unrolled_substitution(
    writer: Writer, lower: Memory, right: Memory, target: Memory, size: int, transposed: bool
) -> None:
    matrix, vector, result = (Matrix(writer, place) for place in (lower, right, target))
    solution: dict[int, Register] = {}
    order = range(size - 1, -1, -1) if transposed else range(size)
    for i in order:
        value = vector.load(str(i))
        for k in solution:
            element = matrix.load(str(k), str(i)) if transposed else matrix.load(str(i), str(k))
            value = minus_product(writer, value, element, solution[k])
        solution[i] = operate(writer, "fdiv", value, matrix.load(str(i), str(i)))
    for i, value in solution.items():
        result.store(value, str(i))


def _vector_substitution(frame: Frame, lower: Memory, target: Memory, size: int, transposed: bool) -> None:
    writer = frame.writer
    matrix, result = Matrix(writer, lower), Matrix(writer, target)
    with writer.loop(size) as step:
        if transposed:
            i = backwards(writer, step, size)
            value = operate(writer, "fdiv", result.load(i), matrix.load(i, i))
            result.store(value, i)
            with span(writer, "0", i) as k:
                result.store(minus_product(writer, result.load(k), matrix.load(i, k), value), k)
        else:
            slot = writer.alloca()
            writer.store(writer.number(0.0), slot)
            with span(writer, "0", step) as k:
                product = operate(writer, "fmul", matrix.load(step, k), result.load(k))
                writer.store(operate(writer, "fadd", writer.load(slot), product, flags=SUM_FLAGS), slot)
            rest = operate(writer, "fsub", result.load(step), writer.load(slot))
            result.store(operate(writer, "fdiv", rest, matrix.load(step, step)), step)


def _matrix_substitution(frame: Frame, lower: Memory, target: Memory, shape: tuple[int, ...], transposed: bool) -> None:
    """Whole rows of the right-hand sides at a time."""
    writer, (size, width) = frame.writer, shape
    matrix, result = Matrix(writer, lower), Matrix(writer, target)

    def scale(i: str) -> None:
        inverse = operate(writer, "fdiv", writer.number(1.0), matrix.load(i, i))
        with writer.loop(width) as c:
            result.store(operate(writer, "fmul", result.load(i, c), inverse), i, c)

    with writer.loop(size) as step:
        i = backwards(writer, step, size) if transposed else step
        if transposed:
            scale(i)
        with span(writer, "0", i) as k:
            multiple = matrix.load(i, k)
            into, row = (k, i) if transposed else (i, k)
            with writer.loop(width) as c:
                result.store(minus_product(writer, result.load(into, c), multiple, result.load(row, c)), into, c)
        if not transposed:
            scale(i)
