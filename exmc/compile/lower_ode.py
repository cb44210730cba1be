"""The machine code of a differential equation's solution: a loop of attempts, and one back over accepted steps."""

from __future__ import annotations

import math
from typing import NamedTuple

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_matrix import copy, operate
from exmc.compile.lower_text import Memory, Register, Writer
from exmc.compile.ode_body import HEAD, OdeBody
from exmc.compile.tape import Equation
from exmc.integrators import VERDICT


class _Counter(NamedTuple):
    """A whole number in a stack slot."""

    writer: Writer
    slot: str

    @classmethod
    def at(cls, writer: Writer, value: int) -> _Counter:
        counter = cls(writer, writer.alloca("i64"))
        counter.set(str(value))
        return counter

    def get(self) -> str:
        return self.writer.value(f"load i64, ptr {self.slot}", "i64").name

    def set(self, value: str) -> None:
        self.writer.line(f"store i64 {value}, ptr {self.slot}")

    def increase(self) -> None:
        self.set(self.writer.value(f"add nsw i64 {self.get()}, 1", "i64").name)

    def below(self, limit: int) -> str:
        return self.writer.value(f"icmp slt i64 {self.get()}, {limit}", "i1").name


def _gather(frame: Frame, source: Memory, target: str, count: int) -> None:
    """Copy the elements of a vector that lies anywhere."""
    copy(frame, source, Memory(target, 0, (1,)), (count,))


def _add(writer: Writer, source: Memory, first: str, target: str, count: int) -> None:
    """Add `count` elements of a vector, from the one numbered `first` on."""
    if count:
        with writer.loop(count, scalar=count < 16) as index:
            place = writer.value(f"add nsw i64 {first}, {index}", "i64").name
            writer.add_to(writer.address(target, 0, [(index, 1)]), writer.element(source, (place,)))


def _at(writer: Writer, base: str, offset: int) -> str:
    return writer.address(base, offset, [])


def _holds(writer: Writer, base: str, offset: int) -> Register:
    return writer.truth(writer.load(_at(writer, base, offset)))


def _ode_path(frame: Frame, equation: Equation) -> None:
    writer = frame.writer
    body: OdeBody = equation.static["loop"].body
    start, parameters, times = (frame.memory(o) for o in equation.operands)
    shared, count = frame.shape(equation.operands[1])[0], frame.shape(equation.operands[2])[0] - 1
    size, width = body.size, body.attempt.carry.size
    buffer = frame.buffers[equation.result]
    path = _at(writer, buffer.base, buffer.offset)
    first, attempt = (frame.embed(part.tape("forward")) for part in (body.first, body.attempt))
    arguments = writer.alloca(f"[{width + shared + 2} x double]")
    results = writer.alloca(f"[{width + VERDICT} x double]")
    _gather(frame, start, arguments, size)
    _gather(frame, parameters, _at(writer, arguments, size), shared)
    _gather(frame, times, _at(writer, arguments, size + shared), 2)
    first.call(writer, arguments, results)
    writer.copy(results, arguments, width)
    _gather(frame, parameters, _at(writer, arguments, width), shared)
    place, taken, tried = (_Counter.at(writer, 0) for _ in range(3))
    again = writer.alloca("i1")
    with writer.repeat(again):
        here = place.get()
        following = writer.value(f"add nsw i64 {here}, 1", "i64").name
        writer.store(writer.element(times, (following,)), _at(writer, arguments, width + shared))
        attempt.call(writer, arguments, results)
        accepted, arrived = (_holds(writer, results, width + i) for i in (0, 1))
        with writer.when(accepted):
            row = writer.address(path, count * size + 1, [(taken.get(), HEAD + size)])
            writer.copy(_at(writer, arguments, size), row, 1)
            writer.copy(_at(writer, results, width + 2), _at(writer, row, 1), 1)
            number = writer.value(f"sitofp i64 {here} to double").name
            ended = writer.value(f"select i1 {arrived.name}, double {number}, double -1.0")
            writer.store(ended, _at(writer, row, 2))
            writer.copy(arguments, _at(writer, row, HEAD), size)
            taken.increase()
        with writer.when(arrived):
            writer.copy(results, writer.address(path, 0, [(here, size)]), size)
            place.increase()
        writer.copy(results, arguments, width)
        tried.increase()
        going = _holds(writer, results, width + 3).name
        both = writer.value(f"and i1 {place.below(count)}, {tried.below(body.max_steps)}", "i1").name
        writer.line(f"store i1 {writer.value(f'and i1 {both}, {going}', 'i1').name}, ptr {again}")
    _fill_rest(writer, path, place, count, size)
    writer.store(writer.value(f"sitofp i64 {taken.get()} to double"), _at(writer, path, count * size))


