"""The pointwise log likelihood of a model in plain numpy, at any values of its free variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.ir.calls import batch_of, bounds_at, form_of, law_at, transform_of, unconstrained_type
from exmc.ir.declarations import in_order
from exmc.ir.expressions import Reference
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable
from exmc.ir.operations import as_number, evaluate
from exmc.ir.types import ArrayType
from exmc.transforms import Transform

FloatArray: TypeAlias = NDArray[np.float64]
Free: TypeAlias = Mapping[str, FloatArray]
Values: TypeAlias = dict[str, Any]
ExtraRows: TypeAlias = Callable[[Values], FloatArray]


class Surface:
    """Rows of log likelihood as a function of the free variables' unconstrained values, by name, each in its shape.

    A row is one event of one observation (or a whole joint observation), an element of a potential, or comes
    from `extra`, functions of all values that stand for what has been summarised already.
    `evaluations` counts the work.
    """

    def __init__(self, model: Model, types: Mapping[str, ArrayType]) -> None:
        self.types = types
        self.unconstrained = {v.name: unconstrained_type(v, types[v.name]) for v in model.free}
        self.free = {v.name: v for v in model.free}
        self.extra: list[ExtraRows] = []
        self.evaluations = 0
        self._nodes = in_order(model)
        self._data = {name: data.values for name, data in model.data.items()}
        self._potentials = [d.name for d in model.deterministics if d.potential]
        self._observed = {o.target.name: o for o in model.observations if isinstance(o.target, Reference)}
        self._transforms = {v.name: _transform(v) for v in model.free}
        self._likelihoods = list(_likelihoods(model, types))

    def origin(self) -> dict[str, FloatArray]:
        """Every free variable at the unconstrained value 0."""
        return {name: np.zeros(self.unconstrained[name].shape) for name in self.free}

    def values(self, free: Free) -> Values:
        """The constrained value of every variable and datum."""
        values: Values = dict(self._data)
        with np.errstate(all="ignore"):
            for node in self._nodes:
                if node.name in self.free:
                    assert isinstance(node, RandomVariable)
                    bounds = bounds_at(node.call, values)
                    values[node.name] = self._transforms[node.name].constrain(free[node.name], *bounds)
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
            parts = [likelihood.terms(values) for likelihood in self._likelihoods]
            parts += [np.asarray(as_number(values[name]), float).ravel() for name in self._potentials]
            parts += [rows(values) for rows in self.extra]
        return np.concatenate([np.empty(0), *parts])

    def prior(self, name: str, free: Free) -> float:
        """The log prior density of the unconstrained free variable `name`, all its elements together."""
        values = self.values(free)
        node = self.free[name]
        with np.errstate(all="ignore"):
            law = law_at(node.call, values)
            jacobian = np.asarray(self._transforms[name].log_jacobian(free[name], *law.bounds), float)
            density = np.asarray(law.log_density(values[name]), float)
        shape = batch_of(self.types[name], law.form).shape
        return float(np.sum(np.broadcast_to(density, shape)) + np.sum(jacobian))


class _Likelihood(NamedTuple):
    """An observation, the distribution of what was observed, and the shape of one number an event."""

    node: Observation
    call: Call
    shape: tuple[int, ...]

    def terms(self, values: Values) -> FloatArray:
        """The weighted log likelihood of every event, shape (events,)."""
        node = self.node
        density = law_at(self.call, values).log_density(as_number(values[node.name]))
        terms = np.broadcast_to(np.asarray(density, float), self.shape)
        jacobian = evaluate(node.log_jacobian, values)
        terms = np.sum(terms) + jacobian if node.joint else terms + jacobian
        if node.mask is not None:
            terms = np.where(evaluate(node.mask, values), terms, 0.0)
        if node.weight is not None:
            weight = evaluate(node.weight, values)
            terms = weight * np.where(weight, terms, 0.0)
        return np.asarray(terms, float).ravel()


def _likelihoods(model: Model, types: Mapping[str, ArrayType]) -> Iterator[_Likelihood]:
    calls = {node.name: node.call for node in model.nodes if isinstance(node, RandomVariable)}
    for node in in_order(model):
        if isinstance(node, Observation):
            call = node.target if isinstance(node.target, Call) else calls.get(node.target.name)
            if call is not None:
                yield _Likelihood(node, call, batch_of(types[node.name], form_of(call)).shape)


def _transform(node: RandomVariable) -> Transform:
    transform = transform_of(node)
    assert transform is not None  # a model's check sees to it
    return transform
