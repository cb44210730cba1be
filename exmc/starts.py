"""Where a chain of NUTS starts, if not at a uniform draw: at a prior draw, or near a mode that Pathfinder finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.compile.program import CompiledModel
from exmc.density import LogDensity
from exmc.errors import SamplingError
from exmc.fitting import problem_of
from exmc.methods.method import Problem
from exmc.methods.pathfinder import PathfinderSettings, run_path
from exmc.methods.random import START, generator
from exmc.predictive.simulate import Samples
from exmc.priors import prior_positions
from exmc.sampling.options import SamplerOptions
from exmc.sampling.seeds import chain_key
from exmc.sampling.watchdog import Pulse

FloatArray = NDArray[np.float64]


class Start(NamedTuple):
    """Where a chain starts, and what is known of the variances there: None for what `exmc.sampling.chain` does itself.

    Both have shape (dimension,), on the unconstrained scale.
    """

    position: FloatArray | None = None
    variances: FloatArray | None = None


def start_of(compiled: CompiledModel, options: SamplerOptions, chain: int, pulse: Pulse | None = None) -> Start:
    """Where `chain` starts, as ``options.init`` has it.

    Raises
    ------
    SamplingError
        If no draw from the prior has a finite density.
    ModelError
        If the prior cannot be drawn from.
    """
    return _STARTS[options.init](compiled, options, chain, pulse)


def _uniform(compiled: CompiledModel, options: SamplerOptions, chain: int, pulse: Pulse | None) -> Start:
    del compiled, options, chain, pulse
    return Start()


def _prior(compiled: CompiledModel, options: SamplerOptions, chain: int, pulse: Pulse | None) -> Start:
    density = compiled.density()
    for attempt in range(options.initial_attempts):
        sample = Samples(np.array([chain], dtype=np.int64), np.array([attempt], dtype=np.int64))
        position = prior_positions(compiled, options.seed, "start", sample)[0]
        if _begins(density, position):
            return Start(position)
        if pulse is not None:
            pulse.beat()
    raise SamplingError(
        f"Chain {chain} found no starting point: at each of {options.initial_attempts} draws from the prior the log "
        "density or its gradient was not finite.",
        where=("initial",),
        remedy="Check the priors' scales against the data, or set init to uniform.",
    )


def _pathfinder(compiled: CompiledModel, options: SamplerOptions, chain: int, pulse: Pulse | None) -> Start:
    """A draw of the best approximation along a path from where the chain would start (Zhang et al. 2022, section 3.4).

    With its variances: the unit metric moves slowly where the scales are far apart, and nowhere as slowly as in the
    middle of the posterior. Where there is no approximation the chain starts as ever.
    """
    problem: Problem = problem_of(compiled, options, None, pulse)
    try:
        found = run_path(problem, chain, PathfinderSettings()).normal
    except SamplingError:
        return Start()
    for attempt in range(options.initial_attempts):
        standard = generator(chain_key(options.seed, chain), attempt, START).standard_normal(found.mean.size)
        position = found.place(standard)
        if _begins(problem.density, position):
            return Start(position, found.deviations() ** 2)
    return Start()


def _begins(density: LogDensity, position: FloatArray) -> bool:
    if not np.isfinite(position).all():
        return False
    value, gradient = density(position)
    return bool(np.isfinite(value) and np.isfinite(gradient).all())


_STARTS: dict[str, Callable[[CompiledModel, SamplerOptions, int, Pulse | None], Start]] = {
    "uniform": _uniform,
    "prior": _prior,
    "pathfinder": _pathfinder,
}
