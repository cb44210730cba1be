"""The pass that gives every observation of a random variable a distribution of its own, and plain weight and mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exmc.errors import ModelError
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.expressions import Expression, Reference, substitute
from exmc.ir.infer import joined_dims, map_expressions
from exmc.ir.model import Model
from exmc.ir.nodes import Node, Observation, RandomVariable
from exmc.rewrite.changes import Change, with_known_dims


def normalize_observations(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` with no observed random variable left, only observations that hold a distribution.

    Where the variable was referred to, its observed value takes its place, by the name of the observation. Weights of
    one and masks that leave nothing out are dropped.

    Raises
    ------
    ModelError
        If a weight or mask depends on variables, a weight is negative or not finite, or a mask does not hold bools or
        keeps nothing.
    """
    changes: list[Change] = []
    observed: dict[str, Expression] = {}
    nodes: list[Node] = []
    for node in model.nodes:
        if isinstance(node, Observation):
            node = _absorb(node, model, observed, changes)
            node = _without_weight(node, model, changes)
            node = _without_mask(node, model, changes)
        nodes.append(node)
    if not changes:
        return model, ()
    kept = (n for n in nodes if n.name not in observed)
    result = model.with_nodes(tuple(map_expressions(n, lambda e: substitute(e, observed)) for n in kept))
    return with_known_dims(result, model), tuple(changes)


def _absorb(node: Observation, model: Model, observed: dict[str, Expression], changes: list[Change]) -> Observation:
    """`node` with the distribution of the random variable that it targets, noted in `observed`."""
    target = model[node.target.name] if isinstance(node.target, Reference) else None
    if not isinstance(target, RandomVariable):
        return node
    observed[target.name] = Reference(node.name)
    why = "observed values are data: neither sampled nor transformed"
    changes.append(Change(target.name, f"became the distribution of the observation {node.name}", why))
    return replace(node, target=target.call, dims=joined_dims(node.dims, target.dims))


def _without_weight(node: Observation, model: Model, changes: list[Change]) -> Observation:
    """`node` without a weight of one everywhere."""
    if node.weight is None:
        return node
    where = ("variables", node.name, "weight")
    if not is_constant(node.weight, model):
        raise ModelError("a weight depends on variables.", where=where, remedy="Weights must be data.")
    values = np.asarray(constant_value(node.weight, model))
    wrong = values[~(np.isfinite(values) & (values >= 0))]
    if wrong.size:
        raise ModelError(f"a weight is {wrong.flat[0]}.", where=where, remedy="Weights must be 0 or positive.")
    if not np.all(values == 1):
        return node
    changes.append(Change(node.name, "lost its weight", "it is 1 everywhere"))
    return replace(node, weight=None)


def _without_mask(node: Observation, model: Model, changes: list[Change]) -> Observation:
    """`node` without a mask that leaves nothing out."""
    if node.mask is None:
        return node
    where = ("variables", node.name, "mask")
    if not is_constant(node.mask, model):
        raise ModelError("a mask depends on variables.", where=where, remedy="Masks must be data.")
    values = np.asarray(constant_value(node.mask, model))
    if values.dtype != np.bool_:
        remedy = "Write a comparison, such as mask != 0: true keeps a value, false leaves it out."
        raise ModelError("a mask must hold true and false, this one holds numbers.", where=where, remedy=remedy)
    if not values.any():
        remedy = "True keeps a value: turn the mask around, or leave the observation out."
        raise ModelError("the mask leaves out every value.", where=where, remedy=remedy)
    if not values.all():
        return node
    changes.append(Change(node.name, "lost its mask", "it leaves nothing out"))
    return replace(node, mask=None)
