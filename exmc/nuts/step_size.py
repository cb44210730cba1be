"""Step sizes: the search for a first one, and dual averaging toward a target acceptance (`init`, `update`, `final`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from exmc.nuts.machine import compiled

# Hoffman & Gelman, "The No-U-Turn Sampler" (2014), section 3.2.1, with their constants, which are Stan's.
_GAMMA, _DELAY, _DECAY = 0.05, 10.0, 0.75
# Outside these bounds the search gives up: the density is flat, or undefined next to the point.
LARGEST, SMALLEST = 1e7, 1e-50
_LOG_TARGET = math.log(0.8)


class DualAveraging(NamedTuple):
    """The state of dual averaging: updates done, mean error, mean of the log step size, where it shrinks to."""

    updates: float
    error: float
    log_mean: float
    center: float


def init(step_size: float) -> DualAveraging:
    """No updates yet; tries step sizes around ten times `step_size` first, since large ones are cheap to reject."""
    return DualAveraging(0.0, 0.0, 0.0, math.log(10.0 * step_size))


@compiled
def update(state: DualAveraging, acceptance: float, target: float) -> Any:
    """The state after an iteration with mean `acceptance`, and the step size to use next."""
    updates = state.updates + 1.0
    rate = 1.0 / (updates + _DELAY)
    error = (1.0 - rate) * state.error + rate * (target - acceptance)
    log_step = state.center - error * math.sqrt(updates) / _GAMMA
    decay = updates**-_DECAY
    log_mean = (1.0 - decay) * state.log_mean + decay * log_step
    return DualAveraging(updates, error, log_mean, state.center), math.exp(log_step)


def final(state: DualAveraging, step_size: float) -> float:
    """The averaged step size; `step_size` itself if there was no update."""
    return math.exp(state.log_mean) if state.updates > 0 else step_size


def step_search(one_step: Callable[..., float]) -> Callable[..., float]:
    """The function ``search`` over ``one_step(physics, random, memory, log_density, step_size)``, minus the
    energy error of one step from the point whose log density is given."""

    @compiled
    def search(physics: Any, random: Any, memory: Any, log_density: float, step_size: float) -> float:
        """Double or halve `step_size` until the acceptance of one step crosses 0.8, with a fresh momentum each time.

        As in Stan. Returns a value beyond `LARGEST` or below `SMALLEST` if it never does.
        """
        growing = one_step(physics, random, memory, log_density, step_size) > _LOG_TARGET
        while step_size <= LARGEST and step_size >= SMALLEST:
            above = one_step(physics, random, memory, log_density, step_size) > _LOG_TARGET
            if above != growing:
                break
            step_size = 2.0 * step_size if growing else 0.5 * step_size
        return step_size

    return search
