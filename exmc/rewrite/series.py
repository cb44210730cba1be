"""The non-centred form of series: independent innovations, and the series that follows from them.

``x ~ GaussianRandomWalk(mu, sigma, init_dist)`` becomes ``x = cumsum([x_start, mu + sigma * x_raw])`` with ``x_raw ~
Normal(0, 1)`` and ``x_start ~ init_dist``, which is made standard in its turn where its location or scale depends on
other variables. An autoregression is a scan, a walk of vectors has steps ``mu + L @ x_raw``. The Jacobian is that of
the steps: the scale to the power of their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Recurrence
from exmc.ir.calls import form_of
from exmc.ir.constants import is_constant
from exmc.ir.expressions import Constant, Expression, Reference, Slice, apply, indexed
from exmc.ir.loops import make_scan
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Node, RandomVariable
from exmc.ir.operations import infer_type
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import plus, times
from exmc.rewrite.changes import unused_name
from exmc.rewrite.correlated import FACTORS, factor_of, split_by_factor
from exmc.rewrite.standard import auxiliary, split_by_scale, standard_normals

_ALL = Slice()


def recurrence_of(variable: RandomVariable, types: Mapping[str, ArrayType]) -> Recurrence | None:
    """How `variable` is made of innovations, if it is a series that can be written so.

    A walk of vectors can if it is one walk with one matrix, since a product is of two matrices.
    """
    recurrence = DISTRIBUTIONS[variable.call.distribution].recurrence
    if recurrence is not None and form_of(variable.call).rank > 1:
        matrix = variable.call.arguments[scale_of(variable, recurrence)]
        if len(types[variable.name].shape) > 2 or len(infer_type(matrix, types).shape) > 2:
            return None
    return recurrence


def scale_of(variable: RandomVariable, recurrence: Recurrence) -> str:
    """The name of the parameter that says how far a step of `variable` goes."""
    (key,) = set(recurrence.scales) & variable.call.arguments.keys()
    return key


def order_of(variable: RandomVariable, recurrence: Recurrence, types: Mapping[str, ArrayType]) -> int:
    """How many values before it each value follows from."""
    if not recurrence.coefficients:
        return 1
    return infer_type(variable.call.arguments[recurrence.coefficients], types).shape[-1]


def split_series(
    node: RandomVariable, recurrence: Recurrence, model: Model, types: Mapping[str, ArrayType]
) -> tuple[tuple[Node, ...], Deterministic]:
    """What `node` follows from, its start and its innovations, and `node` itself as computed from them."""
    return _Split(node, recurrence, model, types).nodes()


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """A series that is split: `recurrence` is its family's."""

    node: RandomVariable
    recurrence: Recurrence
    model: Model
    types: Mapping[str, ArrayType]

    def nodes(self) -> tuple[tuple[Node, ...], Deterministic]:
        started, start = self._start()
        steps = self._found.shape[self._time] - self._order
        if not steps:
            return started, self._series(start if self.recurrence.coefficients else self._first(start))
        raw = standard_normals(self._name("raw"), self._of_length(steps))
        shocks = self._shocks(Reference(raw.name))
        if not self.recurrence.coefficients:
            joined = apply("concatenate", self._first(start), shocks, axis=self._time)
            return (*started, raw), self._series(apply("cumsum", joined, axis=self._time))
        later = Deterministic(self._name("later"), self._scan(start, shocks), keep=False)
        joined = apply("concatenate", start, self._turned(Reference(later.name)), axis=self._time)
        return (*started, raw, later), self._series(joined)

    @property
    def _found(self) -> ArrayType:
        return self.types[self.node.name]

    @property
    def _time(self) -> int:
        """The axis of time: those before it are of independent series, those after it of vectors."""
        return len(self._found.shape) - form_of(self.node.call).rank

    @property
    def _order(self) -> int:
        return order_of(self.node, self.recurrence, self.types)

    def _name(self, what: str) -> str:
        return unused_name(f"{self.node.name}_{what}", self.model)

    def _rank(self, expression: Expression) -> int:
        return len(infer_type(expression, self.types).shape)

    def _of_length(self, *length: int) -> ArrayType:
        """The type of the series with another length, or without the axis of time."""
        (shape, dims), time = (self._found.shape, self._found.dims), self._time
        nameless = (None,) * len(length)
        return ArrayType((*shape[:time], *length, *shape[time + 1 :]), (*dims[:time], *nameless, *dims[time + 1 :]))

    def _series(self, expression: Expression) -> Deterministic:
        return Deterministic(self.node.name, expression, self._found.dims if any(self._found.dims) else None)

    def _start(self) -> tuple[tuple[Node, ...], Expression]:
        """The variable of the first values and these values, an axis of them for an autoregression only."""
        call = dict(self.node.call.parameters)[self.recurrence.start]
        assert isinstance(call, Call)
        found = self._of_length(self._order) if self.recurrence.coefficients else self._of_length()
        variable = auxiliary(self._name("start"), call, found)
        raw = self._name("start_raw")
        names = DISTRIBUTIONS[call.distribution].location_scale
        if names is not None and not all(is_constant(call.arguments[n], self.model) for n in names):
            standard, computed = split_by_scale(variable, raw, found)
            return (standard,), computed.expression
        factor = factor_of(variable, self.model, {**self.types, variable.name: found})
        if factor is not None:
            standard, computed = split_by_factor(variable, factor, raw, found)
            return (standard,), computed.expression
        return (variable,), Reference(variable.name)

    def _first(self, start: Expression) -> Expression:
        """`start` with an axis of time."""
        return apply("expand_dims", start, axis=self._time)

    def _shocks(self, raw: Expression) -> Expression:
        """What each step adds, of the shape of `raw`."""
        key, arguments = scale_of(self.node, self.recurrence), self.node.call.arguments
        drift, scale = arguments[self.recurrence.drift], arguments[key]
        if form_of(self.node.call).rank > 1:
            spread = apply("matmul", raw, apply("transpose", FACTORS["MvNormal"][key](scale)))
            return plus(drift, spread)
        return plus(self._over_time(drift), times(self._over_time(scale), raw))

    def _over_time(self, expression: Expression) -> Expression:
        """`expression`, one number a series, with an axis of time if it has any."""
        rank = self._rank(expression)
        return indexed(expression, [*[_ALL] * rank, None]) if rank else expression

    # --- Autoregressions: a scan runs along the first axis, so that axes are turned ----------------------------------

    def _scan(self, start: Expression, shocks: Expression) -> Expression:
        """The values after the first ones, the axis of time first and those of series in reverse."""
        names = [self._name(f"lag_{lag}") for lag in range(1, self._order + 1)]
        shock, turned = self._name("shock"), self._turned(start)
        total: Expression = Reference(shock)
        for lag, name in enumerate(names, 1):
            total = total + self._coefficient(lag) * Reference(name)
        carry = {name: indexed(turned, [Constant(self._order - lag)]) for lag, name in enumerate(names, 1)}
        step = {names[0]: total} | {later: Reference(name) for name, later in pairwise(names)}
        return make_scan(carry, {shock: self._turned(shocks)}, step, output=names[0])

    def _coefficient(self, lag: int) -> Expression:
        """That of the value `lag` steps before, with the axes of series in reverse."""
        rho = self.node.call.arguments[self.recurrence.coefficients]
        series = self._rank(rho) - 1
        found = indexed(rho, [*[_ALL] * series, Constant(lag - 1)])
        if series > 1:
            found = apply("transpose", found)
        for axis in range(series, self._time if series else 0):
            found = apply("expand_dims", found, axis=axis)
        return found

    def _turned(self, expression: Expression) -> Expression:
        """`expression` with its axes in reverse, or the other way around."""
        return apply("transpose", expression) if self._time else expression