def _fill_rest(writer: Writer, path: str, place: _Counter, count: int, size: int) -> None:
    """Times that were not reached have no state."""
    reached = writer.value(f"mul nsw i64 {place.get()}, {size}", "i64").name
    missing = writer.value(f"sub nsw i64 {count * size}, {reached}", "i64").name
    with writer.loop(missing, scalar=True, empty=True) as index:
        writer.store(writer.number(math.nan), writer.address(path, 0, [(reached, 1), (index, 1)]))


def _ode_reverse(frame: Frame, equation: Equation) -> None:
    writer, loop = frame.writer, equation.static["loop"]
    size, with_times = loop.body.size, loop.name == "reverse all"
    parameters, times, path, cotangents = (frame.memory(o) for o in equation.operands)
    shared, count = frame.shape(equation.operands[0])[0], frame.shape(equation.operands[1])[0] - 1
    step = frame.embed(loop.body.step.tape(loop.name))
    buffer = frame.buffers[equation.result]
    carried = _at(writer, buffer.base, buffer.offset)
    pulled = loop.body.pulled_size(shared, loop.name)
    total, by_time = _at(writer, carried, size), _at(writer, carried, size + pulled)
    writer.zero(carried, 0, size + pulled + (count + 1 if with_times else 0))
    head = size + shared
    arguments = writer.alloca(f"[{head + 2 + size} x double]")
    found = writer.alloca(f"[{size + pulled + 2} x double]")
    _gather(frame, parameters, _at(writer, arguments, size), shared)
    steps = _at(writer, path.base, path.offset + count * size)
    taken = writer.value(f"fptosi double {writer.load(steps).name} to i64", "i64").name
    place = _Counter.at(writer, count - 1)
    with writer.loop(taken, scalar=True, empty=True) as index:
        back = writer.value(f"sub nsw i64 {taken}, {index}", "i64").name
        row = writer.address(steps, 1 - (HEAD + size), [(back, HEAD + size)])
        ended = writer.load(_at(writer, row, 2))
        with writer.when(writer.value(f"fcmp oge double {ended.name}, 0.0", "i1")):
            place.set(writer.value(f"fptosi double {ended.name} to i64", "i64").name)
            begin = writer.value(f"mul nsw i64 {place.get()}, {size}", "i64").name
            _add(writer, cotangents, begin, carried, size)
        writer.copy(_at(writer, row, HEAD), arguments, size)
        writer.copy(row, _at(writer, arguments, head), 2)
        writer.copy(carried, _at(writer, arguments, head + 2), size)
        step.call(writer, arguments, found)
        writer.copy(found, carried, size)
        _add(writer, Memory(found, size, (1,)), "0", total, pulled)
        if with_times:
            _add_times(writer, times, place.get(), row, _at(writer, found, size + pulled), by_time)


def _add_times(writer: Writer, times: Memory, place: str, row: str, found: str, by_time: str) -> None:
    """A step moves and stretches with the times at both ends of its interval, of which it is a fixed part."""
    following = writer.value(f"add nsw i64 {place}, 1", "i64").name
    begin, end = writer.element(times, (place,)), writer.element(times, (following,))
    span = operate(writer, "fsub", end, begin)
    t, h = writer.load(row), writer.load(_at(writer, row, 1))
    moved, stretched = writer.load(found), writer.load(_at(writer, found, 1))
    change = operate(
        writer,
        "fadd",
        operate(writer, "fmul", operate(writer, "fsub", t, begin), moved),
        operate(writer, "fmul", h, stretched),
    )
    with writer.when(writer.value(f"fcmp ogt double {span.name}, 0.0", "i1")):
        part = operate(writer, "fdiv", change, span)
        writer.add_to(writer.address(by_time, 0, [(following, 1)]), part)
        writer.add_to(writer.address(by_time, 0, [(place, 1)]), operate(writer, "fsub", moved, part))


ODES: dict[str, BlockRule] = {"ode_path": _ode_path, "ode_reverse": _ode_reverse}
"""The solution of a differential equation, and the cotangents of what it depends on."""
