"""The pass that chooses between the centred and the non-centred parameterisation of hierarchical variables.

``theta ~ F(mu, tau)`` becomes ``theta_raw ~ F(0, 1)`` with ``theta = mu + tau * theta_raw``, or something in between
(`exmc.rewrite.partial`); walks and autoregressions follow from innovations (`exmc.rewrite.series`).
`exmc.rewrite.evidence` holds the rule for ``centering: auto``, and `exmc.rewrite.series_evidence` that for series;
multivariate normals, of `exmc.rewrite.correlated`, are non-centred unless that is ruled out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Recurrence
from exmc.errors import ModelError
from exmc.ir.calls import is_restricted
from exmc.ir.constants import is_constant
from exmc.ir.expressions import Expression
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic, Node, RandomVariable
from exmc.ir.text import expression_text
from exmc.ir.types import ArrayType
from exmc.rewrite.changes import Change, unused_name
from exmc.rewrite.correlated import FACTORS, factors_of, split_by_factor
from exmc.rewrite.evidence import weigh
from exmc.rewrite.partial import Weights, split_partially
from exmc.rewrite.series import recurrence_of, split_series
from exmc.rewrite.standard import split_by_scale
from exmc.rewrite.verdict import Verdict


def noncenter(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` with each free location-scale or multivariate normal variable or series that should be rewritten so.

    A variable whose location and scale refer to data alone is left as it is, unless its elements are correlated. One
    of ``centering: auto`` that is better left centred is marked so, and the mark is what later runs go by.

    Raises
    ------
    ModelError
        For ``centering: noncentered`` on a variable of a family that is not closed under affine maps.
    """
    types = infer_types(model)
    factors = factors_of(model, types)
    series = {v.name: r for v in model.free if (r := recurrence_of(v, types)) is not None}
    hierarchical = [v for v in model.free if v.name in series or (v.name not in factors and _is_hierarchical(v, model))]
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
            origins, computed = _split(node, model, types, series.get(node.name), factors.get(node.name))
            nodes.extend((*origins, computed))
            what = f"non-centred: {node.name} = {expression_text(computed.expression)}"
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
            rows = DISTRIBUTIONS.values()
            families = [d.name for d in rows if d.location_scale is not None or d.recurrence is not None]
            able = ", ".join(f for f in (*families, *FACTORS) if f != variable.call.distribution)
            series = DISTRIBUTIONS[variable.call.distribution].recurrence is not None
            why = "it is of several walks or matrices" if series else "it has no location and scale"
            raise ModelError(
                f"{variable.call.distribution} cannot be non-centred: {why}.",
                where=("variables", variable.name, "centering"),
                remedy=f"These can: {able}. Leave centering out, or use one of them under a transformation.",
            )
        return False
    return not all(is_constant(arguments[n], model) for n in names)


def _split(
    node: RandomVariable,
    model: Model,
    types: Mapping[str, ArrayType],
    recurrence: Recurrence | None,
    factor: Expression | None,
) -> tuple[tuple[Node, ...], Deterministic]:
    """Standard variables, and `node` computed from them."""
    if recurrence is not None:
        return split_series(node, recurrence, model, types)
    raw, found = unused_name(f"{node.name}_raw", model), types[node.name]
    split = split_by_scale(node, raw, found) if factor is None else split_by_factor(node, factor, raw, found)
    return split[:1], split[1]
