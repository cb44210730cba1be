"""One transition of NUTS: a fresh momentum, a trajectory, its statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from exmc.nuts.hamiltonian import Physics, kinetic_energy, leapfrog, whiten
from exmc.nuts.machine import Words, compiled
from exmc.nuts.outcome import Transition
from exmc.nuts.random import accept, next_word, normal
from exmc.nuts.step_size import step_search
from exmc.nuts.trajectory import COMPLETE, DIVERGING, MAX_ENERGY_FALL, Workspace, copy, trajectory_sampler

sample_trajectory = trajectory_sampler(leapfrog, accept)


@compiled
def begin(physics: Physics, random: Words, memory: Workspace, spread: float) -> float:
    """Put both ends at ``memory.sample`` with one fresh momentum, `spread` times normal; return its kinetic energy."""
    ends = memory.ends
    momentum, force = ends.momentum[0], ends.force[0]
    for i in range(momentum.size):
        momentum[i] = spread * normal(random)
    whiten(physics.metric, physics.factor, memory.sample[1], force)
    copy(memory.sample[0], ends.position[0])
    copy(memory.sample[0], ends.position[1])
    copy(momentum, ends.momentum[1])
    copy(force, ends.force[1])
    return kinetic_energy(momentum)


@compiled
def transition(
    physics: Physics,
    random: Words,
    memory: Workspace,
    log_density: float,
    step_size: float,
    max_treedepth: int,
    spread: float,
) -> Any:
    """Replace ``memory.sample`` (position, gradient) by the next state of the Markov chain.

    `log_density` is that of the current state, `spread` the standard deviation of momenta. Returns `Transition` and the
    symmetric acceptance rate. Both rates are means over all points visited, those of rejected sub-trees included:
    Stan's of min(1, r), r being exp(initial energy - energy), the symmetric one of 2 min(1, r) / (1 + r), in which the
    start of a trajectory, which is where the energy is low, has no better place than its other points (nuts-rs:
    ``mean_tree_accept_sym``).
    """
    directions = np.int64(next_word(random) >> np.uint64(1))
    start = begin(physics, random, memory, spread) - log_density
    path = sample_trajectory(physics, random, directions, memory, step_size, max_treedepth, log_density, start)
    info = Transition(
        path.log_density,
        path.acceptance / path.steps,
        step_size,
        float(path.depth),
        float(path.steps),
        1.0 if path.termination == COMPLETE else 0.0,
        1.0 if path.termination == DIVERGING else 0.0,
        path.energy,
        path.energy - start,
        path.max_error,
    )
    return info, path.symmetric / path.steps


@compiled
def _one_step(physics: Physics, random: Words, memory: Workspace, log_density: float, step_size: float) -> float:
    """The energy lost in one step from ``memory.sample`` with a fresh momentum; -inf where the density fails."""
    start = begin(physics, random, memory, 1.0) - log_density
    _, energy = leapfrog(physics, memory.ends, 1, step_size)
    gain = start - energy
    return gain if gain < MAX_ENERGY_FALL else -math.inf


search_step_size = step_search(_one_step)
