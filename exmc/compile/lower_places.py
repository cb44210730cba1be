"""How code reaches single elements: gathers from arrays, and adds to scatters."""

from __future__ import annotations

from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import Register
from exmc.compile.schedule import Part
from exmc.compile.strides import contiguous


def index_operand(frame: Frame, part: Part) -> int:
    """The value id of the indices of a scatter part that has some."""
    equation = frame.equations[part.scatter]
    regions = equation.static["parts"]
    return equation.operands[len(regions) + sum(r is None for r in regions[: part.number])]


def load_flat(frame: Frame, value: int, number: str) -> Register:
    """Element `number`, in row-major order, of an array in memory."""
    place = frame.memory(value)
    terms: list[tuple[str, int]] = []
    if place.strides == contiguous(frame.shape(value)):
        terms = [(number, 1)]
    else:
        rest = number
        for extent, stride in reversed(list(zip(frame.shape(value), place.strides, strict=True))):
            terms.append((frame.writer.value(f"urem i64 {rest}, {extent}", "i64").name, stride))
            rest = frame.writer.value(f"udiv i64 {rest}, {extent}", "i64").name
    numbers = [name for name, _ in terms]
    return frame.writer.element(place._replace(strides=tuple(stride for _, stride in terms)), numbers)


def put(frame: Frame, part: Part, term: Register, address: str) -> None:
    """Add a term to a scatter, or just store it where nothing else is added."""
    if part.scatter in frame.covered:
        frame.writer.store(term, address)
    else:
        frame.writer.add_to(address, term)
