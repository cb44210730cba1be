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

EXAMPLES = {
    "diagonal": np.array([1.0, 2.0, 0.5]),
    "dense": np.array([[1.0, 0.6, 0.2], [0.6, 2.0, -0.3], [0.2, -0.3, 0.5]]),
    "low_rank": np.array([[1.0, 2.0, 0.5], [3.0, 0.2, 0.0], [0.6, 0.8, 0.0], [0.8, -0.6, 0.0]]),
}
"""An inverse mass matrix of each metric in three dimensions, by the metric's name."""


def matrix_of(metric: str, inverse_mass_matrix: FloatArray) -> FloatArray:
    """The matrix that an inverse mass matrix in the metric's own form stands for."""
    if metric == "diagonal":
        return np.diag(inverse_mass_matrix)
    if metric == "dense":
        return inverse_mass_matrix
    scales, rank, columns = np.sqrt(inverse_mass_matrix[0]), len(inverse_mass_matrix) - 2, inverse_mass_matrix[2:].T
    inner = np.eye(scales.size) + columns @ np.diag(inverse_mass_matrix[1, :rank] - 1.0) @ columns.T
    return np.asarray(np.outer(scales, scales) * inner)


def root_of(metric: str, inverse_mass_matrix: FloatArray) -> FloatArray:
    """The root L of that matrix by which the kernel makes momenta of random numbers."""
    if metric != "low_rank":
        return np.linalg.cholesky(matrix_of(metric, inverse_mass_matrix))
    roots = inverse_mass_matrix.copy()
    roots[1] = np.sqrt(roots[1])
    return matrix_of(metric, roots) / np.sqrt(inverse_mass_matrix[0])


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
    spread: float = 1.0,
) -> tuple[FloatArray, list[Transition], float]:
    """Positions, shape (iterations, dimension), statistics, and the step size at the end."""
    memory = np.zeros((trajectory.memory_rows(max_treedepth), density.dimension))
    value, gradient = density(start)
    trajectory.workspace(memory).sample[:] = start, gradient
    shape = (iterations, density.dimension)
    output = Output(np.zeros(shape), np.zeros((iterations, len(Transition._fields))), np.zeros((0, density.dimension)))
    task = Task(first, iterations, search, False, False, False, 0.8, max_treedepth, spread)
    before = Progress(value, step, step_size.init(step), 0)
    after = transitions(physics, KEY, task, before, variance.init(density.dimension).rows, memory, output, density.pace)
    density.raise_failure()
    return output.positions, [Transition(*row) for row in output.statistics], after.step_size
