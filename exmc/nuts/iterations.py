"""Many iterations of a chain: what one call of the kernel does, as the source of its machine code."""

from __future__ import annotations

from exmc.nuts import step_size, variance
from exmc.nuts.hamiltonian import Physics
from exmc.nuts.kernel import Output, Progress, Task
from exmc.nuts.machine import FloatArray, Words, compiled, matrix, vector, words
from exmc.nuts.outcome import Transition
from exmc.nuts.random import start_stream
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.stream import KEY_WORDS, STEP_SEARCH, STREAM_WORDS, TRANSITION
from exmc.nuts.trajectory import Workspace, copy, memory_rows, workspace
from exmc.nuts.transition import search_step_size, transition


@compiled
def record(info: Transition, row: FloatArray) -> None:
    """Write statistics into `row`, field by field: an index that varies would call for an exception."""
    row[0], row[1], row[2], row[3], row[4] = info[0], info[1], info[2], info[3], info[4]
    row[5], row[6], row[7], row[8], row[9] = info[5], info[6], info[7], info[8], info[9]


@compiled
def iterate(
    physics: Physics,
    stream: Words,
    key: Words,
    task: Task,
    progress: Progress,
    moments: FloatArray,
    memory: Workspace,
    output: Output,
) -> Progress:
    """Do what `task` says; see `exmc.nuts.kernel.transitions`."""
    log_density, step, averaging, window_draws = progress
    if task.search:
        start_stream(stream, key, task.first, STEP_SEARCH)
        step = search_step_size(physics, stream, memory, log_density, step)
    for i in range(task.iterations):
        start_stream(stream, key, task.first + i, TRANSITION)
        info, symmetric = transition(physics, stream, memory, log_density, step, task.max_treedepth, task.spread)
        log_density = info.lp
        copy(memory.sample[0], output.positions[i])
        record(info, output.statistics[i])
        if task.adapt_step_size:
            rate = symmetric if task.symmetric else info.acceptance_rate
            averaging, step = step_size.update(averaging, rate, task.target_accept)
        if task.adapt_metric:
            window_draws = variance.update(window_draws, moments, memory.sample[0], memory.sample[1])
            copy(memory.sample[1], output.gradients[i])
    return Progress(log_density, step, averaging, window_draws)


@compiled
def entry(
    density: int, pointers: int, scratch: int, metric: int, factor: int, factor_rows: int, dimension: int, stream: int,
    key: int, first: int, iterations: int, search: int, adapt_step_size: int, symmetric: int, adapt_metric: int,
    target_accept: float, max_treedepth: int, spread: float, progress: int, moments: int, memory: int, positions: int,
    statistics: int, gradients: int,
) -> None:  # fmt: skip
    """`iterate` on what lies at the addresses of `exmc.nuts.kernel.Arguments`."""
    # Both arrays are known by their addresses only, and passed on to the density as such.
    physics = Physics(
        density, words(pointers, 1), vector(scratch, 1), metric, matrix(factor, factor_rows, dimension)
    )  # fmt: skip
    task = Task(
        first, iterations, search != 0, adapt_step_size != 0, symmetric != 0, adapt_metric != 0, target_accept,
        max_treedepth, spread,
    )  # fmt: skip
    numbers = vector(progress, 7)
    averaging = DualAveraging(numbers[2], numbers[3], numbers[4], numbers[5])
    before = Progress(numbers[0], numbers[1], averaging, int(numbers[6]))
    after = iterate(
        physics,
        words(stream, STREAM_WORDS),
        words(key, KEY_WORDS),
        task,
        before,
        matrix(moments, variance.ROWS, dimension),
        workspace(matrix(memory, memory_rows(max_treedepth), dimension)),
        Output(
            matrix(positions, iterations, dimension),
            matrix(statistics, iterations, 10),
            matrix(gradients, iterations, dimension),
        ),
    )
    numbers[0], numbers[1], numbers[6] = after.log_density, after.step_size, float(after.window_draws)
    averaging = after.averaging
    numbers[2], numbers[3] = averaging.updates, averaging.error
    numbers[4], numbers[5] = averaging.log_mean, averaging.center
