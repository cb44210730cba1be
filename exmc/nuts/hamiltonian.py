"""The physics: Hamiltonian dynamics of a log density under a metric, one leapfrog step at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts.machine import call_density, compiled
from exmc.nuts.metric import METRICS

FloatArray = NDArray[np.float64]


class Physics(NamedTuple):
    """A log density (see `exmc.density`) with its scratch memory, and a metric with its factor L."""

    address: int
    pointers: NDArray[np.int64] | NDArray[np.uint64]
    scratch: FloatArray
    metric: int
    factor: FloatArray


class Ends(NamedTuple):
    """The two ends of a trajectory, 0 the backward and 1 the forward one; each array has shape (2, dimension).

    `momentum` and `force` are whitened (see `exmc.nuts.metric`) and point forward in time at both ends. `gradient`,
    shape (dimension,), is that of the log density where the last step led.
    """

    position: FloatArray
    momentum: FloatArray
    force: FloatArray
    gradient: FloatArray


def _by_code(functions: list[Callable[..., None]]) -> Callable[..., None]:
    """One function that calls the `metric`-th of `functions`: a branch in machine code, not a compilation each."""
    *others, last = functions
    if not others:

        @compiled
        def only(metric: int, factor: FloatArray, *arguments: Any) -> None:
            last(factor, *arguments)

        return only
    earlier, here = _by_code(others), len(others)

    @compiled
    def choose(metric: int, factor: FloatArray, *arguments: Any) -> None:
        if metric == here:
            last(factor, *arguments)
        else:
            earlier(metric, factor, *arguments)

    return choose


drift = _by_code([metric.drift for metric in METRICS.values()])
whiten = _by_code([metric.whiten for metric in METRICS.values()])


@compiled
def kinetic_energy(momentum: FloatArray) -> float:
    """Half the squared length of a whitened momentum."""
    total = 0.0
    for i in range(momentum.size):
        total += momentum[i] * momentum[i]
    return 0.5 * total


@compiled
def leapfrog(physics: Physics, ends: Ends, end: int, step: float) -> Any:
    """Move one end by a signed `step` of time, in place; returns (log density, energy) there.

    Leapfrog as in Neal, "MCMC using Hamiltonian dynamics" (2011), section 2.3. Whatever goes wrong in the density
    makes the energy NaN or infinite, through the kinetic energy if only the gradient is bad.
    """
    position, momentum, force = ends.position[end], ends.momentum[end], ends.force[end]
    half = 0.5 * step
    for i in range(momentum.size):
        momentum[i] += half * force[i]
    drift(physics.metric, physics.factor, momentum, step, position)
    log_density = call_density(physics.address, position, ends.gradient, physics.scratch, physics.pointers)
    whiten(physics.metric, physics.factor, ends.gradient, force)
    for i in range(momentum.size):
        momentum[i] += half * force[i]
    return log_density, kinetic_energy(momentum) - log_density
