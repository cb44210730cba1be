"""Runs the compiled kernel directly, for tests that need one transition at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity
from exmc.nuts import step_size, trajectory, variance
from exmc.nuts.hamiltonian import Physics
from exmc.nuts.kernel import Output, Progress, Task, transitions
from exmc.nuts.metric import METRICS, code
from exmc.nuts.outcome import Transition

FloatArray = NDArray[np.float64]
KEY = np.array([0x1234567890ABCDEF, 0xFEDCBA0987654321], dtype=np.uint64)


def physics_of(density: LogDensity, metric: str, inverse_mass_matrix: FloatArray) -> Physics:
    factor = METRICS[metric].factorise(inverse_mass_matrix)
    return Physics(density.address, density.pointers, np.zeros(1), code(metric), factor)


def run(
    physics: Physics,
    density: LogDensity,
    start: FloatArray,
    *,
    iterations: int,
    step: float,
    first: int = 0,
    max_treedepth: int = 10,
    search: bool = False,
) -> tuple[FloatArray, list[Transition], float]:
    """Positions, shape (iterations, dimension), statistics, and the step size at the end."""
    memory = np.zeros((trajectory.memory_rows(max_treedepth), density.dimension))
    value, gradient = density(start)
    trajectory.workspace(memory).sample[:] = start, gradient
    output = Output(np.zeros((iterations, density.dimension)), np.zeros((iterations, len(Transition._fields))))
    window = variance.init(density.dimension, physics.factor.shape[0])
    task = Task(first, iterations, search, False, False, 0.8, max_treedepth)
    before = Progress(value, step, step_size.init(step), 0)
    after = transitions(physics, KEY, task, before, window.mean, window.squares, memory, output)
    density.raise_failure()
    return output.positions, [Transition(*row) for row in output.statistics], after.step_size
