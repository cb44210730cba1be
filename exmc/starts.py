"""Where a chain of NUTS starts, if not at a uniform draw: at values given, a prior draw, or near a mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.compile.layout import layout_of
from exmc.compile.program import CompiledModel
from exmc.compile.sequential import evaluate_loop
from exmc.density import LogDensity
from exmc.errors import SamplingError, brief, suggest
from exmc.fitting import problem_of
from exmc.ir.calls import bounds_at
from exmc.ir.declarations import in_order
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic, RandomVariable
from exmc.methods.method import Problem
from exmc.methods.pathfinder import PathfinderSettings, run_path
from exmc.methods.random import START, generator
from exmc.predictive.simulate import Samples
from exmc.priors import prior_positions
from exmc.sampling.options import SamplerOptions
from exmc.sampling.seeds import chain_key
from exmc.sampling.watchdog import Pulse
from exmc.transforms import TRANSFORMS

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
    if isinstance(options.init, str):
        return _STARTS[options.init](compiled, options, chain, pulse)
    key = chain_key(options.seed, chain)
    uniform = options.initial_radius * (2.0 * generator(key, 0, START).random(compiled.layout.dimension) - 1.0)
    return Start(at_values(compiled.model, options.init, uniform))


def at_values(model: Model, values: Mapping[str, Any], position: FloatArray) -> FloatArray:
    """`position` in the space of the rewritten `model`, moved to where the variables in `values` have these values.

    Raises
    ------
    SamplingError
        For a name that is no variable that is sampled, and a value of another shape or outside the support.
    """
    layout, types = layout_of(model), infer_types(model)
    free = {variable.name: variable for variable in model.free}
    for name in values:
        if name not in free:
            message = f"{name!r} is no variable that is sampled; one that is not centred is computed from one that is."
            raise SamplingError(message, where=("init", name), remedy=suggest(name, free))
    known: dict[str, Any] = {name: data.values for name, data in model.data.items()}
    unconstrained = layout.unpack(position)
    for node in in_order(model):
        if isinstance(node, Deterministic):
            known[node.name] = evaluate_loop(node.expression, known)
        elif isinstance(node, RandomVariable):
            assert node.transform is not None
            transform, bounds = TRANSFORMS[node.transform], bounds_at(node.call, known)
            if node.name in values:
                given = _shaped(node.name, values[node.name], types[node.name].shape)
                with np.errstate(all="ignore"):
                    moved = np.asarray(transform.unconstrain(given, *bounds))
                if not np.isfinite(moved).all():
                    message = (
                        f"{node.name!r} cannot have the value {brief(values[node.name])}, where it has no density."
                    )
                    raise SamplingError(message, where=("init", node.name), remedy="Give one inside its support.")
                unconstrained[node.name] = moved
            known[node.name] = transform.constrain(unconstrained[node.name], *bounds)
    return layout.pack(unconstrained)


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> FloatArray:
    try:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), shape)
    except (ValueError, TypeError):
        message = f"{brief(value)} is no value of {name!r}, which has the shape {shape}."
        raise SamplingError(message, where=("init", name), remedy="Give numbers of that shape.") from None


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
