"""A tape as LLVM IR text, with the data and the workspace it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from exmc.compile.lower_blocks import BLOCKS
from exmc.compile.lower_computed import COMPUTED
from exmc.compile.lower_elementwise import ELEMENTWISE
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_linear import LINEAR
from exmc.compile.lower_loops import INITIAL
from exmc.compile.lower_matrix import copy
from exmc.compile.lower_ode import ODES
from exmc.compile.lower_places import index_operand, load_flat, put
from exmc.compile.lower_rows import loop_of
from exmc.compile.lower_scan import SCANS
from exmc.compile.lower_solve import SOLVES
from exmc.compile.lower_stacks import stacked
from exmc.compile.lower_text import Memory, Register, Writer
from exmc.compile.lower_trigamma import trigamma_text
from exmc.compile.lowered import BATCH_SYMBOL, SYMBOL, Program
from exmc.compile.preparation import Preparation
from exmc.compile.primitives import region
from exmc.compile.scan_split import SCAN_PRIMITIVES, split_scans
from exmc.compile.schedule import BlockStep, LoopStep, Part, ScalarStep, schedule
from exmc.compile.strides import contiguous
from exmc.compile.tape import Equation, Tape
from exmc.errors import MissingLoweringError

_MATRICES = {name: stacked(rule) for name, rule in {**LINEAR, **SOLVES}.items()}
_BLOCKS = {**BLOCKS, **_MATRICES, **SCANS, **ODES, **COMPUTED}

LOWERINGS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(ELEMENTWISE, "elementwise")
    | dict.fromkeys(INITIAL, "reduction")
    | dict.fromkeys(_BLOCKS, "block")
    | dict.fromkeys(SCAN_PRIMITIVES, "recurrence")
    | {"scatter": "scatter", "take": "gather"}
)
"""Every primitive that has machine code, and of which kind."""


def lower(tape: Tape, *, scalar_first: bool) -> Program:
    """The machine code of a tape.

    Raises
    ------
    MissingLoweringError
        If a primitive has no lowering.
    """
    frame = _emit(tape, Writer(), scalar_first=scalar_first)
    stride = sum(math.prod(tape.types[o].shape) for o in (tape.outputs[1:] if scalar_first else tape.outputs))
    text = frame.writer.text(SYMBOL) + _batch_text(tape.dimension, stride)
    if "exmc_trigamma" in frame.writer.declarations:
        text = text.replace(frame.writer.declarations["exmc_trigamma"], trigamma_text())
        for line in ("declare double @llvm.rint.f64(double)", "declare double @sin(double) #1"):
            text += "" if line in text else line + "\n"
    return Program(text, frame.packing(), frame.workspace_size, frame.tape.values)


def _emit(tape: Tape, writer: Writer, *, scalar_first: bool = False) -> Frame:
    """The code of a tape, as the lines of one function."""
    tape = split_scans(tape, Preparation(()).absorb)
    require_machine_code(tape)
    frame = Frame(tape, schedule(tape), writer, {e.result: e for e in tape.equations}, emit=_emit)
    offsets = _result_offsets(tape, scalar_first)
    _allocate(frame, offsets)
    for step in frame.schedule.steps:
        if isinstance(step, LoopStep):
            loop_of(frame, step).emit()
        elif isinstance(step, BlockStep):
            equation = frame.equations[step.item]
            _BLOCKS[equation.primitive](frame, equation)
        else:
            _scalar_step(frame, step)
    _write_results(frame, offsets, scalar_first)
    frame.writer.allocas += frame.prologue()
    frame.link()
    return frame


def require_machine_code(tape: Tape, places: Mapping[str, tuple[str, ...]] = MappingProxyType({})) -> None:
    """Raise MissingLoweringError if a primitive has no lowering; `places` says where each primitive comes from."""
    for equation in tape.equations:
        if equation.primitive in LOWERINGS:
            continue
        name, place = equation.primitive, places.get(equation.primitive, ())
        if equation.primitive == "external":
            name, place = equation.static["call"].name, equation.static["call"].place
        raise MissingLoweringError(
            f"{name} has no machine code.",
            where=place,
            remedy="Set engine: autograd, or use functions of exmc.special and elementwise, indexing, reduction "
            "and product functions of autograd.numpy.",
        )


def _result_offsets(tape: Tape, scalar_first: bool) -> list[tuple[int, int]]:
    """Each written output and its offset in the results."""
    pairs, offset = [], 0
    for output in tape.outputs[1:] if scalar_first else tape.outputs:
        pairs.append((output, offset))
        offset += math.prod(tape.types[output].shape)
    return pairs


def _allocate(frame: Frame, offsets: list[tuple[int, int]]) -> None:
    """Place every array that is computed, outputs where they are wanted, and clear those that are added to."""
    direct: dict[int, int] = {}
    for output, offset in offsets:
        direct.setdefault(output, offset)
    for value, role in frame.schedule.roles.items():
        array = role in ("scatter", "block") or (role == "reduction" and frame.shape(value) != ())
        if array or value in frame.schedule.stored:
            frame.allocate(value, direct.get(value))
        if role == "scatter":
            equation = frame.equations[value]
            if _covers(equation, frame.shape(value)):
                frame.covered.add(value)
            else:
                place = frame.buffers[value]
                frame.writer.zero(place.base, place.offset, math.prod(frame.shape(value)))


def _covers(equation: Equation, shape: tuple[int, ...]) -> bool:
    """Whether a scatter writes each element exactly once."""
    parts = equation.static["parts"]
    if None in parts or sum(math.prod(n for _, n, _ in part) for part in parts) != math.prod(shape):
        return False
    count = np.zeros(shape, dtype=np.int8)
    for part in parts:
        count[region(part)] = 1
    return bool(count.all())


def _scalar_step(frame: Frame, step: ScalarStep) -> None:
    writer = frame.writer
    if isinstance(step.item, Part):
        _scalar_part(frame, step.item)
        return
    equation = frame.equations[step.item]
    if equation.primitive == "take":
        index = equation.operands[1]
        place = frame.indices(index, math.prod(frame.shape(equation.operands[0])))
        result = load_flat(frame, equation.operands[0], writer.index(place, ()))
    elif equation.primitive in INITIAL:
        result = frame.scalar(equation.operands[0])
    else:
        result = ELEMENTWISE[equation.primitive](writer, *(frame.scalar(o) for o in equation.operands))
    frame.registers[step.item] = result
    if step.item in frame.buffers:
        place = frame.buffers[step.item]
        writer.store(result, writer.address(place.base, place.offset, []))


def _scalar_part(frame: Frame, part: Part) -> None:
    equation = frame.equations[part.scatter]
    term = frame.scalar(equation.operands[part.number])
    place = frame.buffers[part.scatter]
    writer = frame.writer
    terms: list[tuple[str, int]] = []
    offset = place.offset
    bounds = equation.static["parts"][part.number]
    if bounds is not None:
        offset += sum(start * stride for (start, _, _), stride in zip(bounds, place.strides, strict=True))
    else:
        index = frame.indices(index_operand(frame, part), math.prod(frame.shape(part.scatter)))
        terms = [(writer.index(index, ()), 1)]
    put(frame, part, term, writer.address(place.base, offset, terms))


def _write_results(frame: Frame, offsets: list[tuple[int, int]], scalar_first: bool) -> None:
    """Copy the outputs that are not in their place yet, and return."""
    writer = frame.writer
    for output, offset in offsets:
        shape = frame.shape(output)
        place = Memory("%results", offset, contiguous(shape))
        if frame.buffers.get(output) == place or 0 in shape:
            continue
        if shape == ():
            writer.store(frame.scalar(output), writer.address("%results", offset, []))
        else:
            copy(frame, frame.memory(output), place, shape)
    result = writer.real(frame.scalar(frame.tape.outputs[0])) if scalar_first else Register("0.0", "double")
    writer.line(f"ret double {result.name}")


def _batch_text(dimension: int, stride: int) -> str:
    """A function that evaluates `count` positions, one after the other."""
    return f"""
define void @{BATCH_SYMBOL}(i64 %count, ptr %positions, ptr %values, ptr %results, ptr %workspace, ptr %pointers) #2 {{
entry:
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %body, label %done
body:
  %i = phi i64 [ 0, %entry ], [ %n, %body ]
  %p = mul nsw i64 %i, {dimension}
  %position = getelementptr double, ptr %positions, i64 %p
  %r = mul nsw i64 %i, {stride}
  %result = getelementptr double, ptr %results, i64 %r
  %value = call double @{SYMBOL}(ptr %position, ptr %result, ptr %workspace, ptr %pointers)
  %slot = getelementptr double, ptr %values, i64 %i
  store double %value, ptr %slot, align 8
  %n = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %n, %count
  br i1 %more, label %body, label %done
done:
  ret void
}}
attributes #2 = {{ nounwind }}
"""
