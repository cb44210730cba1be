"""Particles moved by transitions of NUTS, each by random numbers of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity
from exmc.methods.random import PILOT
from exmc.nuts import step_size as step_sizes
from exmc.nuts import variance
from exmc.nuts.hamiltonian import Physics
from exmc.nuts.kernel import Output, Progress, Task, transitions
from exmc.nuts.metric import METRICS, code
from exmc.nuts.outcome import Transition
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.trajectory import memory_rows, workspace
from exmc.sampling.watchdog import Pulse

FloatArray = NDArray[np.float64]

# Transitions by which a step size is tuned, each from another particle, as many as dual averaging needs to settle.
_PILOTS = 40


class Moved(NamedTuple):
    """Where a particle is after its transitions, the statistics of the last one, shape (10,), and their gradients."""

    position: FloatArray
    statistics: FloatArray
    gradients: int
    step_size: float
    averaging: DualAveraging


class Mover:
    """Transitions of one density under one metric; not to be shared by threads."""

    def __init__(
        self, density: LogDensity, metric: str, inverse_mass_matrix: FloatArray, target_accept: float,
        max_treedepth: int, pulse: Pulse | None = None,
    ) -> None:  # fmt: skip
        self._density, self._target, self._depth = density, target_accept, max_treedepth
        factor = METRICS[metric].factorise(inverse_mass_matrix)
        pointers = np.array(density.pointers, dtype=np.int64)
        scratch = np.zeros(max(density.workspace_size, 1))
        self._physics = Physics(density.address, pointers, scratch, code(metric), factor)
        self._memory = np.zeros((memory_rows(max_treedepth), density.dimension))
        # Written by nothing: the metric is that of all particles.
        self._moments = variance.init(density.dimension).rows
        if pulse is not None:
            pulse.watch(self._memory)

    def move(
        self, key: NDArray[np.uint64], position: FloatArray, step_size: float, first: int, count: int,
        *, search: bool = False, averaging: DualAveraging | None = None,
    ) -> Moved:  # fmt: skip
        """The particle after `count` transitions, whose numbers, from `first` on, and `key` are their randomness.

        With `search` the step size is searched before, with `averaging` tuned during them. A particle where the
        density is not finite stays.
        """
        value, gradient = self._density(position)
        output = Output(
            np.empty((count, position.size)), np.zeros((count, len(Transition._fields))), np.empty((0, position.size))
        )
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            nothing = np.zeros(len(Transition._fields))
            return Moved(position, nothing, 0, step_size, averaging or step_sizes.init(step_size))
        sample = workspace(self._memory).sample
        sample[0], sample[1] = position, gradient
        task = Task(first, count, search, averaging is not None, False, False, self._target, self._depth)
        before = Progress(value, step_size, averaging or step_sizes.init(step_size), 0)
        after = transitions(
            self._physics, key.copy(), task, before, self._moments, self._memory, output, self._density.pace
        )
        self._density.raise_failure()
        statistics = output.statistics[-1] if count else np.zeros(len(Transition._fields))
        gradients = int(output.statistics[:, Transition._fields.index("n_steps")].sum())
        return Moved(sample[0].copy(), statistics, gradients, after.step_size, after.averaging)


def tune(mover: Mover, key: NDArray[np.uint64], positions: FloatArray, step_size: float, round_number: int) -> float:
    """The step size for transitions from `positions`, near `step_size` if that was right before.

    It is tuned by transitions that are then forgotten, from particles spread evenly: those that count are moved by
    one step size, whatever the others do.
    """
    chosen = positions[np.linspace(0, len(positions) - 1, _PILOTS).round().astype(int)]
    # Their numbers are those of no chain of NUTS.
    first = (PILOT << 32) + round_number * _PILOTS
    searched = mover.move(key, chosen[0], step_size, first, 0, search=True).step_size
    searched = min(max(searched, step_sizes.SMALLEST), step_sizes.LARGEST)
    averaging, current = step_sizes.init(searched), searched
    for i, position in enumerate(chosen):
        moved = mover.move(key, position, current, first + i, 1, averaging=averaging)
        averaging, current = moved.averaging, moved.step_size
    return step_sizes.final(averaging, current)
