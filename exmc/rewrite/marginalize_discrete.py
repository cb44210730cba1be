"""The pass that sums discrete variables out of a model.

A block is the discrete variables that meet in one density. Elements of a block are independent of each other given all
else: with z one element and y the rows that depend on it, p(y) is the sum over k of p(z = k) prod_n p(y_n | z = k)
(Stan user's guide, "Latent discrete parameters"). Where z has several rows, row n counts with its density given the
rows before it, p(y_1..y_n) / p(y_1..y_(n-1)), so that pointwise log likelihoods sum to the joint one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exmc.ir.calls import form_of
from exmc.ir.constants import constant_value
from exmc.ir.declarations import expressions_of, parents
from exmc.ir.expressions import Reference, names_in, substitute
from exmc.ir.infer import infer_types, map_expressions
from exmc.ir.loops import loop_body
from exmc.ir.missing import missing_in
from exmc.ir.model import Model
from exmc.ir.nodes import Data, Deterministic, Node, Observation, RandomVariable
from exmc.rewrite.blocks import Block, block_of, refusal
from exmc.rewrite.changes import Change, unused_name, with_known_dims
from exmc.rewrite.sums import Summed, sum_out


def marginalize_discrete(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` without free discrete variables: what depends on them has the sum over their values as its density.

    Each becomes the deterministic ``<name>_probabilities``, its probabilities given all else and the data.
    Deterministics that depend on discrete variables are written into what uses them, and are no longer reported.

    Raises
    ------
    ModelError
        Where a sum has too many terms, or what depends on the variable cannot be told apart by its elements.
    """
    names = {v.name for v in model.free if form_of(v.call).discrete}
    if not names:
        return model, ()
    inlined, gone = _inlined(model, names)
    inlined = _masked(inlined, names)
    types = infer_types(inlined)
    changes: list[Change] = []
    summed = Summed({}, {}, {}, {})
    for members in _blocks(inlined, names):
        block = block_of(members, inlined, types)
        found = sum_out(block, inlined, types)
        summed = summed.joined(found)
        changes += [_change(variable, block) for variable in block.variables]
    nodes: list[Node] = []
    for node in inlined.nodes:
        nodes += summed.before.get(node.name, ())
        if node.name not in names and node.name not in gone:
            nodes.append(summed.replaced.get(node.name, node))
    changes += [
        Change(name, "is no longer computed", "it depends on a variable that is summed out")
        for name in gone
        if (d := model[name]) and isinstance(d, Deterministic) and d.keep
    ]
    result = Model(tuple(nodes), {**inlined.data, **summed.data}, {**model.coords, **summed.coords})
    return with_known_dims(result, model), tuple(changes)


def _change(variable: RandomVariable, block: Block) -> Change:
    users = ", ".join(block.users) or "nothing"
    what = f"summed out; its probabilities are {variable.name}_probabilities"
    return Change(variable.name, what, f"it has {len(block.values[variable.name])} values, and {users} depends on it")


def _inlined(model: Model, names: set[str]) -> tuple[Model, set[str]]:
    """`model` with deterministics that depend on `names` written into their users, and those deterministics."""
    through: dict[str, Deterministic] = {}
    while True:
        more = {
            n.name: n
            for n in model.nodes
            if isinstance(n, Deterministic)
            and n.name not in through
            and not (names | set(through)).isdisjoint(parents(n))
        }
        if not more:
            break
        through |= more
    for node in through.values():
        if node.potential or loop_body(node.expression) is not None:
            what = "a potential" if node.potential else "a scan or a differential equation"
            raise refusal(
                next(iter(names & set(names_in(node.expression))), min(names)), f"{what}, {node.name!r}, depends on it"
            )
    replacements = {name: n.expression for name, n in through.items()}
    nodes = list(model.nodes)
    for _ in through:
        nodes = [map_expressions(n, lambda e: substitute(e, dict(replacements))) for n in nodes]
    return model.with_nodes(tuple(n for n in nodes if n.name not in through)), set(through)


def _masked(model: Model, names: set[str]) -> Model:
    """`model` with masks in place of what is missing and left out where observations depend on `names`.

    In a sum such a row counts for nothing, which its own density does not say once it is part of the sum.
    """
    nodes, data = list(model.nodes), dict(model.data)
    for i, node in enumerate(model.nodes):
        missing = missing_in(model).get(node.name)
        if missing is None or missing.imputed.any() or names.isdisjoint(parents(node)):
            continue
        assert isinstance(node, Observation)
        seen = ~missing.entries & (True if node.mask is None else np.asarray(constant_value(node.mask, model), bool))
        values = np.asarray(constant_value(node.value, model))
        # A number as legal as another in the place of each NaN; no density depends on it.
        filled = np.where(missing.elements, values[~missing.elements][0], values)
        mask, value = (unused_name(f"{missing.variable}_{what}", model) for what in ("mask", "filled"))
        data |= {mask: Data(mask, seen), value: Data(value, filled, infer_types(model)[node.name].dims)}
        nodes[i] = replace(node, value=Reference(value), mask=Reference(mask))
    used = {name for node in nodes for name in parents(node)}
    kept = {name: d for name, d in data.items() if name in used or not np.isnan(d.values).any()}
    return Model(tuple(nodes), kept, dict(model.coords))


def _blocks(model: Model, names: set[str]) -> list[tuple[str, ...]]:
    """The variables `names`, those together that meet in a density."""
    owner = {name: name for name in names}
    for node in model.nodes:
        used = {r for e in expressions_of(node).values() for r in names_in(e)} & names
        met = [owner[name] for name in used | ({node.name} & names)]
        for name, root in owner.items():
            if root in met:
                owner[name] = met[0]
    order = [n.name for n in model.nodes if n.name in names]
    roots = list(dict.fromkeys(owner[name] for name in order))
    return [tuple(name for name in order if owner[name] == root) for root in roots]
