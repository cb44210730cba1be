"""Orders a tape into steps of machine code: scalar arithmetic, fused loops, and products of arrays.

Every value has a level. It rises only where a value must be complete before it is used: after a reduction, a scatter,
a product, or an array of another shape. All elementwise work of one level over one domain shares one loop, so that the
forward and backward sweep of a likelihood read its data together. An elementwise value is computed as late as its
consumers allow, and again where that is cheaper than a trip through memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from exmc.compile.primitives import PRIMITIVES
from exmc.compile.row_products import RowProduct, row_product
from exmc.compile.strides import array_strides, contiguous, renamed_strides, row_major, view_strides
from exmc.compile.tape import Equation, Tape

Domain = tuple[int, ...]
Role = Literal["scalar", "loop", "reduction", "scatter", "block", "view"]

# Cheaper to compute twice than to store and load.
CHEAP = frozenset(
    {
        *(
            "add",
            "subtract",
            "multiply",
            "negative",
            "absolute",
            "maximum",
            "minimum",
            "where",
            "broadcast",
            "to_float",
        ),
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
        *("logical_and", "logical_or", "logical_not"),
    }
)
_CHEAP_OPERATIONS = 4


class Part(NamedTuple):
    """One contribution to a scatter."""

    scatter: int
    number: int


class ScalarStep(NamedTuple):
    """Compute a scalar, or add a scalar part to a scatter."""

    item: int | Part


class LoopStep(NamedTuple):
    """One pass over a domain: elementwise values, reductions and scatter parts, in order."""

    domain: Domain
    items: tuple[int | Part, ...]


class BlockStep(NamedTuple):
    """An operation with loops of its own."""

    item: int


Step = ScalarStep | LoopStep | BlockStep


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps in order; which loop values go to memory; which may be computed again in a later loop.

    `products` are the products that are part of a loop over rows.
    """

    steps: tuple[Step, ...]
    roles: dict[int, Role]
    stored: frozenset[int]
    repeated: frozenset[int]
    products: Mapping[int, RowProduct]


def schedule(tape: Tape) -> Schedule:
    """The order of work for a tape."""
    return _Scheduler(tape).run()


