"""The pass that gives every free variable the map from the real line to its support."""

from __future__ import annotations

from dataclasses import replace

from exmc.ir.calls import form_of
from exmc.ir.model import Model
from exmc.ir.nodes import Node, RandomVariable
from exmc.rewrite.changes import Change


def default_transforms(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` with a transform for each free variable: its own, or else that of its distribution.

    Observed variables get none, since a Jacobian has no place in a likelihood. That a given one maps onto the
    variable's support is part of a model's check.
    """
    free = {v.name for v in model.free}
    nodes: list[Node] = []
    changes: list[Change] = []
    for node in model.nodes:
        if isinstance(node, RandomVariable) and node.name in free and node.transform is None:
            form = form_of(node.call)
            node = replace(node, transform=form.transform)
            why = f"{node.call.distribution} has its density on {form.support.name} values"
            changes.append(Change(node.name, f"transform {node.transform}", why))
        nodes.append(node)
    return (model.with_nodes(tuple(nodes)) if changes else model), tuple(changes)
