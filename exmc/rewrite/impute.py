"""The pass that makes a free variable of the missing values of an observation.

``y ~ F(mu)`` with y[k] missing becomes ``y_missing ~ F(mu[k])``, and y[k] leaves the likelihood. Where part of a vector
is missing, its missing elements become a variable without a density of its own, and the vector stays in the likelihood:
the joint density of what is seen and what is not is the same either way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exmc.ir.constants import constant_value
from exmc.ir.declarations import Label
from exmc.ir.expressions import Apply, Constant, Expression, Reference, apply
from exmc.ir.infer import infer_types
from exmc.ir.missing import Missing, entry_labels, imputed_variable, missing_in, of_events
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Data, Node, Observation, RandomVariable
from exmc.ir.types import ArrayType, Dims
from exmc.rewrite.changes import Change

# An operation, although it is 0: a Jacobian other than NO_JACOBIAN marks values that depend on variables.
_NO_CHANGE = Apply("log", (Constant(1.0),))


def impute(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` without NaN in its data: missing values of continuous distributions are free variables.

    An observation's name means its values with the missing ones filled in. Which values are missing is data, how many
    there are is structure. Other missing values are left out.
    """
    found = missing_in(model)
    if not found:
        return model, ()
    types = infer_types(model)
    changes: list[Change] = []
    nodes: list[Node] = []
    addition = _Addition(model)
    for node in model.nodes:
        missing = found.get(node.name)
        if missing is None:
            nodes.append(node)
            continue
        assert isinstance(node, Observation)
        if missing.imputed.any():
            nodes.append(addition.variable(node, missing, types))
        nodes.append(addition.observation(node, missing, types[node.name]))
        changes.append(_change(missing))
    data = {d.name: _filled(d) for d in model.data.values()} | addition.data
    return Model(tuple(nodes), data, dict(model.coords) | addition.coords), tuple(changes)


def _change(missing: Missing) -> Change:
    count = f"{int(missing.elements.sum())} of {missing.elements.size} values are missing"
    if not missing.imputed.any():
        return Change(missing.name, "left out what is missing", f"{count}, and nothing else depends on them")
    return Change(missing.name, f"gave its missing values to the new variable {missing.variable}", count)


def _filled(data: Data) -> Data:
    """`data` with a number that is as legal as another in the place of each NaN; no density depends on it."""
    if data.kind != "float" or not np.isnan(data.values).any():
        return data
    seen = data.values[~np.isnan(data.values)]
    values = np.where(np.isnan(data.values), seen[0] if seen.size else 0.0, data.values)
    return Data(data.name, values, data.dims, data.source)


class _Addition:
    """Data and coordinates that the rewritten model has and `model` has not."""

    def __init__(self, model: Model) -> None:
        self.data: dict[str, Data] = {}
        self.coords: dict[str, tuple[Label, ...]] = {}
        self._model = model

    def variable(self, node: Observation, missing: Missing, types: dict[str, ArrayType]) -> RandomVariable:
        """The variable of the missing values of `node`, along an axis with the labels of their places."""
        assert isinstance(node.target, Call)
        found = types[node.name]
        self.coords[missing.dim] = tuple(entry_labels(found, missing.places, self._model.coords))
        if missing.whole:
            for name, places in zip(missing.keys, np.nonzero(missing.places), strict=True):
                self._add(name, places, (missing.dim,))
        return imputed_variable(node.target, missing, found, types)

    def observation(self, node: Observation, missing: Missing, found: ArrayType) -> Observation:
        """`node` with what is missing filled in, if anything depends on it, and masked where it is no likelihood."""
        left_out = missing.entries if missing.whole else missing.entries & ~of_events(missing.imputed, missing.rank)
        if left_out.any():
            seen = ~left_out if node.mask is None else ~left_out & np.asarray(constant_value(node.mask, self._model))
            name = self._add(f"{missing.variable}_seen", seen, found.dims[: seen.ndim])
            node = replace(node, mask=Reference(name))
        if not missing.imputed.any() or (missing.whole and not missing.used):
            return node
        return replace(node, value=self._value(node, missing, found), log_jacobian=_NO_CHANGE)

    def _value(self, node: Observation, missing: Missing, found: ArrayType) -> Expression:
        """``where(missing, y_missing[place], y)``."""
        places = missing.places
        numbers = np.where(places, np.cumsum(places).reshape(places.shape) - 1, 0)
        place = self._add(f"{missing.variable}_place", numbers, found.dims[: places.ndim])
        gaps = self._add(f"{missing.variable}_gaps", missing.imputed, found.dims)
        return apply("where", Reference(gaps), Reference(missing.variable)[Reference(place)], node.value)

    def _add(self, name: str, values: NDArray[np.int64] | NDArray[np.bool_], dims: Dims) -> str:
        """Make `values` data called `name`, and return the name."""
        self.data[name] = Data(name, values, dims)
        return name
