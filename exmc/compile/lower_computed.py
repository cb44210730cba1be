"""The machine code of gathers, scatters and sorts at computed places, and of linear recurrences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import FLAGS, Memory, Register, Writer
from exmc.compile.strides import contiguous
from exmc.compile.tape import Equation


def _over(writer: Writer, shape: tuple[int, ...], body: Callable[[list[str]], None]) -> None:
    """Loops over all indices of a shape."""

    def nest(indices: list[str]) -> None:
        if len(indices) == len(shape):
            body(indices)
            return
        with writer.loop(shape[len(indices)], scalar=True) as index:
            nest([*indices, index])

    if 0 not in shape:
        nest([])


def _store(writer: Writer, value: Register, place: Memory, indices: list[str]) -> None:
    writer.store(value, writer.address(place.base, place.offset, list(zip(indices, place.strides, strict=True))))


# --- Computed places -------------------------------------------------------------------------------------------------


def _number(writer: Writer, place: Memory, indices: list[str], size: int) -> tuple[str, str]:
    """A computed number as an i64 below `size`, and the truth that it was one."""
    number = writer.element(place, indices)
    low = writer.value(f"fcmp oge double {number.name}, 0.0", "i1").name
    high = writer.value(f"fcmp olt double {number.name}, {writer.number(float(size)).name}", "i1").name
    known = writer.value(f"and i1 {low}, {high}", "i1").name
    safe = writer.value(f"select i1 {known}, double {number.name}, double 0.0").name
    return writer.value(f"fptosi double {safe} to i64", "i64").name, known


def _element_number(writer: Writer, place: Memory, shape: tuple[int, ...], number: str) -> str:
    """The address of an element by its number in row-major order."""
    terms = []
    rest = number
    for extent, stride in reversed(list(zip(shape, place.strides, strict=True))):
        terms.append((writer.value(f"urem i64 {rest}, {extent}", "i64").name, stride))
        rest = writer.value(f"udiv i64 {rest}, {extent}", "i64").name
    if place.strides == contiguous(shape):
        terms = [(number, 1)]
    return writer.address(place.base, place.offset, terms)


def _pick(frame: Frame, equation: Equation) -> None:
    writer, (source, numbers) = frame.writer, equation.operands
    target, shape = frame.buffers[equation.result], frame.shape(source)
    held, places = _as_doubles(frame, source), frame.memory(numbers)

    def body(indices: list[str]) -> None:
        if 0 in shape:
            _store(writer, writer.number(math.nan), target, indices)
            return
        number, known = _number(writer, places, indices, math.prod(shape))
        found = writer.load(_element_number(writer, held, shape, number))
        value = writer.value(f"select i1 {known}, double {found.name}, double {writer.number(math.nan).name}")
        _store(writer, value, target, indices)

    _over(writer, frame.shape(numbers), body)


def _as_doubles(frame: Frame, value: int) -> Memory:
    """An array in memory, a copy if it is data in another dtype."""
    place = frame.memory(value)
    if place.dtype == "float64":
        return place
    copy = frame.scratch(frame.shape(value))
    _over(frame.writer, frame.shape(value), lambda i: _store(frame.writer, frame.writer.element(place, i), copy, i))
    return copy


def _place(frame: Frame, equation: Equation) -> None:
    writer, (values, numbers) = frame.writer, equation.operands
    target, shape = frame.buffers[equation.result], frame.shape(equation.result)
    writer.zero(target.base, target.offset, math.prod(shape))
    source, places = frame.memory(values), frame.memory(numbers)

    def body(indices: list[str]) -> None:
        number, known = _number(writer, places, indices, math.prod(shape))
        value = writer.element(source, indices)
        # Nothing is added to the first element for a number that is unknown.
        term = writer.value(f"select i1 {known}, double {value.name}, double {writer.number(-0.0).name}")
        writer.add_to(_element_number(writer, target, shape, number), term)

    if 0 not in shape:
        _over(writer, frame.shape(numbers), body)


# --- Sorting ---------------------------------------------------------------------------------------------------------


def _order(frame: Frame, equation: Equation) -> None:
    """Merge sort from the bottom: runs of 1, 2, 4, ... elements are merged in pairs, from one array to the other."""
    writer, (operand,) = frame.writer, equation.operands
    shape, target = frame.shape(operand), frame.buffers[equation.result]
    source = _as_doubles(frame, operand)
    size = shape[-1]
    arrays = [frame.scratch((size,)) for _ in range(2)]
    slots = writer.alloca("i64"), writer.alloca("i64")

    def body(indices: list[str]) -> None:
        here, there = arrays
        with writer.loop(size) as number:
            value = writer.value(f"uitofp i64 {number} to double")
            _store(writer, value, here, [number])
        width = 1
        while width < size:
            _merge(writer, _row(writer, source, indices), here, there, slots, width, size)
            here, there = there, here
            width *= 2
        with writer.loop(size) as number:
            _store(writer, writer.element(here, [number]), target, [*indices, number])

    _over(writer, shape[:-1] if size else (0,), body)


def _row(writer: Writer, place: Memory, indices: list[str]) -> Memory:
    base = writer.address(place.base, place.offset, list(zip(indices, place.strides, strict=False)))
    return Memory(base, 0, place.strides[-1:], place.constant, place.dtype)


def _smallest(writer: Writer, number: str, limit: int) -> str:
    below = writer.value(f"icmp ult i64 {number}, {limit}", "i1").name
    return writer.value(f"select i1 {below}, i64 {number}, i64 {limit}", "i64").name


def _merge(
    writer: Writer, row: Memory, here: Memory, there: Memory, slots: tuple[str, str], width: int, size: int
) -> None:
    """Merge neighbouring sorted runs of `width` numbers from `here` into runs of twice that length in `there`."""
    with writer.loop(-(-size // (2 * width))) as pair:
        low = writer.value(f"mul nuw nsw i64 {pair}, {2 * width}", "i64").name
        middle = _smallest(writer, writer.value(f"add nuw nsw i64 {low}, {width}", "i64").name, size)
        high = _smallest(writer, writer.value(f"add nuw nsw i64 {low}, {2 * width}", "i64").name, size)
        writer.line(f"store i64 {low}, ptr {slots[0]}")
        writer.line(f"store i64 {middle}, ptr {slots[1]}")
        count = writer.value(f"sub nuw nsw i64 {high}, {low}", "i64").name
        with writer.loop(count, scalar=True) as step:
            left, right = (writer.value(f"load i64, ptr {slot}", "i64").name for slot in slots)
            numbers = [writer.element(here, [_smallest(writer, i, size - 1)]) for i in (left, right)]
            first = _goes_first(writer, row, numbers, (left, middle), (right, high))
            chosen = writer.value(f"select i1 {first}, double {numbers[0].name}, double {numbers[1].name}")
            _store(writer, chosen, there, [writer.value(f"add nuw nsw i64 {low}, {step}", "i64").name])
            taken = writer.value(f"zext i1 {first} to i64", "i64").name
            other = writer.value(f"sub i64 1, {taken}", "i64").name
            for slot, index, move in zip(slots, (left, right), (taken, other), strict=True):
                writer.line(f"store i64 {writer.value(f'add i64 {index}, {move}', 'i64').name}, ptr {slot}")


def _goes_first(
    writer: Writer, row: Memory, numbers: list[Register], left: tuple[str, str], right: tuple[str, str]
) -> str:
    """Whether the left run's element comes before the right's: it does unless the right's is smaller."""
    places = [writer.value(f"fptosi double {n.name} to i64", "i64").name for n in numbers]
    a, b = (writer.element(row, [place]).name for place in places)
    smaller = writer.value(f"fcmp olt double {b}, {a}", "i1").name
    # A number is smaller than what is none.
    none, number = (writer.value(f"fcmp {kind} double {x}, 0.0", "i1").name for kind, x in (("uno", a), ("ord", b)))
    before = writer.value(f"or i1 {smaller}, {writer.value(f'and i1 {none}, {number}', 'i1').name}", "i1").name
    empty = writer.value(f"icmp uge i64 {left[0]}, {left[1]}", "i1").name
    more = writer.value(f"icmp ult i64 {right[0]}, {right[1]}", "i1").name
    second = writer.value(f"and i1 {more}, {writer.value(f'or i1 {empty}, {before}', 'i1').name}", "i1").name
    return writer.value(f"xor i1 {second}, true", "i1").name


