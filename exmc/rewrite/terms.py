"""The terms of the sum over the values of a block: log densities at one combination of them, and where rows stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exmc.errors import ModelError
from exmc.ir.calls import batch_of, form_of
from exmc.ir.events import infer_call
from exmc.ir.expressions import Constant, Expression, Reference, Slice, apply, indexed, substitute
from exmc.ir.laws import log_density
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Data, Observation
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import plus
from exmc.rewrite.blocks import Block
from exmc.rewrite.changes import unused_name
from exmc.rewrite.owners import NONE

Chosen = Mapping[str, int]
"""A value of each variable of a block, by name."""


class Terms:
    """The terms of one block as expressions, and the data that they need."""

    def __init__(self, block: Block, model: Model, types: Mapping[str, ArrayType]) -> None:
        self.block, self.model, self.types = block, model, types
        self.name = block.variables[0].name
        self.data: dict[str, Data] = {}
        self.users = tuple(n for n in (model[name] for name in block.users) if isinstance(n, Observation))
        self.rows = Rows.of(block)

    @property
    def one_each(self) -> bool:
        """Whether each element has one row in each observation, at its own place."""
        shape, numbers = self.block.shape, np.arange(self.block.size)
        return all(own.shape == shape and np.array_equal(own.ravel(), numbers) for own in self.block.owners.values())

    def prior(self, chosen: Chosen) -> Expression:
        """The log probability of the values `chosen` of all but chains, of the shape of the block."""
        total: Expression = Constant(0.0)
        for variable in self.block.variables:
            if variable not in self.block.chains:
                found = self.types[variable.name]
                call = self._at(variable.call, variable.name, found, chosen)
                term = log_density(call, Constant(chosen[variable.name]), ArrayType(found.shape, found.dims))
                total = plus(total, term)
        return total

    def seen(self, user: Observation, chosen: Chosen) -> Expression:
        """The log density of each event that `user` has seen, 0 where it is masked."""
        assert isinstance(user.target, Call)
        found = self.types[user.name]
        batch = batch_of(found, form_of(user.target))
        call = self._at(user.target, user.name, found, chosen)
        term = log_density(call, user.value, ArrayType(batch.shape, batch.dims))
        return term if user.mask is None else apply("where", user.mask, term, 0.0)

    def by_row(self, chosen: Chosen) -> Expression:
        """The log densities of the rows of each element, the first 0, shape (elements, rows of an element and one)."""
        picked: list[Expression] = [Constant(0.0)]
        for user in self.users:
            places = np.argwhere(self.block.owners[user.name] != NONE).T
            picked.append(self._picked(self.seen(user, chosen), f"{user.name}_rows", places))
        return apply("concatenate", *picked)[self.add("rows", self.rows.table)]

    def table(self, prior: Callable[[Chosen], Expression]) -> Expression:
        """Sums of terms, shape (elements, rows of an element and one more, combinations).

        In place [b, j, c] stands the log of p(values c), whose shape is the block's, and the densities of the first j
        rows of element b.
        """
        rows, count = self.rows, self.block.size
        flat = []
        for chosen in self.block.combinations:
            picked = self._picked(prior(chosen), "elements", np.indices(self.block.shape))
            first = indexed(apply("concatenate", picked), [Slice(), None])
            sums = plus(first, apply("cumsum", self.by_row(chosen), axis=1))
            grid = np.indices((count, rows.width)).reshape(2, -1)
            flat.append(self._picked(sums, "grid", grid))
        number = len(self.block.combinations)
        stack = np.moveaxis(np.arange(number * count * rows.width).reshape(number, count, rows.width), 0, -1)
        return apply("concatenate", *flat)[self.add("stack", stack)]

    def in_turn(self, user: Observation, table: str) -> Expression:
        """The log density of each row of `user` given those before it that share its element."""
        owners, places = self.block.owners[user.name], self.rows.places[user.name]
        total = apply("logsumexp", Reference(table), axis=2)
        owned = owners != NONE
        element = self.add(f"{user.name}_element", np.where(owned, owners, 0))
        after = self.add(f"{user.name}_after", np.where(owned, places, 0))
        before = self.add(f"{user.name}_before", np.where(owned, places - 1, 0))
        term = indexed(total, [element, after]) - indexed(total, [element, before])
        if owned.all():
            return term
        alone = self.seen(user, self.block.combinations[0])
        return apply("where", self.add(f"{user.name}_owned", owned), term, alone)

    def add(self, what: str, values: NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_]) -> Reference:
        """A reference to `values` as data of the block."""
        name = unused_name(f"{self.name}_{what}_at", self.model)
        self.data.setdefault(name, Data(name, values))
        return Reference(name)

    def _at(self, call: Call, name: str, found: ArrayType, chosen: Chosen) -> Call:
        """`call`, of the variable `name`, where the block has the values `chosen`."""
        numbers = call.map(lambda _, e: substitute(e, {n: Constant(v) for n, v in chosen.items()}))
        try:
            infer_call(name, numbers, self.types, found)
            return numbers
        except ModelError:
            # Somewhere the variable's axes count: then arrays of equal elements stand for it.
            zeros = self.add("zeros", np.zeros(self.block.shape, np.int64))
            return call.map(lambda _, e: substitute(e, {n: zeros + v for n, v in chosen.items()}))

    def _picked(self, value: Expression, label: str, places: NDArray[np.int64]) -> Expression:
        """The elements of `value` at `places`, a row of indices an axis, as a vector; a number is itself."""
        if not len(places):
            return value
        keys = [self.add(f"{label}_{axis}", np.ravel(at)) for axis, at in enumerate(places)]
        return indexed(value, keys)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Where the rows of each element stand: `table`, shape (elements, width), has the numbers of its rows from 1 on.

    0 stands for no row, as the first column does. `places` has the column of each row, by observation.
    """

    table: NDArray[np.int64]
    places: Mapping[str, NDArray[np.int64]]

    @property
    def width(self) -> int:
        """The largest number of rows of an element, and one."""
        return int(self.table.shape[1])

    @classmethod
    def of(cls, block: Block) -> Rows:
        """The rows of `block`, those of one observation after those of another."""
        owners = np.concatenate([np.empty(0, np.int64), *(own.ravel() for own in block.owners.values())])
        owned = owners != NONE
        element = owners[owned]
        order = np.argsort(element, kind="stable")
        counts = np.bincount(element, minlength=block.size)
        column = np.empty(len(element), np.int64)
        column[order] = np.arange(len(element)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        table = np.zeros((block.size, 1 + int(counts.max(initial=0))), np.int64)
        table[element, column] = np.arange(len(element)) + 1
        everywhere = np.zeros(len(owners), np.int64)
        everywhere[owned] = column
        ends = np.cumsum([own.size for own in block.owners.values()])[:-1]
        parts = np.split(everywhere, ends) if block.owners else []
        shaped = zip(block.owners.items(), parts, strict=True)
        return cls(table, {name: part.reshape(own.shape) for (name, own), part in shaped})
