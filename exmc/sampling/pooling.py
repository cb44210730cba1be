"""Where in their warm-up chains wait for one another, to go on with a metric that they have learnt together.

Each chain begins where it would begin alone, and has its own first windows, draws and step size: that chains which
started apart agree says as much as ever. What they share is how far to look in which direction.
"""

from __future__ import annotations

from exmc.nuts.schemes import SCHEMES
from exmc.nuts.stages import Stage, pooled_ends, step_size_stage
from exmc.sampling.options import SamplerOptions
from exmc.sampling.state import ChainState

MOST_POOLED = 64
"""Of more chains those with the lowest numbers decide; so many draws are enough."""


def stages_of(options: SamplerOptions) -> tuple[Stage, ...]:
    """The warm-up stages of each chain."""
    return (step_size_stage if options.warm_start else SCHEMES[options.adaptation].stages)(options.warmup)


def pooled_at(options: SamplerOptions) -> tuple[int, ...]:
    """The iterations before which each chain waits for the others, to go on with the metric that they pool."""
    return pooled_ends(stages_of(options)) if options.pool_metric and options.chains > 1 else ()


def waits(options: SamplerOptions, state: ChainState) -> bool:
    """Whether the chain goes on with what chains have learnt together, and with nothing else."""
    return state.iteration in pooled_at(options)
