"""Whether anything holds the variables whose priors are improper."""

from __future__ import annotations

from exmc.errors import ModelError
from exmc.ir.declarations import parents
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Observation

_IMPROPER = ("Flat", "HalfFlat")


def check_proper(model: Model) -> None:
    """Raise `ModelError` for a free variable without a proper prior on which nothing that is observed depends.

    Its posterior is then its prior: densities of what is drawn given it integrate to 1. That the data do not identify
    a variable although they depend on it, such as one of two that are only seen added, is for the sampler to find.
    """
    for variable in model.free:
        if _is_improper(variable.call) and not _is_held(variable.name, model):
            raise ModelError(
                f"{variable.call.distribution} is improper, and no observation or potential depends on"
                f" {variable.name!r}: its posterior is improper, too.",
                where=("variables", variable.name),
                remedy="Give it a proper prior, such as Normal, or both bounds; let data depend on it; or remove it.",
            )


def _is_improper(call: Call) -> bool:
    return call.distribution in _IMPROPER and not {"lower", "upper"} <= set(call.arguments)


def _is_held(name: str, model: Model) -> bool:
    """Whether an observation or a potential depends on the variable, through whatever stands between."""
    below, found = [name], {name}
    while below:
        above = below.pop()
        for node in model.nodes:
            if node.name in found or above not in parents(node):
                continue
            if isinstance(node, Observation) or (isinstance(node, Deterministic) and node.potential):
                return True
            found.add(node.name)
            below.append(node.name)
    return False
