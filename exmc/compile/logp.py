"""From a model to functions of the flat unconstrained vector: log density, constrained values, pointwise terms."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, TypeAlias

import autograd.numpy as anp
import numpy as np

from exmc.compile.function import DataFunction, Place, Visit, identity_of
from exmc.compile.layout import Layout, layout_of, posterior_names
from exmc.compile.primitives import Array
from exmc.compile.sequential import evaluate_loop
from exmc.distributions.law import Law
from exmc.errors import CompileError, ModelError
from exmc.ir.calls import batch_of, form_of, law_at
from exmc.ir.check import infer_types
from exmc.ir.constants import is_constant
from exmc.ir.declarations import in_order
from exmc.ir.expressions import Reference
from exmc.ir.loops import OdeBody, loop_body
from exmc.ir.missing import imputed_variables, missing_in
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Node, Observation, RandomVariable
from exmc.ir.operations import as_number, evaluate
from exmc.ir.serial import encode_node
from exmc.special import select
from exmc.transforms import TRANSFORMS, Transform

Values: TypeAlias = dict[str, Any]


def log_density_function(model: Model) -> DataFunction:
    """The joint log density of `model` as a function of its flat unconstrained vector.

    The sum of each free variable's log density and log|d constrained / d unconstrained|, each observation's weighted
    log likelihood and each potential (Stan reference manual, "Transforms"). Every observation must hold a distribution
    and every free variable a transform: `exmc.rewrite` sees to both.
    """
    plan = _Plan(model)
    return DataFunction(partial(_log_density, plan), plan.data, identity("log density", model), visits=True)


def tempered_density_function(model: Model, temperature: float) -> DataFunction:
    """As `log_density_function`, with log likelihoods and potentials multiplied by `temperature`, which is its data."""
    plan = _Plan(model)
    data = (*plan.data, np.array(temperature, dtype=np.float64))
    return DataFunction(partial(_tempered_density, plan), data, identity("tempered log density", model), visits=True)


def constrain_function(model: Model, names: Iterable[str]) -> DataFunction:
    """A function from the flat vector to the tuple of the constrained values of `names`, each in its shape."""
    plan, wanted = _Plan(model), tuple(names)
    return DataFunction(
        partial(_constrain, plan, wanted), plan.data, identity("constrain", model, *wanted), visits=True
    )


def pointwise_function(source: Model, model: Model) -> tuple[DataFunction, tuple[str, ...], tuple[str, ...]]:
    """A function from the flat vector to pointwise log likelihoods, then log priors, with the names of both.

    `model` is what rewriting made of `source`. Log likelihoods are those of the observations of `model` (without
    weights, zero where masked); log priors are the densities that `source` gives to its own free variables, on their
    natural scale, without a Jacobian, so that both are the same whatever the parameterisation. Those of its missing
    values are among them, unless they are parts of events.
    """
    plan = _Plan(model)
    known = posterior_names(source, model)
    priors = tuple(v for v in source.free if v.name in known) + imputed_variables(source, infer_types(source))
    likelihoods = tuple(o.name for o in plan.observations)
    data = plan.data + tuple(d.values for d in source.data.values())
    function = partial(_pointwise_terms, plan, priors, source, frozenset(missing_in(source)))
    whole = identity("source", source)
    name = identity("pointwise", model, whole) if whole else ""
    return DataFunction(function, data, name, visits=True), likelihoods, tuple(v.name for v in priors)


def identity(what: str, model: Model, *more: str) -> str:
    """What a function of a model is, whatever values its data have: a digest of the model without them."""
    return identity_of(
        {
            "what": [what, *more],
            "dims": {dim: len(labels) for dim, labels in model.coords.items()},
            "data": [[d.name, list(d.dims)] for d in model.data.values()],
            "nodes": [encode_node(node) for node in model.nodes],
        }
    )


class _Plan:
    """What evaluating a model needs and does not depend on the position."""

    def __init__(self, model: Model) -> None:
        self.layout: Layout = layout_of(model)
        self.types = infer_types(model)
        self.nodes = in_order(model)
        self.observations: tuple[Observation, ...] = model.observations
        self.solutions = [d.name for d in model.deterministics if isinstance(loop_body(d.expression), OdeBody)]
        self.names = tuple(model.data)
        self.data: tuple[Array, ...] = tuple(data.values for data in model.data.values())
        for node in self.observations:
            if isinstance(node.target, Reference):
                raise CompileError(f"{node.name!r} observes {node.target.name!r}, which has not been rewritten.")

    def shape(self, name: str) -> tuple[int, ...]:
        return self.types[name].shape

    def batch_shape(self, name: str, call: Call) -> tuple[int, ...]:
        """The shape of one number an event of the variable `name`, which has the distribution `call`."""
        return batch_of(self.types[name], form_of(call)).shape

    def observed_shape(self, node: Observation) -> tuple[int, ...]:
        """The shape of one number an event of what `node` observes."""
        assert isinstance(node.target, Call)
        return self.batch_shape(node.name, node.target)

    def run(
        self, position: Any, data: tuple[Any, ...], visit: Visit, densities: bool = True, temperature: Any = None
    ) -> tuple[Values, list[Any]]:
        """Every variable's constrained value, and the sums that stand for free variables and potentials.

        Without `densities` those of free variables are left out: autograd would compute them for nobody. Potentials
        are multiplied by `temperature`, if that is given.
        """
        unconstrained = self.layout.unpack(position)
        values: Values = dict(zip(self.names, data, strict=True))
        terms = []
        for node in self.nodes:
            visit(_place(node))
            if isinstance(node, Deterministic):
                values[node.name] = evaluate_loop(node.expression, values)
                if node.potential:
                    potential = anp.sum(as_number(values[node.name]))
                    terms.append(potential if temperature is None else temperature * potential)
            elif isinstance(node, Observation):
                values[node.name] = evaluate(node.value, values)
            else:
                free = unconstrained[node.name]
                transform, law = _transform_of(node), law_at(node.call, values)
                values[node.name] = transform.constrain(free, *law.bounds)
                if densities:
                    prior = _density(law, node.name, values[node.name])
                    jacobian = transform.log_jacobian(free, *law.bounds)
                    shape = self.batch_shape(node.name, node.call)
                    if transform.event_rank == law.form.rank:
                        terms.append(anp.sum(_filled(prior + jacobian, shape)))
                    else:
                        # One counts by vectors, the other by their elements.
                        terms += [anp.sum(_filled(prior, shape)), anp.sum(jacobian)]
        return values, terms


def _place(node: Node) -> Place:
    return ("variables", node.name)


def _unseen(_place: Place) -> None:
    """Nobody asks which part of the model is evaluated."""


def _tempered_density(plan: _Plan, position: Any, *data: Any, visit: Visit = _unseen) -> Any:
    return _log_density(plan, position, *data[:-1], visit=visit, temperature=data[-1])


def _log_density(
    plan: _Plan, position: Any, *data: Any, visit: Visit = _unseen, temperature: Any = None
) -> Any:  # fmt: skip
    values, terms = plan.run(position, data, visit, temperature=temperature)
    for node in plan.observations:
        visit(_place(node))
        likelihood = anp.sum(_log_likelihood(node, values, plan.observed_shape(node)))
        terms.append(likelihood if temperature is None else temperature * likelihood)
    total = sum(terms[1:], terms[0]) if terms else 0.0 * anp.sum(position)
    for name in plan.solutions:
        # Where a differential equation has no solution its states are NaN, and the model says nothing.
        total = select(anp.all(anp.isfinite(values[name])), total, -np.inf)
    return total


def _constrain(
    plan: _Plan, names: tuple[str, ...], position: Any, *data: Any, visit: Visit = _unseen
) -> tuple[Any, ...]:
    values, _ = plan.run(position, data, visit, densities=False)
    return tuple(_filled(values[name], plan.shape(name)) for name in names)


def _seen(source: Model, data: Values, filled: Values) -> Values:
    """What the names of observations, and of the random variables they observe, mean in `source`: observed values.

    In the rewritten model an observed variable is gone, and a lifted observation has other values. Those of `filled`
    have missing values that rewriting has filled in.
    """
    found: Values = {}
    for node in source.observations:
        if not is_constant(node.value, source):
            continue  # `source` is a rewritten model itself
        found[node.name] = filled[node.name] if node.name in filled else evaluate(node.value, data)
        if isinstance(node.target, Reference) and isinstance(source[node.target.name], RandomVariable):
            found[node.target.name] = found[node.name]
    return found


def _pointwise_terms(
    plan: _Plan,
    priors: tuple[RandomVariable, ...],
    source: Model,
    gaps: frozenset[str],
    position: Any,
    *data: Any,
    visit: Visit = _unseen,
) -> tuple[Any, ...]:
    values, _ = plan.run(position, data[: len(plan.names)], visit, densities=False)
    found = []
    for node in plan.observations:
        visit(_place(node))
        found.append(_pointwise(node, values, plan.observed_shape(node)))
    filled = {name: values[name] for name in gaps}
    values |= _seen(source, dict(zip(source.data, data[len(plan.names) :], strict=True)), filled)
    for variable in priors:
        visit(_place(variable))
        terms = _density(law_at(variable.call, values), variable.name, values[variable.name])
        found.append(_filled(terms, plan.batch_shape(variable.name, variable.call)))
    return tuple(found)


def _density(law: Law, name: str, value: Any) -> Any:
    """The log density of each event of `value`; errors, of a user's own density, name the variable."""
    try:
        return law.log_density(as_number(value))
    except ModelError as error:
        raise error.within("variables", name) from error.__cause__