# --- Recurrences -----------------------------------------------------------------------------------------------------


def _recurrence(frame: Frame, equation: Equation) -> None:
    """Along one axis, whose steps follow one another; the others surround it."""
    writer, shape, axis = frame.writer, frame.shape(equation.result), equation.static["axis"]
    factors, terms = (frame.memory(o) for o in equation.operands)
    target = frame.buffers[equation.result]
    if 0 in shape:
        return
    others = [n for a, n in enumerate(shape) if a != axis]
    slot = writer.alloca()

    def body(outside: list[str]) -> None:
        def at(step: str) -> list[str]:
            return [*outside[:axis], step, *outside[axis:]]

        first = writer.element(terms, at("0"))
        _store(writer, first, target, at("0"))
        writer.store(first, slot)
        if shape[axis] == 1:
            return
        with writer.loop(shape[axis] - 1, scalar=True) as number:
            indices = at(writer.value(f"add nuw nsw i64 {number}, 1", "i64").name)
            product = writer.value(
                f"fmul {FLAGS} double {writer.element(factors, indices).name}, {writer.load(slot).name}"
            )
            total = writer.value(f"fadd {FLAGS} double {writer.element(terms, indices).name}, {product.name}")
            writer.store(total, slot)
            _store(writer, total, target, indices)

    _over(writer, tuple(others), body)


COMPUTED: Mapping[str, BlockRule] = MappingProxyType(
    {"pick": _pick, "place": _place, "order": _order, "linear_recurrence": _recurrence}
)
"""The operations of this module by primitive."""