class _Scheduler:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.equations = {e.result: e for e in tape.equations}
        self.strides: dict[int, tuple[int, ...]] = {}
        found = {e.result: row_product(tape, e) for e in tape.equations}
        self.products: dict[int, RowProduct] = {v: product for v, product in found.items() if product is not None}
        self.roles: dict[int, Role] = {e.result: self._role(e) for e in tape.equations}
        self.level: dict[int, int] = {}
        self.part_level: dict[Part, int] = {}
        self.users: dict[int, list[int | Part]] = defaultdict(list)
        self.pinned: set[int] = set(tape.outputs)

    def run(self) -> Schedule:
        for equation in self.tape.equations:
            self._connect(equation)
        for equation in self.tape.equations:
            self._place(equation)
        for equation in reversed(self.tape.equations):
            if self.roles[equation.result] == "loop" and equation.result not in self.pinned:
                self._sink(equation.result)
        repeated = self._repeatable()
        stored = {
            v
            for v, role in self.roles.items()
            if (role in ("loop", "scalar", "reduction") and v in self.pinned)
            or (role == "loop" and self._escapes(v, repeated))
        }
        return Schedule(self._steps(), self.roles, frozenset(stored), frozenset(repeated - stored), self.products)

    def _role(self, equation: Equation) -> Role:
        result, primitive = equation.result, PRIMITIVES[equation.primitive]
        source = equation.operands[0]
        shape, source_shape = self.tape.types[result].shape, self.tape.types[source].shape
        if result in self.products:
            return "loop" if self.products[result].forward else "reduction"
        if primitive.kind == "view":
            if source_shape == ():
                return "scalar" if shape == () else "loop"
            strides = self.strides.get(source, contiguous(source_shape))
            if equation.primitive == "reshape":
                renamed = renamed_strides(source_shape, strides, shape)
                if renamed is not None:
                    self.strides[result] = renamed
                    return "view"
                return "view" if row_major(source_shape, strides) else "loop"
            self.strides[result] = view_strides(equation, strides)
            return "view"
        if primitive.kind == "reduction":
            return "reduction" if source_shape != () else "scalar"
        if primitive.kind == "elementwise":
            return "loop" if shape != () else "scalar"
        self.strides[result] = array_strides(equation, shape)
        return "scatter" if equation.primitive == "scatter" else "block"

    def domain(self, item: int | Part) -> Domain:
        """The index space over which an item's loop runs; () for a scalar."""
        if isinstance(item, Part):
            return self.tape.types[self.equations[item.scatter].operands[item.number]].shape
        equation = self.equations[item]
        if item in self.products:
            return (self.products[item].rows,)
        if self.roles[item] == "reduction" or (equation.primitive == "reshape" and self.roles[item] == "loop"):
            source = self.tape.types[equation.operands[0]].shape
            return source if source != () else self.tape.types[item].shape
        return self.tape.types[item].shape

    def _connect(self, equation: Equation) -> None:
        result, role = equation.result, self.roles[equation.result]
        for number, value in enumerate(equation.operands):
            if role == "scatter":
                self.users[value].append(Part(result, number))
            else:
                self.users[value].append(result)
            if role in ("view", "block") or value == self._whole(equation):
                self.pinned.add(value)
        if role == "loop" and self._result_domain(result) is None:
            self.pinned.add(result)

    def _whole(self, equation: Equation) -> int | None:
        """The operand of which each step of the loop may use every element."""
        product = self.products.get(equation.result)
        if product is not None and product.forward:
            return product.vector
        return equation.operands[0] if equation.primitive == "take" else None

    def _ready(self, value: int, domain: Domain | None) -> int:
        """The first level at which `value` can be used in a loop over `domain` (None: elsewhere)."""
        if value not in self.roles:
            return 0
        role = self.roles[value]
        if role == "view":
            return self._ready(self.equations[value].operands[0], None)
        if role == "scatter":
            return 1 + max((self.part_level[p] for p in self._parts(value)), default=0)
        fused = role == "loop" and domain is not None and domain == self._result_domain(value)
        return self.level[value] + (0 if role == "scalar" or fused else 1)

    def _result_domain(self, value: int) -> Domain | None:
        # The elements of a copying reshape are numbered otherwise than its loop.
        copying = self.equations[value].primitive == "reshape" and self.domain(value) != self.tape.types[value].shape
        return None if copying else self.domain(value)

    def _parts(self, value: int) -> list[Part]:
        return [Part(value, n) for n in range(len(self.equations[value].static["parts"]))]

    def _place(self, equation: Equation) -> None:
        result, role = equation.result, self.roles[equation.result]
        if role == "scatter":
            for part in self._parts(result):
                self.part_level[part] = self._ready(equation.operands[part.number], self.domain(part))
        elif role != "view":
            domain = self.domain(result) if role in ("loop", "reduction") else None
            whole = self._whole(equation)
            self.level[result] = max(
                (self._ready(v, None if v == whole else domain) for v in equation.operands), default=0
            )

    def _item_level(self, item: int | Part) -> int:
        return self.part_level[item] if isinstance(item, Part) else self.level[item]

    def _is_loop(self, item: int | Part) -> bool:
        return isinstance(item, Part) or self.roles[item] in ("loop", "reduction")

    def _sink(self, value: int) -> None:
        users = self.users[value]
        if users and all(self._is_loop(u) and self.domain(u) == self.domain(value) for u in users):
            self.level[value] = max(self.level[value], min(map(self._item_level, users)))

    def _together(self, value: int, user: int | Part) -> bool:
        """Whether a user runs in the loop that computes `value`."""
        if not self._is_loop(user):
            return False
        return self._item_level(user) == self.level[value] and self.domain(user) == self._result_domain(value)

    def _repeatable(self) -> set[int]:
        """Loop values that later loops over the same domain had better compute again."""
        cost: dict[int, int] = {}
        for equation in self.tape.equations:
            v = equation.result
            if self.roles[v] != "loop" or v in self.pinned or equation.primitive not in CHEAP:
                continue
            total = 1
            for o in equation.operands:
                loop = self.roles.get(o) == "loop" and o not in self.pinned
                same = self.tape.types[o].shape == self.domain(v)
                total += (cost.get(o, _CHEAP_OPERATIONS) if same else _CHEAP_OPERATIONS) if loop else 0
            if total <= _CHEAP_OPERATIONS and all(
                self._is_loop(u) and self.domain(u) == self.domain(v) for u in self.users[v]
            ):
                cost[v] = total
        return set(cost)

    def _escapes(self, value: int, repeated: set[int]) -> bool:
        """Whether some user finds `value` in memory only."""
        if value in repeated:
            return False
        return any(not self._together(value, u) for u in self.users[value])

    def _steps(self) -> tuple[Step, ...]:
        scalars: dict[int, list[ScalarStep]] = defaultdict(list)
        loops: dict[tuple[int, Domain], list[int | Part]] = defaultdict(list)
        blocks: dict[int, list[BlockStep]] = defaultdict(list)
        for equation in self.tape.equations:
            result, role = equation.result, self.roles[equation.result]
            if role == "scalar":
                scalars[self.level[result]].append(ScalarStep(result))
            elif role in ("loop", "reduction"):
                loops[self.level[result], self.domain(result)].append(result)
            elif role == "block":
                blocks[self.level[result]].append(BlockStep(result))
            elif role == "scatter":
                for part in self._parts(result):
                    if self.domain(part) == ():
                        scalars[self.part_level[part]].append(ScalarStep(part))
                    else:
                        loops[self.part_level[part], self.domain(part)].append(part)
        steps: list[Step] = []
        for level in sorted({*scalars, *blocks, *(level for level, _ in loops)}):
            steps += scalars[level]
            steps += [LoopStep(d, tuple(items)) for (at, d), items in loops.items() if at == level]
            steps += blocks[level]
        return tuple(steps)
