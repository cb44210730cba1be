"""The partially centred form of a variable of a location-scale family.

``theta_j ~ F(mu_j, tau)`` becomes ``theta_partial_j ~ F(w_j mu_j / t, (tau / t)^w_j)`` with

    theta_j = mu_j + tau (theta_partial_j - w_j mu_j / t) / (tau / t)^w_j

which is non-centred at w_j = 0 and centred, in units of t, at w_j = 1 (Papaspiliopoulos, Roberts and Skold 2003,
"Non-centered parameterisations for hierarchical models and data augmentation"; the exponent is that of Gorinova, Moore
and Hoffman 2020, "Automatic reparameterisation of probabilistic programs"). They have t = 1, which makes the result
depend on the units; with t a typical value of tau, w_j is optimal at I_j tau^2 / (1 + I_j tau^2) for location and scale
alike, I_j being the information about theta_j in the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.ir.constants import is_constant
from exmc.ir.expressions import Expression, Reference, apply, names_in
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Data, Deterministic, RandomVariable
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import ONE, ZERO, minus, over, plus, times
from exmc.rewrite.changes import unused_name
from exmc.rewrite.surface import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """How far each element of a variable is centred.

    Attributes
    ----------
    values : ndarray, of the variable's shape
        0 is non-centred, 1 is centred.
    typical : float
        A typical value of the population's scale, positive.
    """

    values: FloatArray
    typical: float


@dataclass(frozen=True, slots=True)
class Parts:
    """What a partially centred variable becomes: data, the variable that is sampled, and itself computed from that."""

    data: tuple[Data, ...]
    variable: RandomVariable
    computed: Deterministic


def split_partially(node: RandomVariable, weights: Weights, model: Model, found: ArrayType) -> Parts:
    """`node`, whose type is `found`, in partially centred form; `model` says which names are taken.

    Weights and typical scale are data: others of the same shape need no other machine code.
    """
    names = DISTRIBUTIONS[node.call.distribution].location_scale
    assert names is not None
    location, scale = (node.call.arguments[n] for n in names)
    weight = Data(unused_name(f"{node.name}_weight", model), weights.values, found.dims)
    typical = Data(unused_name(f"{node.name}_typical", model), np.asarray(weights.typical))
    share, unit = Reference(weight.name), Reference(typical.name)
    # What is constant has no correlation to be rid of.
    centre: Expression = ZERO if is_constant(location, model) else times(share, over(location, unit))
    width: Expression = (
        ONE if is_constant(scale, model) else apply("exp", times(share, apply("log", over(scale, unit))))
    )
    sampled = unused_name(f"{node.name}_partial", model)
    standard = {names[0]: centre, names[1]: width}
    call = Call(node.call.distribution, tuple((k, standard.get(k, e)) for k, e in node.call.parameters))
    dims = found.dims if any(found.dims) else None
    shape = found.shape if found.shape else None
    variable = RandomVariable(sampled, call, dims, shape, node.transform, "centered", auxiliary=True)
    deviation = over(minus(Reference(sampled), centre), width)
    computed = Deterministic(node.name, plus(location, times(scale, deviation)), dims)
    used = {name for expression in (centre, width) for name in names_in(expression)}
    return Parts(tuple(d for d in (weight, typical) if d.name in used), variable, computed)
