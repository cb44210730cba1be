"""The pass that chooses between the centred and the non-centred parameterisation of hierarchical variables.

``theta ~ F(mu, tau)`` becomes ``theta_raw ~ F(0, 1)`` with ``theta = mu + tau * theta_raw``, or something in between
(`exmc.rewrite.partial`). `exmc.rewrite.evidence` holds the rule for ``centering: auto``; multivariate normals, of
`exmc.rewrite.correlated`, are non-centred unless that is ruled out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.errors import ModelError
from exmc.ir.calls import is_restricted
from exmc.ir.constants import is_constant
from exmc.ir.expressions import Reference
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Node, RandomVariable
from exmc.ir.text import expression_text
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import ONE, ZERO, plus, times
from exmc.rewrite.changes import Change, unused_name
from exmc.rewrite.correlated import FACTORS, factors_of, split_by_factor
from exmc.rewrite.evidence import Verdict, weigh
from exmc.rewrite.partial import Weights, split_partially


def noncenter(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` with each free location-scale or multivariate normal variable that should be non-centred rewritten.

    A variable whose location and scale refer to data alone is left as it is, unless its elements are correlated. One
    of ``centering: auto`` that is better left centred is marked so, and the mark is what later runs go by.

    Raises
    ------
    ModelError
        For ``centering: noncentered`` on a variable of a family that is not closed under affine maps.
    """
    types = infer_types(model)
    factors = factors_of(model, types)
    hierarchical = [v for v in model.free if v.name not in factors and _is_hierarchical(v, model)]
    undecided = [v for v in hierarchical if v.centering == "auto"]
    verdicts = {v.name: Verdict(False, "it is asked for") for v in hierarchical if v.centering == "noncentered"}
    if undecided:
        weighed = weigh(model, hierarchical)
        verdicts |= {v.name: weighed[v.name] for v in undecided}
    verdicts |= {name: Verdict(False, "its elements have independent priors then") for name in factors}
    if not verdicts:
        return model, ()
    nodes: list[Node] = []
    data = dict(model.data)
    changes: list[Change] = []
    for node in model.nodes:
        verdict = verdicts.get(node.name)
        if verdict is None:
            nodes.append(node)
            continue
        assert isinstance(node, RandomVariable)
        if verdict.centred:
            nodes.append(replace(node, centering="centered"))
            what = "stays centred"
        elif verdict.weights is not None:
            parts = split_partially(node, verdict.weights, model, types[node.name])
            nodes.extend((parts.variable, parts.computed))
            data |= {d.name: d for d in parts.data}
            what = f"centred in part, by weights {_range(verdict.weights)}"
        else:
            raw, found = unused_name(f"{node.name}_raw", model), types[node.name]
            factor = factors.get(node.name)
            pair = _split(node, raw, found) if factor is None else split_by_factor(node, factor, raw, found)
            nodes.extend(pair)
            what = f"non-centred: {node.name} = {expression_text(pair[1].expression)}"
        changes.append(Change(node.name, what, verdict.why))
    return replace(model, nodes=tuple(nodes), data=data), tuple(changes)


def _range(weights: Weights) -> str:
    low, middle, high = np.quantile(weights.values, (0.0, 0.5, 1.0))
    return f"from {low:.2g} to {high:.2g} (median {middle:.2g})" if low < high else f"of {low:.2g}"


def _is_hierarchical(variable: RandomVariable, model: Model) -> bool:
    """Whether the location or the scale of `variable` depends on other variables."""
    names = DISTRIBUTIONS[variable.call.distribution].location_scale
    arguments = variable.call.arguments
    if names is not None and is_restricted(variable):
        if variable.centering == "noncentered":
            raise ModelError(
                f"a variable restricted by the transform {variable.transform!r} cannot be non-centred.",
                where=("variables", variable.name, "centering"),
                remedy="Leave centering out, or leave the transform out.",
            )
        return False
    if names is None or any(n not in arguments for n in names):
        if variable.centering == "noncentered":
            families = [d.name for d in DISTRIBUTIONS.values() if d.location_scale is not None]
            able = ", ".join([*families, *(f for f in FACTORS if f != variable.call.distribution)])
            raise ModelError(
                f"{variable.call.distribution} cannot be non-centred: it has no location and scale.",
                where=("variables", variable.name, "centering"),
                remedy=f"These can: {able}. Leave centering out, or use one of them under a transformation.",
            )
        return False
    return not all(is_constant(arguments[n], model) for n in names)


def _split(node: RandomVariable, raw: str, found: ArrayType) -> tuple[RandomVariable, Deterministic]:
    """The standard variable called `raw`, and `node` computed from it."""
    names = DISTRIBUTIONS[node.call.distribution].location_scale
    assert names is not None
    location, scale = (node.call.arguments[n] for n in names)
    standard = {names[0]: ZERO, names[1]: ONE}
    call = Call(node.call.distribution, tuple((k, standard.get(k, e)) for k, e in node.call.parameters))
    dims = found.dims if any(found.dims) else None
    shape = found.shape if found.shape else None
    variable = RandomVariable(raw, call, dims, shape, node.transform, auxiliary=True)
    value = plus(location, times(scale, Reference(raw)))
    return variable, Deterministic(node.name, value, dims)
