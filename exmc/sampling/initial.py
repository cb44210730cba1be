"""Where a chain starts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity
from exmc.errors import SamplingError
from exmc.nuts.stream import INITIAL_POINT
from exmc.sampling.options import SamplerOptions
from exmc.sampling.watchdog import Pulse

FloatArray = NDArray[np.float64]


class InitialPoint(NamedTuple):
    """A position with the log density and gradient there, all finite."""

    position: FloatArray
    log_density: float
    gradient: FloatArray


def draw_initial(
    density: LogDensity, options: SamplerOptions, chain: int, key: NDArray[np.uint64], pulse: Pulse | None = None
) -> InitialPoint:
    """The first of the chain's candidates, uniform on (-radius, radius), where value and gradient are finite.

    Raises
    ------
    SamplingError
        If none of ``options.initial_attempts`` candidates is.
    """
    found = ""
    for attempt in range(options.initial_attempts):
        bits = np.random.Philox(key=key, counter=np.array([0, attempt, INITIAL_POINT, 0], dtype=np.uint64))
        position = options.initial_radius * (2.0 * np.random.Generator(bits).random(density.dimension) - 1.0)
        value, gradient = density(position)
        if pulse is not None:
            pulse.beat()
        found = _fault(value, gradient)
        if not found:
            return InitialPoint(position, value, gradient)
    raise SamplingError(
        f"Chain {chain} found no starting point: at each of {options.initial_attempts} points drawn uniformly from "
        f"(-{options.initial_radius:g}, {options.initial_radius:g}) in every unconstrained coordinate, the log density "
        f"or its gradient was not finite; at the last one {found}.",
        where=("initial",),
        remedy="Check that the data lie in the support of their distributions, reduce initial_radius, or give initial "
        "values.",
    )


def use_initial(density: LogDensity, chain: int, position: FloatArray) -> InitialPoint:
    """The point the user gave.

    Raises
    ------
    SamplingError
        If its shape is wrong, or value or gradient are not finite there.
    """
    position = np.array(position, dtype=np.float64)
    if position.shape != (density.dimension,):
        raise SamplingError(
            f"Chain {chain}: the initial position has shape {position.shape}, but the density has {density.dimension} "
            "unconstrained coordinates.",
            where=("initial",),
            remedy=f"Give an array of shape ({density.dimension},).",
        )
    value, gradient = density(position)
    found = _fault(value, gradient)
    if found:
        raise SamplingError(
            f"Chain {chain} cannot start at the initial position given: there {found}.",
            where=("initial",),
            remedy="Give another one, or none, to have it drawn.",
        )
    return InitialPoint(position, value, gradient)


def _fault(value: float, gradient: FloatArray) -> str:
    """What is not finite, in words; nothing if all is well."""
    if not np.isfinite(value):
        return f"the log density was {value}"
    bad = np.flatnonzero(~np.isfinite(gradient))
    if bad.size:
        return f"the log density was {value:g} and component {bad[0]} of its gradient {gradient[bad[0]]}"
    return ""
