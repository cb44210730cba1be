"""What the lifting passes share: finding the variable to solve for, and putting the solution into the model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from exmc.ir.calls import form_of, is_restricted
from exmc.ir.declarations import parents
from exmc.ir.expressions import Expression, Reference, names_in, substitute
from exmc.ir.infer import map_expressions
from exmc.ir.model import Model
from exmc.ir.nodes import Data, Deterministic, Node, Observation, RandomVariable
from exmc.ir.types import ArrayType
from exmc.rewrite.changes import with_known_dims


@dataclass(frozen=True, slots=True)
class Solution:
    """An observed deterministic solved for a random variable: the new observation, the variable's value, a reason.

    `data` are constants that the two refer to and the model does not have yet.
    """

    observation: Observation
    value: Expression
    why: str
    data: tuple[Data, ...] = field(default=())


def observed_deterministic(model: Model, name: str) -> tuple[Observation, Deterministic] | None:
    """The node called `name` with its target, if it is an observation of a deterministic."""
    observation = model[name]
    if not isinstance(observation, Observation) or not isinstance(observation.target, Reference):
        return None
    target = model[observation.target.name]
    return (observation, target) if isinstance(target, Deterministic) else None


def candidates(model: Model, observation: Observation, target: Deterministic) -> list[RandomVariable]:
    """The continuous variables that `target` depends on and no other density does, the last declared first.

    They are independent elements: vectors with a density of the whole are left out.

    Dependence is direct or through deterministics. Either choice among several gives the same posterior.
    """
    reached = _reached_from(target.name, model)
    elsewhere: set[str] = set()
    for node in model.nodes:
        is_density = not isinstance(node, Deterministic) or node.potential
        if is_density and node.name != observation.name:
            elsewhere |= _reached_from(node.name, model)
    return [
        v
        for v in reversed(model.free)
        if v.name in reached and v.name not in elsewhere and not form_of(v.call).rank and not is_restricted(v)
    ]


def objection_to_shapes(
    observation: Observation, target: Deterministic, variable: RandomVariable, types: dict[str, ArrayType]
) -> str:
    """Why `variable` cannot carry the density of the observed values, or nothing if their shapes agree."""
    seen, made, drawn = (types[n].shape for n in (observation.name, target.name, variable.name))
    if seen == made == drawn:
        return ""
    if seen != made:
        return f"the values have shape {seen} and {target.name!r} has shape {made}"
    return (
        f"{variable.name!r} has shape {drawn} and the values have shape {seen}, "
        "so that they have no density: each value needs an element of its own"
    )


def inlined(target: Deterministic, variable: str, model: Model) -> Expression:
    """The expression of `target` with the deterministics that depend on `variable` replaced by theirs."""
    expression = target.expression
    while True:
        through = {
            name: node.expression
            for name in names_in(expression)
            if name in model
            and isinstance(node := model[name], Deterministic)
            and variable in _reached_from(name, model)
        }
        if not through:
            return expression
        expression = substitute(expression, dict(through))


def with_solution(
    model: Model, observation: Observation, target: Deterministic, variable: RandomVariable, solution: Solution
) -> Model:
    """`model` where the new observation replaces `observation`, and `variable` is computed instead of drawn.

    The variable and the target stay, for whatever refers to them, but not in the posterior: the one is a residual of
    the data, the other equals them.
    """

    def change(node: Node) -> Node:
        if node.name == observation.name:
            return solution.observation
        if node.name == variable.name:
            return Deterministic(variable.name, solution.value, variable.dims, keep=False)
        if node.name == target.name:
            node = replace(target, keep=False)
        # To all others the observation's name means what was seen, which its values may be no longer.
        return map_expressions(node, lambda e: substitute(e, {observation.name: observation.value}))

    data = dict(model.data) | {d.name: d for d in solution.data}
    return with_known_dims(Model(tuple(change(n) for n in model.nodes), data, model.coords), model)


def _reached_from(name: str, model: Model) -> set[str]:
    """The random variables that the node `name` refers to, directly or through deterministics."""
    nodes = {n.name: n for n in model.nodes}
    found: set[str] = set()
    seen: set[str] = set()
    pending = [p for p in parents(nodes[name]) if p in nodes]
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        node = nodes[current]
        if isinstance(node, RandomVariable):
            found.add(current)
            continue
        # Referred to by name, an observation is its values.
        names = names_in(node.value) if isinstance(node, Observation) else parents(node)
        pending.extend(p for p in names if p in nodes)
    return found
