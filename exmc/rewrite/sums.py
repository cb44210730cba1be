"""The sum over the values of a block of discrete variables, as expressions.

Elements are independent of each other, or the places of chains: then the probability of the values at a place is that
given all that is seen before, and all else is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from exmc.ir.calls import form_of
from exmc.ir.declarations import Label
from exmc.ir.expressions import Constant, Expression, Reference, Slice, apply, indexed
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Data, Deterministic, Node, Observation, RandomVariable
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import minus, plus
from exmc.rewrite.blocks import Block
from exmc.rewrite.chains import Recursions, in_time, keys_of, recursions
from exmc.rewrite.changes import unused_name
from exmc.rewrite.terms import Chosen, Terms


@dataclass(frozen=True, slots=True, eq=False)
class Summed:
    """What takes the place of nodes, what comes before them, and the data and coordinates that these need."""

    replaced: Mapping[str, Node]
    before: Mapping[str, tuple[Node, ...]]
    data: Mapping[str, Data]
    coords: Mapping[str, tuple[Label, ...]]

    def joined(self, other: Summed) -> Summed:
        """Both together."""
        return Summed(
            {**self.replaced, **other.replaced},
            {**self.before, **other.before},
            {**self.data, **other.data},
            {**self.coords, **other.coords},
        )


def sum_out(block: Block, model: Model, types: Mapping[str, ArrayType]) -> Summed:
    """The observations that depend on `block` with the sum as their density, and the probabilities of its variables."""
    terms = Terms(block, model, types)
    parts = _over_time(terms) if block.chains else _by_element(terms)
    replaced: dict[str, Node] = {u.name: _with_terms(u, parts.densities[u.name]) for u in terms.users}
    before: dict[str, tuple[Node, ...]] = {}
    coords: dict[str, tuple[Label, ...]] = {}
    for variable in block.variables:
        found = _probabilities(variable, parts.joint, terms, coords)
        before[variable.name] = (found,) if before else (*parts.nodes, found)
    return Summed(replaced, before, terms.data, coords)


class _Parts(NamedTuple):
    """What a sum is made of.

    Attributes
    ----------
    nodes
        Deterministics to which the others refer.
    densities
        By observation the terms whose sum is its density, as logarithms.
    joint
        The log probability of the combinations given all that is seen, up to a constant, shape (elements,
        combinations).
    """

    nodes: tuple[Deterministic, ...]
    densities: Mapping[str, tuple[Expression, ...]]
    joint: Expression


def _by_element(terms: Terms) -> _Parts:
    """The sum where elements are independent."""
    table = _node(terms, "terms", terms.table(terms.prior))
    joint = indexed(Reference(table.name), [Slice(), Constant(-1)])
    if terms.one_each and len(terms.users) == 1:
        (user,) = terms.users
        mixed = tuple(plus(terms.prior(c), terms.seen(user, c)) for c in terms.block.combinations)
        return _Parts((table,), {user.name: mixed}, joint)
    return _Parts((table,), {u.name: (terms.in_turn(u, table.name),) for u in terms.users}, joint)


def _over_time(terms: Terms) -> _Parts:
    """The sum over the paths of chains."""
    block = terms.block
    own: Expression = Constant(0.0)
    if len(block.chains) < len(block.variables):
        own = in_time([terms.prior(c) for c in block.combinations])
    if terms.one_each:
        at_place = [
            _node(terms, f"seen_{user.name}", in_time([terms.seen(user, c) for c in block.combinations]))
            for user in terms.users
        ]
        parts = [Reference(node.name) for node in at_place]
        found = _recursions(terms, [own, *parts])
        densities, total = {}, plus(found.predicted, own)
        for user, part in zip(terms.users, parts, strict=True):
            before, total = total, plus(total, part)
            # What is expected at a place before anything is seen there has the sum 1.
            earlier = Constant(0.0) if part is parts[0] else _summed(before, block)
            densities[user.name] = (minus(_summed(total, block), earlier),)
        nodes = (*at_place, *found.nodes)
    else:
        element = terms.add("element", np.arange(block.size).reshape(block.shape))
        rows = in_time([apply("sum", terms.by_row(c), axis=1)[element] for c in block.combinations])
        found = _recursions(terms, [own, rows])

        def prior(chosen: Chosen) -> Expression:
            expected = indexed(apply("transpose", found.predicted), [Constant(block.combinations.index(dict(chosen)))])
            return plus(terms.prior(chosen), expected)

        table = _node(terms, "terms", terms.table(prior))
        densities = {u.name: (terms.in_turn(u, table.name),) for u in terms.users}
        nodes = (*found.nodes, table)
    everything = found.predicted + found.seen + found.after
    keys = [terms.add(f"place_{axis}", key) for axis, key in enumerate(keys_of(block))]
    return _Parts(nodes, densities, indexed(everything, keys))


def _recursions(terms: Terms, parts: list[Expression]) -> Recursions:
    """The recursions, where what is seen at a place has the log density of all `parts` together."""
    total: Expression = Constant(0.0)
    for part in parts:
        total = plus(total, part)
    if isinstance(total, Constant):
        shape = (terms.block.shape[-1], *terms.block.shape[-2::-1], len(terms.block.combinations))
        total = apply("zeros", *shape)
    return recursions(terms.block, terms.model, terms.types, total, terms.add)


def _summed(logs: Expression, block: Block) -> Expression:
    """The logarithm of the sum over states of an array of the recursions' axes, in the block's shape."""
    return apply("transpose", apply("logsumexp", logs, axis=len(block.shape)))


def _node(terms: Terms, what: str, expression: Expression) -> Deterministic:
    return Deterministic(unused_name(f"{terms.name}_{what}", terms.model), expression, keep=False)


def _with_terms(user: Observation, terms: tuple[Expression, ...]) -> Observation:
    """`user` with the sum of `terms`, given as logarithms, as its density."""
    assert isinstance(user.target, Call)
    form = form_of(user.target)
    texts = {"function": "exmc.logspace:log_sum_of_terms", "support": "real", "event_rank": str(form.rank)}
    named = tuple((f"term_{i}", term) for i, term in enumerate(terms))
    return replace(user, target=Call("Custom", (*texts.items(), *named)))


def _probabilities(
    variable: RandomVariable, joint: Expression, terms: Terms, coords: dict[str, tuple[Label, ...]]
) -> Deterministic:
    """The probabilities of the values of `variable` given all else, along one more axis, ``<name>_value``."""
    block, model = terms.block, terms.model
    values = block.values[variable.name]
    name = unused_name(f"{variable.name}_probabilities", model)
    dim = unused_name(f"{variable.name}_value", model)
    coords[dim] = values
    shares = apply("softmax", joint, axis=1)
    if len(block.variables) > 1:
        chosen = [[float(c[variable.name] == v) for v in values] for c in block.combinations]
        shares = apply("matmul", shares, terms.add(f"{variable.name}_chosen", np.array(chosen)))
    element = terms.add("element", np.arange(block.size).reshape(block.shape))
    return Deterministic(name, indexed(shares, [element]), (*terms.types[variable.name].dims, dim))
