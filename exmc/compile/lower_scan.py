"""The machine code of a recurrence: a loop that calls one step's code, inlined, forward or in reverse."""

from __future__ import annotations

import math
from collections.abc import Callable

from exmc.compile.lower_blocks import BlockRule
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import Memory, Writer
from exmc.compile.recurrence import Core
from exmc.compile.strides import contiguous
from exmc.compile.tape import Equation

_WRITTEN_OUT = 16
"""Copies of so many numbers need no loop."""

_SHORT_STEP = 40
"""Equations of a step that is written out four times: its products with the state fuse with the next one's sums."""


def _recurrence(frame: Frame, equation: Equation) -> None:
    writer, core = frame.writer, equation.static["loop"].body
    assert isinstance(core, Core)
    rows = frame.buffers[equation.result]
    step = frame.embed(core.tape)
    arguments = Memory(writer.alloca(f"[{max(core.tape.dimension, 1)} x double]"), 0, (1,))
    found = Memory(writer.alloca(f"[{max(core.width, 1)} x double]"), 0, (1,))
    start, *operands = equation.operands
    offsets = [core.states]
    for number, operand in enumerate(operands):
        shape = frame.shape(operand)
        offsets.append(offsets[-1] + math.prod(shape if number < core.uniforms else shape[1:]))

    def fetch(operand: int, at: int, lead: tuple[str, ...] = ()) -> None:
        shape = frame.shape(operand)[len(lead) :]
        source, target = frame.memory(operand), arguments._replace(offset=at, strides=contiguous(shape))
        _copy(writer, shape, lambda i: writer.element(source, (*lead, *i)).name, target)

    def keep(row: str, count: int, source: Memory) -> None:
        target = rows._replace(strides=rows.strides[1:])
        offset = (row, rows.strides[0])
        _copy(writer, (count,), lambda i: writer.element(source, i).name, target, offset)

    fetch(start, 0)
    keep(str(core.steps if core.reverse else 0), core.states, arguments)
    for operand, at in zip(operands[: core.uniforms], offsets, strict=False):
        fetch(operand, at)
    with writer.loop(core.steps, scalar=True, unrolled=len(core.tape.equations) <= _SHORT_STEP) as index:
        t = writer.value(f"sub nuw nsw i64 {core.steps - 1}, {index}", "i64").name if core.reverse else index
        for operand, at in list(zip(operands, offsets, strict=False))[core.uniforms :]:
            fetch(operand, at, (t,))
        step.call(writer, arguments.base, found.base)
        row = writer.value(f"add nuw nsw i64 {t}, {core.after}", "i64").name if core.after else t
        keep(row, core.width, found)
        _copy(writer, (core.states,), lambda i: writer.element(found, i).name, arguments)


def _copy(
    writer: Writer,
    shape: tuple[int, ...],
    element: Callable[[tuple[str, ...]], str],
    target: Memory,
    lead: tuple[str, int] = ("0", 0),
    indices: tuple[str, ...] = (),
) -> None:
    """Store the elements of an array, those of a small one without a loop."""
    if len(indices) == len(shape):
        terms = [lead, *zip(indices, target.strides, strict=True)]
        name = element(indices)
        writer.line(
            f"store double {name}, ptr {writer.address(target.base, target.offset, terms)}, align 8, !noalias !2"
        )
    elif math.prod(shape) <= _WRITTEN_OUT:
        for number in range(shape[len(indices)]):
            _copy(writer, shape, element, target, lead, (*indices, str(number)))
    else:
        with writer.loop(shape[len(indices)]) as index:
            _copy(writer, shape, element, target, lead, (*indices, index))


SCANS: dict[str, BlockRule] = {"recurrence": _recurrence}
"""The operations that loop over a tape of their own."""
