"""The machine code of operations with loops of their own: products of arrays, running sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from exmc.compile.lower_frame import Frame
from exmc.compile.lower_text import FLAGS, SUM_FLAGS, Memory, Register
from exmc.compile.tape import Equation

BlockRule = Callable[[Frame, Equation], None]

_TILE = 512
"""Elements of the long axis per tile: a tile of every operand row stays in the first-level cache."""


def _contract(frame: Frame, equation: Equation) -> None:
    """A product of arrays summed over shared axes: a nest of loops with the longest axis inside.

    Constant operands are stored with that axis contiguous. Where it is kept the result's row is updated (axpy),
    where it is summed a register is; other loops surround, the kept ones outside.
    """
    writer = frame.writer
    spec = equation.static["spec"]
    inputs, output = spec.split("->")
    terms = inputs.split(",")
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, equation.operands, strict=True):
        sizes.update(zip(term, frame.shape(operand), strict=True))
    target = frame.buffers[equation.result]
    count = 1
    for letter in output:
        count *= sizes[letter]
    writer.zero(target.base, target.offset, count)
    if 0 in sizes.values():
        return
    inner = max(sizes, key=lambda letter: (sizes[letter], letter in output))
    outer = [c for c in output if c != inner] + [c for c in sizes if c not in output and c != inner]
    places = [_place(frame, o, term, inner) for o, term in zip(equation.operands, terms, strict=True)]
    nest = _ContractionNest(frame, terms, places, output, target, sizes)
    nest.emit(outer, inner)


def _place(frame: Frame, operand: int, term: str, inner: str) -> Memory:
    if operand not in frame.tape.constants or inner not in term:
        return frame.memory(operand)
    last = term.index(inner)
    order = (*(axis for axis in range(len(term)) if axis != last), last)
    return frame.data(operand, order)


class _ContractionNest:
    def __init__(
        self,
        frame: Frame,
        terms: list[str],
        places: list[Memory],
        output: str,
        target: Memory,
        sizes: dict[str, int],
    ) -> None:
        self.frame, self.writer = frame, frame.writer
        self.terms, self.places, self.output, self.target, self.sizes = terms, places, output, target, sizes

    def emit(self, outer: list[str], inner: str) -> None:
        """Write the nest; a long inner axis that others go around is cut into tiles."""
        size = self.sizes[inner]
        whole = size // _TILE * _TILE
        if outer and size > 2 * _TILE:
            with self.writer.loop(size // _TILE) as tile:
                start = self.writer.value(f"mul nuw nsw i64 {tile}, {_TILE}", "i64").name
                self._around(outer, {}, inner, start, _TILE)
            if size > whole:
                self._around(outer, {}, inner, str(whole), size - whole)
        else:
            self._around(outer, {}, inner, "0", size)

    def _around(self, outer: list[str], indices: dict[str, str], inner: str, start: str, count: int) -> None:
        if outer:
            with self.writer.loop(self.sizes[outer[0]]) as index:
                self._around(outer[1:], {**indices, outer[0]: index}, inner, start, count)
            return
        summed = inner not in self.output
        slot = self.writer.alloca() if summed else ""
        if summed:
            self.writer.store(self.writer.number(0.0), slot)
        with self.writer.loop(count) as step:
            index = step if start == "0" else self.writer.value(f"add nuw nsw i64 {step}, {start}", "i64").name
            here = {**indices, inner: index}
            address = slot if summed else self._address(self.output, self.target, here)
            self._accumulate(address, self._product(here), SUM_FLAGS if summed else FLAGS)
        if summed:
            total = self.writer.load(slot)
            self._accumulate(self._address(self.output, self.target, indices), total, FLAGS)

    def _accumulate(self, address: str, term: Register, flags: str) -> None:
        total = self.writer.value(f"fadd {flags} double {self.writer.load(address).name}, {term.name}")
        self.writer.store(total, address)

    def _product(self, indices: dict[str, str]) -> Register:
        product: Register | None = None
        for term, place in zip(self.terms, self.places, strict=True):
            factor = self.writer.element(place, [indices[letter] for letter in term])
            if product is not None:
                factor = self.writer.value(f"fmul {FLAGS} double {product.name}, {factor.name}")
            product = factor
        assert product is not None
        return product

    def _address(self, term: str, place: Memory, indices: dict[str, str]) -> str:
        steps = [(indices[letter], stride) for letter, stride in zip(term, place.strides, strict=True)]
        return self.writer.address(place.base, place.offset, steps)


def _cumsum(frame: Frame, equation: Equation) -> None:
    """Running sums along one axis."""
    writer = frame.writer
    shape = frame.shape(equation.result)
    source, target = frame.memory(equation.operands[0]), frame.buffers[equation.result]
    axis = equation.static["axis"]
    if 0 in shape:
        return
    slot = writer.alloca()

    def nest(axes: list[int], indices: dict[int, str]) -> None:
        if len(axes) == 1:
            writer.store(writer.number(0.0), slot)
        if axes:
            with writer.loop(shape[axes[0]]) as index:
                nest(axes[1:], {**indices, axes[0]: index})
            return
        element = writer.element(source, [indices[a] for a in range(len(shape))])
        total = writer.value(f"fadd {FLAGS} double {writer.load(slot).name}, {element.name}")
        writer.store(total, slot)
        steps = [(indices[a], target.strides[a]) for a in range(len(shape))]
        writer.store(total, writer.address(target.base, target.offset, steps))

    nest([*(a for a in range(len(shape)) if a != axis), axis], {})


BLOCKS: Mapping[str, BlockRule] = MappingProxyType({"contract": _contract, "cumsum": _cumsum})
"""Every operation that is lowered to loops of its own."""
