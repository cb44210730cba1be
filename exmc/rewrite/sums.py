"""The sum over the values of a block of discrete variables, as expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exmc.errors import ModelError
from exmc.ir.calls import batch_of, form_of
from exmc.ir.events import infer_call
from exmc.ir.expressions import Constant, Expression, Reference, Slice, apply, indexed, substitute
from exmc.ir.laws import log_density
from exmc.ir.model import Label, Model
from exmc.ir.nodes import Call, Data, Deterministic, Node, Observation, RandomVariable
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import plus
from exmc.rewrite.blocks import Block
from exmc.rewrite.changes import unused_name
from exmc.rewrite.owners import NONE

_ALL = Slice()


@dataclass(frozen=True, slots=True, eq=False)
class Summed:
    """What takes the place of nodes, what comes before them, and the data and coordinates that these need."""

    replaced: Mapping[str, Node]
    before: Mapping[str, tuple[Node, ...]]
    data: Mapping[str, Data]
    coords: Mapping[str, tuple[Label, ...]]

    def joined(self, other: Summed) -> Summed:
        """Both together."""
        return Summed(
            {**self.replaced, **other.replaced},
            {**self.before, **other.before},
            {**self.data, **other.data},
            {**self.coords, **other.coords},
        )


def sum_out(block: Block, model: Model, types: Mapping[str, ArrayType]) -> Summed:
    """The observations that depend on `block` with the sum as their density, and the probabilities of its variables."""
    return _Sum(block, model, types).result()


class _Sum:
    """The expressions of one block, and the data that they need."""

    def __init__(self, block: Block, model: Model, types: Mapping[str, ArrayType]) -> None:
        self._block, self._model, self._types = block, model, types
        self._name = block.variables[0].name
        self._data: dict[str, Data] = {}
        self._users = [model[name] for name in block.users]
        self._rows = _Rows.of(block)

    def result(self) -> Summed:
        one_each = all(
            own.shape == self._block.shape and np.array_equal(own.ravel(), np.arange(own.size))
            for own in self._block.owners.values()
        )
        simple = one_each and len(self._users) == 1
        tables = Deterministic(unused_name(f"{self._name}_terms", self._model), self._table(), keep=False)
        replaced: dict[str, Node] = {}
        for user in self._users:
            assert isinstance(user, Observation)
            replaced[user.name] = self._elementwise(user) if simple else self._in_turn(user, tables.name)
        before: dict[str, tuple[Node, ...]] = {}
        coords: dict[str, tuple[Label, ...]] = {}
        for variable in self._block.variables:
            found = self._probabilities(variable, tables.name, coords)
            before[variable.name] = (tables, found) if variable is self._block.variables[0] else (found,)
        return Summed(replaced, before, self._data, coords)

    # --- Terms: log densities at one combination of values -----------------------------------------------------------

    def _at(self, call: Call, name: str, found: ArrayType, chosen: Mapping[str, int]) -> Call:
        """`call`, of the variable `name`, where the block has the values `chosen`."""
        numbers = call.map(lambda _, e: substitute(e, {n: Constant(v) for n, v in chosen.items()}))
        try:
            infer_call(name, numbers, self._types, found)
            return numbers
        except ModelError:
            # Somewhere the variable's axes count: then arrays of equal elements stand for it.
            zeros = self._add("zeros", np.zeros(self._block.shape, np.int64))
            return call.map(lambda _, e: substitute(e, {n: zeros + v for n, v in chosen.items()}))

    def _prior(self, chosen: Mapping[str, int]) -> Expression:
        """The log probability of the values `chosen`, of the shape of the block."""
        total: Expression | None = None
        for variable in self._block.variables:
            found = self._types[variable.name]
            call = self._at(variable.call, variable.name, found, chosen)
            term = log_density(call, Constant(chosen[variable.name]), ArrayType(found.shape, found.dims))
            total = term if total is None else plus(total, term)
        assert total is not None
        return total

    def _seen(self, user: Observation, chosen: Mapping[str, int]) -> Expression:
        """The log density of each event that `user` has seen, 0 where it is masked."""
        assert isinstance(user.target, Call)
        found = self._types[user.name]
        batch = batch_of(found, form_of(user.target))
        term = log_density(
            self._at(user.target, user.name, found, chosen), user.value, ArrayType(batch.shape, batch.dims)
        )
        return term if user.mask is None else apply("where", user.mask, term, 0.0)

    # --- One row an element ------------------------------------------------------------------------------------------

    def _elementwise(self, user: Observation) -> Observation:
        """`user` with the density of a mixture."""
        terms = tuple(plus(self._prior(c), self._seen(user, c)) for c in self._block.combinations)
        return self._with_terms(user, terms)

    def _with_terms(self, user: Observation, terms: tuple[Expression, ...]) -> Observation:
        assert isinstance(user.target, Call)
        form = form_of(user.target)
        texts = {"function": "exmc.logspace:log_sum_of_terms", "support": "real", "event_rank": str(form.rank)}
        named = tuple((f"term_{i}", term) for i, term in enumerate(terms))
        return replace(user, target=Call("Custom", (*texts.items(), *named)))

    # --- Several rows an element -------------------------------------------------------------------------------------

    def _table(self) -> Expression:
        """Sums of terms, shape (elements, rows of an element and one more, combinations).

        In place [b, j, c] stands the log of p(values c) and the densities of the first j rows of element b.
        """
        rows, count = self._rows, self._block.size
        flat = []
        for chosen in self._block.combinations:
            picked: list[Expression] = [Constant(0.0)]
            for user in self._users:
                assert isinstance(user, Observation)
                places = np.argwhere(self._block.owners[user.name] != NONE).T
                picked.append(self._picked(self._seen(user, chosen), f"{user.name}_rows", places))
            order = self._add("rows", rows.table)
            terms = apply("concatenate", *picked)[order]
            prior = apply("concatenate", self._picked(self._prior(chosen), "elements", np.indices(self._block.shape)))
            sums = plus(indexed(prior, [_ALL, None]), apply("cumsum", terms, axis=1))
            grid = np.indices((count, rows.width)).reshape(2, -1)
            flat.append(self._picked(sums, "grid", grid))
        number = len(self._block.combinations)
        stack = np.moveaxis(np.arange(number * count * rows.width).reshape(number, count, rows.width), 0, -1)
        return apply("concatenate", *flat)[self._add("stack", stack)]

    def _in_turn(self, user: Observation, table: str) -> Observation:
        """`user` with the density of each row given those before it that share its element."""
        owners, places = self._block.owners[user.name], self._rows.places[user.name]
        total = apply("logsumexp", Reference(table), axis=2)
        owned = owners != NONE
        element = self._add(f"{user.name}_element", np.where(owned, owners, 0))
        after = self._add(f"{user.name}_after", np.where(owned, places, 0))
        before = self._add(f"{user.name}_before", np.where(owned, places - 1, 0))
        term = indexed(total, [element, after]) - indexed(total, [element, before])
        if not owned.all():
            alone = self._seen(user, self._block.combinations[0])
            term = apply("where", self._add(f"{user.name}_owned", owned), term, alone)
        return self._with_terms(user, (term,))

    def _probabilities(
        self, variable: RandomVariable, table: str, coords: dict[str, tuple[Label, ...]]
    ) -> Deterministic:
        """The probabilities of the values of `variable` given all else, along one more axis, ``<name>_value``."""
        values = self._block.values[variable.name]
        name = unused_name(f"{variable.name}_probabilities", self._model)
        dim = unused_name(f"{variable.name}_value", self._model)
        coords[dim] = values
        joint = apply("softmax", indexed(Reference(table), [_ALL, Constant(-1)]), axis=1)
        if len(self._block.variables) > 1:
            chosen = [[float(c[variable.name] == v) for v in values] for c in self._block.combinations]
            joint = apply("matmul", joint, self._add(f"{variable.name}_chosen", np.array(chosen)))
        element = self._add("element", np.arange(self._block.size).reshape(self._block.shape))
        dims = (*self._types[variable.name].dims, dim)
        return Deterministic(name, indexed(joint, [element]), dims)

    # --- Data --------------------------------------------------------------------------------------------------------

    def _picked(self, value: Expression, label: str, places: NDArray[np.int64]) -> Expression:
        """The elements of `value` at `places`, a row of indices an axis, as a vector; a number is itself."""
        if not len(places):
            return value
        keys = [self._add(f"{label}_{axis}", np.ravel(at)) for axis, at in enumerate(places)]
        return indexed(value, keys)

    def _add(self, what: str, values: NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_]) -> Reference:
        """A reference to `values` as data of the block."""
        name = unused_name(f"{self._name}_{what}_at", self._model)
        self._data.setdefault(name, Data(name, values))
        return Reference(name)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
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
    def of(cls, block: Block) -> _Rows:
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