def _transform_of(node: RandomVariable) -> Transform:
    if node.transform is None:
        raise CompileError(f"{node.name!r} has no transform yet.")
    return TRANSFORMS[node.transform]


def _pointwise(node: Observation, values: Values, shape: tuple[int, ...]) -> Any:
    """Log likelihood of each event (of the whole, for a joint observation); zero where masked."""
    assert isinstance(node.target, Call)
    terms = _filled(_density(law_at(node.target, values), node.name, values[node.name]), shape)
    jacobian = evaluate(node.log_jacobian, values)
    if node.joint:
        return anp.sum(terms) + jacobian
    terms = terms + jacobian
    if node.mask is not None:
        terms = anp.where(evaluate(node.mask, values), terms, 0.0)
    return terms


def _log_likelihood(node: Observation, values: Values, shape: tuple[int, ...]) -> Any:
    terms = _pointwise(node, values, shape)
    if node.weight is None:
        return terms
    weight = evaluate(node.weight, values)
    # What counts for nothing may be impossible: 0 * -inf is NaN.
    return weight * anp.where(weight, terms, 0.0)


def _filled(value: Any, shape: tuple[int, ...]) -> Any:
    """`value` broadcast to `shape`, also where a parameterless density gives a scalar for an array."""
    return value if anp.shape(value) == shape else value + anp.zeros(shape)
