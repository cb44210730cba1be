"""What a model declares, as a value: nodes in order, data and coordinates; and what refers to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self, TypeAlias

from exmc.ir.expressions import Expression, Reference, names_in
from exmc.ir.loops import key_of
from exmc.ir.nodes import Call, Data, Deterministic, Node, Observation, RandomVariable

Label: TypeAlias = str | int | float


@dataclass(frozen=True, slots=True, eq=False)
class Declarations:
    """Nodes in the order they were declared, data by name and coordinate labels by dim.

    It is all of a model that those need who write it as text, mathematics or a drawing; everybody else has a `Model`.
    """

    nodes: tuple[Node, ...] = ()
    data: Mapping[str, Data] = field(default_factory=dict)
    coords: Mapping[str, tuple[Label, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", MappingProxyType(dict(self.data)))
        object.__setattr__(self, "coords", MappingProxyType(dict(self.coords)))

    def __reduce__(self) -> tuple[Any, ...]:
        # MappingProxyType does not pickle.
        return type(self), (self.nodes, dict(self.data), dict(self.coords))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(node.name == name for node in self.nodes)

    @property
    def observed_targets(self) -> frozenset[str]:
        """Names of the variables that some observation targets."""
        return frozenset(o.target.name for o in self.observations if isinstance(o.target, Reference))

    @property
    def free(self) -> tuple[RandomVariable, ...]:
        """The random variables that no observation targets, in order."""
        observed = self.observed_targets
        return tuple(n for n in self.nodes if isinstance(n, RandomVariable) and n.name not in observed)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The observations, in order."""
        return tuple(n for n in self.nodes if isinstance(n, Observation))

    @property
    def deterministics(self) -> tuple[Deterministic, ...]:
        """The deterministics, in order."""
        return tuple(n for n in self.nodes if isinstance(n, Deterministic))

    def with_nodes(self, nodes: tuple[Node, ...]) -> Self:
        """The same data and coordinates with other nodes."""
        return replace(self, nodes=nodes)


def expressions_of(node: Node) -> dict[str, Expression]:
    """Every expression of `node` by the key a user knows it by (``mu``, ``of.sigma``, ``observed``, ``scan``…)."""
    if isinstance(node, RandomVariable):
        return node.call.expressions
    if isinstance(node, Deterministic):
        return {"potential" if node.potential else key_of(node.expression): node.expression}
    found: dict[str, Expression] = {}
    if isinstance(node.target, Call):
        found |= node.target.expressions
    else:
        found["target"] = node.target
    found["observed"] = node.value
    if node.weight is not None:
        found["weight"] = node.weight
    if node.mask is not None:
        found["mask"] = node.mask
    found["log_jacobian"] = node.log_jacobian
    return found


def observed_call(node: Observation, model: Declarations) -> Call | None:
    """The distribution of what `node` observes; None if that is a deterministic."""
    if isinstance(node.target, Call):
        return node.target
    target = model[node.target.name]
    return target.call if isinstance(target, RandomVariable) else None


def place_of(name: str, key: str) -> tuple[str, ...]:
    """The path of what `expressions_of` calls `key` in the node called `name`."""
    return ("variables", name, *key.split("."))


def parents(node: Node) -> list[str]:
    """Names that `node` refers to, variables and data alike, each once."""
    return list(dict.fromkeys(n for e in expressions_of(node).values() for n in names_in(e)))


def in_order(model: Declarations) -> tuple[Node, ...]:
    """The nodes with every node after those it refers to, otherwise in declared order.

    The model must have no cycle (`check` sees to it).
    """
    by_name = {node.name: node for node in model.nodes}
    done: dict[str, Node] = {}

    for root in model.nodes:
        pending: list[tuple[Node, bool]] = [(root, False)]
        while pending:
            node, expanded = pending.pop()
            if node.name in done:
                continue
            if expanded:
                done[node.name] = node
                continue
            pending.append((node, True))
            above = [by_name[p] for p in parents(node) if p in by_name and p not in done and p != node.name]
            pending.extend((p, False) for p in reversed(above))
    return tuple(done.values())
