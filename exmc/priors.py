"""Draws from the prior of a compiled model, as positions on the unconstrained scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.compile.program import CompiledModel
from exmc.ir.calls import bounds_at
from exmc.ir.nodes import Observation, RandomVariable
from exmc.predictive.simulate import Samples, simulate
from exmc.transforms import TRANSFORMS

FloatArray = NDArray[np.float64]


def prior_positions(compiled: CompiledModel, seed: int, purpose: str, samples: Samples) -> FloatArray:
    """A position for each of `samples`, shape (samples, dimension), distributed as the prior.

    Two purposes have independent draws. Potentials, which are no part of what can be drawn, do not count. Raises
    `ModelError` for a prior that is improper.
    """
    model, layout = compiled.model, compiled.layout
    prior = model.with_nodes(tuple(node for node in model.nodes if not isinstance(node, Observation)))
    drawn = simulate(prior, seed, purpose, samples, loops=compiled.loop_values)
    positions = np.empty((len(samples), layout.dimension))
    for i in range(len(samples)):
        values: dict[str, Any] = {name: data.values for name, data in model.data.items()}
        values |= {name: array[i] for name, array in drawn.items()}
        positions[i] = layout.pack({v.name: _unconstrained(v, values) for v in prior.free})
    return positions


def _unconstrained(variable: RandomVariable, values: dict[str, Any]) -> NDArray[Any]:
    assert variable.transform is not None
    bounds = bounds_at(variable.call, values)
    with np.errstate(all="ignore"):
        # A draw that rounds onto its support's edge is at infinity, and has no density.
        return np.asarray(TRANSFORMS[variable.transform].unconstrain(values[variable.name], *bounds))
