"""The machine code of a scan: a loop that calls one step's code, inlined, forward or in reverse."""

from __future__ import annotations

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import FLAGS, Memory
from exmc.compile.tape import Equation


def _move(frame: Frame, source: Memory, target: str, count: int, indices: tuple[str, ...] = (), at: int = 0) -> None:
    """Copy `count` numbers, at `indices` and along the last axis of `source`, to element `at` of a buffer."""
    writer = frame.writer
    if count:
        with writer.loop(count, scalar=count < 16) as index:
            writer.store(writer.element(source, [*indices, index]), writer.address(target, at, [(index, 1)]))


def _vector(name: str) -> Memory:
    return Memory(name, 0, (1,))


def _scan_rows(frame: Frame, equation: Equation) -> None:
    writer, body = frame.writer, equation.static["loop"].body
    start, parameters, inputs = (frame.memory(o) for o in equation.operands)
    states, shared, given = (frame.shape(o)[-1] for o in equation.operands)
    rows = frame.buffers[equation.result]
    step = frame.embed(body.tape("forward"))
    arguments = writer.alloca(f"[{max(states + shared + given, 1)} x double]")
    _move(frame, start, arguments, states)
    _move(frame, parameters, arguments, shared, at=states)
    with writer.loop(frame.shape(equation.result)[0], scalar=True) as t:
        _move(frame, inputs, arguments, given, (t,), at=states + shared)
        row = writer.address(rows.base, rows.offset, [(t, rows.strides[0])])
        step.call(writer, arguments, row)
        _move(frame, _vector(row), arguments, states)


def _scan_reverse(frame: Frame, equation: Equation) -> None:
    """From the last step to the first; each recomputes its step from the state before it."""
    writer, loop = frame.writer, equation.static["loop"]
    start, parameters, inputs, rows, cotangents = (frame.memory(o) for o in equation.operands)
    states, shared, given = (frame.shape(o)[-1] for o in equation.operands[:3])
    steps, width = frame.shape(equation.operands[3])
    step = frame.embed(loop.body.tape(loop.name))
    results = frame.buffers[equation.result]
    place = writer.address(results.base, results.offset, [])
    head = states + shared
    arguments = writer.alloca(f"[{head + given + width} x double]")
    found = writer.alloca(f"[{head + given} x double]")
    total = writer.alloca(f"[{max(shared, 1)} x double]")
    carried = writer.alloca(f"[{max(states, 1)} x double]")
    writer.zero(carried, 0, states)
    writer.zero(total, 0, shared)
    _move(frame, parameters, arguments, shared, at=states)

    def one(t: str, before: Memory, indices: tuple[str, ...]) -> None:
        _move(frame, before, arguments, states, indices)
        _move(frame, inputs, arguments, given, (t,), at=head)
        _move(frame, cotangents, arguments, width, (t,), at=head + given)
        _add(frame, carried, writer.address(arguments, head + given, []), states)
        step.call(writer, arguments, found)
        _move(frame, _vector(found), carried, states)
        _add(frame, writer.address(found, states, []), total, shared)
        if loop.name == "reverse all":
            target = writer.address(place, head, [(t, given)])
            _move(frame, _vector(writer.address(found, head, [])), target, given)

    if steps > 1:
        with writer.loop(steps - 1, scalar=True) as index:
            t = writer.value(f"sub nuw nsw i64 {steps - 1}, {index}", "i64").name
            one(t, rows, (writer.value(f"sub nuw nsw i64 {steps - 2}, {index}", "i64").name,))
    one("0", start, ())
    _move(frame, _vector(carried), place, states)
    _move(frame, _vector(total), place, shared, at=states)


def _add(frame: Frame, source: str, target: str, count: int) -> None:
    writer = frame.writer
    if count:
        with writer.loop(count, scalar=count < 16) as index:
            writer.add_to(
                writer.address(target, 0, [(index, 1)]), writer.load(writer.address(source, 0, [(index, 1)])), FLAGS
            )


SCANS: dict[str, BlockRule] = {"scan_rows": _scan_rows, "scan_reverse": _scan_reverse}
"""The operations that loop over a tape of their own."""
