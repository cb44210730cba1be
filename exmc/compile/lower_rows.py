"""Loops over the rows of data: in blocks, where matrices are multiplied, and group by group, where rows are sorted."""

from __future__ import annotations

import math

from exmc.compile.lower_frame import Frame
from exmc.compile.lower_loops import FusedLoop, Sweep
from exmc.compile.lower_places import index_operand, load_flat, put
from exmc.compile.lower_text import SUM_FLAGS, Memory, Register
from exmc.compile.lower_vectors import WIDTH, multiply_tile, transposed_tile
from exmc.compile.row_products import RowProduct
from exmc.compile.schedule import LoopStep, Part

_ROWS_PER_GROUP = 16
"""Groups of fewer rows on average do not repay the loop around them."""

_LEAST_ROWS = 64
_TILE_BYTES = 32 * 1024


def loop_of(frame: Frame, step: LoopStep) -> FusedLoop:
    """The way to run a step's loop."""
    products = [i for i in step.items if not isinstance(i, Part) and i in frame.schedule.products]
    if products:
        return BlockedLoop(frame, step)
    index = _sorting_index(frame, step)
    if index is not None:
        return GroupedLoop(frame, step, index)
    if _deferred(frame, step.items) and len(step.domain) == 1 and step.domain[0] >= _LEAST_ROWS:
        return BlockedLoop(frame, step)
    return FusedLoop(frame, step)


def _indexed(frame: Frame, part: Part) -> bool:
    return frame.equations[part.scatter].static["parts"][part.number] is None


def _deferred(frame: Frame, items: tuple[int | Part, ...]) -> list[Part]:
    """The parts of scatters that would keep a loop from being vectorised: those at indices, and a second to one array.

    The second may overlap the first, as where both x[1:] and x[:-1] are used.
    """
    met: set[int] = set()
    found = []
    for part in items:
        if isinstance(part, Part):
            if _indexed(frame, part) or part.scatter in met:
                found.append(part)
            met.add(part.scatter)
    return found


def _sorting_index(frame: Frame, step: LoopStep) -> int | None:
    """The index of groups by which a step's rows may be sorted: nothing that leaves the loop knows their order."""
    parts = [i for i in step.items if isinstance(i, Part)]
    if len(step.domain) != 1 or not parts or not all(_indexed(frame, p) for p in parts):
        return None
    targets = {(index_operand(frame, p), math.prod(frame.shape(p.scatter))) for p in parts}
    if len(targets) != 1:
        return None
    ((index, groups),) = targets
    if step.domain[0] < max(_ROWS_PER_GROUP * groups, _LEAST_ROWS) or index not in frame.tape.constants:
        return None
    values = [i for i in step.items if not isinstance(i, Part)]
    inside = {v for v in values if frame.schedule.roles[v] == "loop"}
    needed = [*(frame.equations[p.scatter].operands[p.number] for p in parts), *_operands(frame, values)]
    outside = [v for v in needed if v not in inside and frame.shape(v) == step.domain]
    free = all(v in frame.tape.constants or v in frame.schedule.repeated for v in outside)
    kept = any(v in frame.schedule.stored for v in inside) or any(
        frame.schedule.roles[v] == "reduction" and frame.shape(v) != () for v in values
    )
    return index if free and not kept else None


def _operands(frame: Frame, values: list[int]) -> list[int]:
    """The operands of values and of what they compute again, but for arrays that are gathered from."""
    found: list[int] = []
    for value in values:
        equation = frame.equations[value]
        operands = list(equation.operands[1:] if equation.primitive == "take" else equation.operands)
        found += operands
        found += _operands(frame, [o for o in operands if o in frame.schedule.repeated])
    return found


