"""The pass that gives every free variable the map from the real line to its support."""

from __future__ import annotations

from dataclasses import replace

from exmc.distributions import DISTRIBUTIONS
from exmc.errors import ModelError
from exmc.ir.model import Model
from exmc.ir.nodes import Node, RandomVariable
from exmc.rewrite.changes import Change
from exmc.transforms import TRANSFORMS


def default_transforms(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` with a transform for each free variable: its own, or else that of its distribution.

    Observed variables get none, since a Jacobian has no place in a likelihood. Raises `ModelError` for a transform
    that does not map onto the variable's support.
    """
    free = {v.name for v in model.free}
    nodes: list[Node] = []
    changes: list[Change] = []
    for node in model.nodes:
        if isinstance(node, RandomVariable) and node.name in free:
            if node.transform is None:
                distribution = DISTRIBUTIONS[node.call.distribution]
                node = replace(node, transform=distribution.transform)
                why = f"{distribution.name} has its density on {distribution.support.name} values"
                changes.append(Change(node.name, f"transform {node.transform}", why))
            _check(node)
        nodes.append(node)
    return (model.with_nodes(tuple(nodes)) if changes else model), tuple(changes)


def _check(node: RandomVariable) -> None:
    assert node.transform is not None
    support = DISTRIBUTIONS[node.call.distribution].support
    if support not in TRANSFORMS[node.transform].supports:
        fitting = [t.name for t in TRANSFORMS.values() if support in t.supports]
        raise ModelError(
            f"the transform {node.transform!r} does not reach every value of a {node.call.distribution}, and no other.",
            where=("variables", node.name, "transform"),
            remedy=f"Use {' or '.join(fitting)}, or leave it out.",
        )
