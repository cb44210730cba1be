"""Variables of location-scale families as standard ones, and what is computed from those."""

from __future__ import annotations

from exmc.distributions import DISTRIBUTIONS
from exmc.ir.expressions import Reference
from exmc.ir.nodes import Call, Deterministic, RandomVariable
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import ONE, ZERO, plus, times


def standard_normals(name: str, found: ArrayType) -> RandomVariable:
    """Independent standard normals called `name`, of the type `found`."""
    return auxiliary(name, Call("Normal", (("mu", ZERO), ("sigma", ONE))), found)


def auxiliary(name: str, call: Call, found: ArrayType, transform: str | None = None) -> RandomVariable:
    """A variable of rewriting called `name`, of the type `found`."""
    dims = found.dims if any(found.dims) else None
    return RandomVariable(name, call, dims, found.shape if found.shape else None, transform, auxiliary=True)


def split_by_scale(node: RandomVariable, raw: str, found: ArrayType) -> tuple[RandomVariable, Deterministic]:
    """The standard variable called `raw`, and `node`, of a location-scale family and the type `found`, from it."""
    names = DISTRIBUTIONS[node.call.distribution].location_scale
    assert names is not None
    location, scale = (node.call.arguments[n] for n in names)
    standard = {names[0]: ZERO, names[1]: ONE}
    call = Call(node.call.distribution, tuple((k, standard.get(k, e)) for k, e in node.call.parameters))
    variable = auxiliary(raw, call, found, node.transform)
    value = plus(location, times(scale, Reference(raw)))
    return variable, Deterministic(node.name, value, variable.dims)
