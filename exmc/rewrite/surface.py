"""The pointwise log likelihood of a model in plain numpy, at any values of its free variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.distributions import DISTRIBUTIONS
from exmc.ir.calls import call_bounds, call_log_density
from exmc.ir.expressions import Reference
from exmc.ir.model import Model, in_order
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable
from exmc.ir.operations import evaluate
from exmc.ir.types import ArrayType
from exmc.transforms import TRANSFORMS

FloatArray: TypeAlias = NDArray[np.float64]
Free: TypeAlias = Mapping[str, FloatArray]
Values: TypeAlias = dict[str, Any]
ExtraRows: TypeAlias = Callable[[Values], FloatArray]


class Surface:
    """Rows of log likelihood as a function of the free variables' unconstrained values, by name, each in its shape.

    A row is one element of one observation (or a whole joint observation), or comes from `extra`, functions of all
    values that stand for what has been summarised already. `evaluations` counts the work.
    """

    def __init__(self, model: Model, types: Mapping[str, ArrayType]) -> None:
        self.types = types
        self.free = {v.name: v for v in model.free}
        self.extra: list[ExtraRows] = []
        self.evaluations = 0
        self._nodes = in_order(model)
        self._data = {name: data.values for name, data in model.data.items()}
        self._observed = {o.target.name: o for o in model.observations if isinstance(o.target, Reference)}
        self._calls = {v.name: v.call for v in model.nodes if isinstance(v, RandomVariable)}

    def origin(self) -> dict[str, FloatArray]:
        """Every free variable at the unconstrained value 0."""
        return {name: np.zeros(self.types[name].shape) for name in self.free}

    def values(self, free: Free) -> Values:
        """The constrained value of every variable and datum."""
        values: Values = dict(self._data)
        with np.errstate(all="ignore"):
            for node in self._nodes:
                if node.name in self.free:
                    assert isinstance(node, RandomVariable)
                    transform, bounds = self._transform(node, values)
                    values[node.name] = transform.constrain(free[node.name], *bounds)
                elif isinstance(node, Deterministic):
                    values[node.name] = evaluate(node.expression, values)
                else:
                    value = node.value if isinstance(node, Observation) else self._observed[node.name].value
                    values[node.name] = evaluate(value, values)
        return values

    def rows(self, free: Free) -> FloatArray:
        """The weighted log likelihood of every row, shape (rows,); not finite where it is not defined."""
        self.evaluations += 1
        values = self.values(free)
        with np.errstate(all="ignore"):
            parts = [self._terms(node, values) for node in self._nodes if isinstance(node, Observation)]
            parts += [rows(values) for rows in self.extra]
        return np.concatenate([np.empty(0), *parts])

    def prior(self, name: str, free: Free) -> FloatArray:
        """The log prior density of the unconstrained elements of the free variable `name`, in its shape."""
        values = self.values(free)
        node = self.free[name]
        with np.errstate(all="ignore"):
            transform, bounds = self._transform(node, values)
            density = call_log_density(node.call, values[name], values) + transform.log_jacobian(free[name], *bounds)
        return np.broadcast_to(np.asarray(density, float), self.types[name].shape)

    def _transform(self, node: RandomVariable, values: Values) -> tuple[Any, list[Any]]:
        transform = node.transform or DISTRIBUTIONS[node.call.distribution].transform
        return TRANSFORMS[transform], call_bounds(node.call, values)

    def _terms(self, node: Observation, values: Values) -> FloatArray:
        call = node.target if isinstance(node.target, Call) else self._calls.get(node.target.name)
        if call is None:
            return np.empty(0)
        shape = self.types[node.name].shape
        terms = np.broadcast_to(np.asarray(call_log_density(call, values[node.name], values), float), shape)
        jacobian = evaluate(node.log_jacobian, values)
        terms = np.sum(terms) + jacobian if node.joint else terms + jacobian
        if node.mask is not None:
            terms = np.where(evaluate(node.mask, values), terms, 0.0)
        if node.weight is not None:
            weight = evaluate(node.weight, values)
            terms = weight * np.where(weight, terms, 0.0)
        return np.asarray(terms, float).ravel()