class BlockedLoop(FusedLoop):
    """A loop over rows in blocks that stay in the first-level cache.

    In each block come first the products of its rows with vectors, then elementwise work, which can be vectorised as
    nothing in it adds to memory, then what the rows add to products and scatters. Between these, values wait in
    buffers on the stack. So a matrix is read once for both of its products.
    """

    def __init__(self, frame: Frame, step: LoopStep) -> None:
        super().__init__(frame, step)
        products = frame.schedule.products
        self.forward = {v: products[v] for v in self.computed if v in products}
        self.transposed = {v: products[v] for v in self.reductions if v in products}
        self.reductions = [v for v in self.reductions if v not in products]
        columns = max((p.columns for p in (*self.forward.values(), *self.transposed.values())), default=8)
        rows = step.domain[0]
        fitting = _TILE_BYTES // (8 * columns) // 32 * 32
        self.size = min(max(min(fitting, 256), 32), -(-rows // 32) * 32)
        self.deferred = _deferred(frame, step.items)
        self.local_index = "0"
        self.waiting: dict[int, str] = {}
        self.totals: dict[int, str] = {}

    def _plan(self) -> None:
        super()._plan()
        for product in self.transposed.values():
            self._plan_value(product.vector)

    def _plan_operands(self, value: int) -> None:
        if value in self.forward:
            self.frame.memory(self.forward[value].vector)
        else:
            super()._plan_operands(value)

    @property
    def _idle(self) -> bool:
        return not (self.parts or self.reductions or self.computed or self.transposed)

    def _nest(self, extents: list[int], sweeps: list[Sweep], indices: list[str]) -> None:
        (rows,) = self.domain
        writer = self.writer
        kept = [product.vector for product in self.transposed.values()]
        kept += [self.frame.equations[p.scatter].operands[p.number] for p in self.deferred]
        for value in (*self.forward, *kept):
            self.waiting.setdefault(value, writer.alloca(f"[{self.size} x double]"))
        for value, product in self.transposed.items():
            self.totals[value] = self._begin_totals(product)
        if rows <= self.size:
            self._block(sweeps, "0", "0", rows)
        else:
            with writer.loop(-(-rows // self.size)) as block:
                start = writer.value(f"mul nuw nsw i64 {block}, {self.size}", "i64").name
                left = writer.value(f"sub nuw nsw i64 {rows}, {start}", "i64").name
                fits = writer.value(f"icmp ult i64 {left}, {self.size}", "i1").name
                count = writer.value(f"select i1 {fits}, i64 {left}, i64 {self.size}", "i64").name
                self._block(sweeps, block, start, count if rows % self.size else self.size)
        for value, product in self.transposed.items():
            self._finish_totals(value, product)

    def _begin_totals(self, product: RowProduct) -> str:
        """Vectors of partial sums, one for each column."""
        totals = self.writer.alloca(f"[{product.columns * WIDTH} x double]")
        self.writer.zero(totals, 0, product.columns * WIDTH)
        return totals

    def _finish_totals(self, value: int, product: RowProduct) -> None:
        writer, place = self.writer, self.frame.buffers[value]
        with writer.loop(product.columns, scalar=True) as column:
            total = writer.sum_of_vector(writer.address(self.totals[value], 0, [(column, WIDTH)]))
            writer.store(total, writer.address(place.base, place.offset, [(column, place.strides[0])]))

    def _block(self, sweeps: list[Sweep], block: str, start: str, count: int | str) -> None:
        writer = self.writer
        for value, product in self.forward.items():
            tile = self._tile(product, block)
            vector = self.frame.memory(product.vector)
            multiply_tile(writer, tile, product.columns, self.size, vector, self.waiting[value])
        with writer.loop(count) as row:
            self.local_index = row
            self._body(sweeps, [self._row(row, start)])
        for value in dict.fromkeys(product.vector for product in self.transposed.values()):
            self._clear_rest(self.waiting[value], count)
        for value, product in self.transposed.items():
            tile = self._tile(product, block)
            buffer = self.waiting[product.vector]
            transposed_tile(writer, tile, product.columns, self.size, buffer, self.totals[value])
        self._scatter_block(start, count)

    def _tile(self, product: RowProduct, block: str) -> tuple[Memory, str]:
        place = self.frame.tiles(product.matrix, product.axis, self.size)
        if block == "0":
            return place, "0"
        return place, self.writer.value(f"mul nuw nsw i64 {block}, {place.strides[0]}", "i64").name

    def _clear_rest(self, buffer: str, count: int | str) -> None:
        """Rows beyond the last add nothing to a product, whatever the block before left there."""
        if isinstance(count, int):
            self.writer.zero(buffer, count, self.size - count)
            return
        rest = self.writer.value(f"sub nuw nsw i64 {self.size}, {count}", "i64").name
        with self.writer.loop(rest, scalar=True, empty=True) as index:
            self.writer.store(self.writer.number(0.0), self.writer.address(buffer, 0, [(index, 1), (count, 1)]))

    def _scatter_block(self, start: str, count: int | str) -> None:
        indexed = [p for p in self.deferred if _indexed(self.frame, p)]
        if indexed:
            with self.writer.loop(count, scalar=True) as row:
                index = self._row(row, start)
                for part in indexed:
                    number = self._number((f"index{part.scatter}", part.number), [index])
                    self._add_at(part, self._waiting_term(part, row), number)
        for part in self.deferred:
            if part not in indexed:
                with self.writer.loop(count) as row:
                    address = self._address((f"part{part.scatter}", part.number), [self._row(row, start)])
                    put(self.frame, part, self._waiting_term(part, row), address)

    def _row(self, row: str, start: str) -> str:
        return row if start == "0" else self.writer.value(f"add nuw nsw i64 {row}, {start}", "i64").name

    def _waiting_term(self, part: Part, row: str) -> Register:
        value = self.frame.equations[part.scatter].operands[part.number]
        return self.writer.load(self.writer.address(self.waiting[value], 0, [(row, 1)]))

    def _body(self, sweeps: list[Sweep], indices: list[str]) -> None:
        super()._body(sweeps, indices)
        for value, buffer in self.waiting.items():
            if value not in self.forward:
                address = self.writer.address(buffer, 0, [(self.local_index, 1)])
                self.writer.store(self._value(value, indices), address)

    def _value(self, value: int, indices: list[str]) -> Register:
        if value in self.forward and value not in self.local:
            address = self.writer.address(self.waiting[value], 0, [(self.local_index, 1)])
            self.local[value] = self.writer.load(address)
        return super()._value(value, indices)

    def _part(self, part: Part, indices: list[str]) -> None:
        if part not in self.deferred:
            super()._part(part, indices)


class GroupedLoop(FusedLoop):
    """A loop over rows sorted by group: what a group shares is loaded once, what its rows add is added once."""

    def __init__(self, frame: Frame, step: LoopStep, index: int) -> None:
        super().__init__(frame, step)
        self.index = index
        self.groups = math.prod(frame.shape(self.parts[0].scatter))
        self.group = "0"
        self.totals: dict[Part, str] = {}
        self.shared: dict[int, Register] = {}

    def _data(self, value: int) -> Memory:
        if value in self.frame.tape.constants and self.frame.shape(value) == self.domain:
            return self.frame.data(value, sorted_by=self.index)
        return super()._data(value)

    def _indices(self, constant: int, target: int) -> Memory:
        if self.frame.shape(constant) == self.domain:
            return self.frame.indices(constant, math.prod(self.frame.shape(target)), sorted_by=self.index)
        return super()._indices(constant, target)

    def _nest(self, extents: list[int], sweeps: list[Sweep], indices: list[str]) -> None:
        writer = self.writer
        starts = self.frame.starts(self.index, self.groups)
        self.totals = {part: writer.alloca() for part in self.parts}
        gathers = [v for v in self._taken() if self.frame.equations[v].operands[1] == self.index]
        with writer.loop(self.groups) as group:
            following = writer.value(f"add nuw nsw i64 {group}, 1", "i64").name
            start, end = writer.index(starts, [group]), writer.index(starts, [following])
            count = writer.value(f"sub nuw nsw i64 {end}, {start}", "i64").name
            for slot in self.totals.values():
                writer.store(writer.number(0.0), slot)
            self.shared = {v: self._shared_value(v, group) for v in gathers}
            with writer.loop(count, empty=True, short=True) as row:
                index = writer.value(f"add nuw nsw i64 {row}, {start}", "i64").name
                self._body(sweeps, [index])
            for part, slot in self.totals.items():
                place = self.frame.buffers[part.scatter]
                address = writer.address(place.base, place.offset, [(group, 1)])
                put(self.frame, part, writer.load(slot), address)
        self.shared = {}

    def _taken(self) -> list[int]:
        """The gathers of the loop and of what it computes again."""
        frame = self.frame
        values = [i for i in self.items if not isinstance(i, Part)]
        values += _operands(frame, values)
        values += [frame.equations[p.scatter].operands[p.number] for p in self.parts]
        found = [v for v in dict.fromkeys(values) if v in frame.equations]
        return [v for v in found if frame.equations[v].primitive == "take" and frame.shape(v) == self.domain]

    def _shared_value(self, value: int, group: str) -> Register:
        return load_flat(self.frame, self.frame.equations[value].operands[0], group)

    def _value(self, value: int, indices: list[str]) -> Register:
        if value in self.shared:
            return self.shared[value]
        return super()._value(value, indices)

    def _part(self, part: Part, indices: list[str]) -> None:
        term = self.writer.real(self._value(self.frame.equations[part.scatter].operands[part.number], indices))
        self.writer.add_to(self.totals[part], term, SUM_FLAGS)
