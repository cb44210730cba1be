"""The compiled sampler: the one function that Python calls, and its place on disk."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import pickle
import platform
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import compiler, serialize
from numba.core.caching import NullCache
from numpy.typing import NDArray

from exmc.cache import ObjectCache, default_cache
from exmc.nuts import step_size, variance
from exmc.nuts.hamiltonian import Physics
from exmc.nuts.machine import OPTIONS, SOURCES_AT_IMPORT, source_digest
from exmc.nuts.random import STEP_SEARCH, TRANSITION, Words, start_stream
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.trajectory import Workspace, copy
from exmc.nuts.transition import search_step_size, transition

FloatArray = NDArray[np.float64]

_rebuild: Any = compiler.CompileResult._rebuild
_dumps: Any = serialize.dumps


class Task(NamedTuple):
    """What one call does: so many `iterations` from number `first` on, after a step size search if `search`."""

    first: int
    iterations: int
    search: bool
    adapt_step_size: bool
    adapt_metric: bool
    target_accept: float
    max_treedepth: int


class Progress(NamedTuple):
    """The numbers that change from one iteration to the next; the arrays that do are changed in place."""

    log_density: float
    step_size: float
    averaging: DualAveraging
    window_draws: int


class Output(NamedTuple):
    """Where draws go: positions, shape (count, dimension), and `Transition` statistics, shape (count, 10)."""

    positions: FloatArray
    statistics: FloatArray


def _transitions(
    physics: Physics,
    stream: Words,
    key: Words,
    task: Task,
    progress: Progress,
    window_mean: FloatArray,
    window_squares: FloatArray,
    memory: Workspace,
    output: Output,
) -> Any:
    log_density, step, averaging, window_draws = progress
    if task.search:
        start_stream(stream, key, task.first, STEP_SEARCH)
        step = search_step_size(physics, stream, memory, log_density, step)
    for i in range(task.iterations):
        start_stream(stream, key, task.first + i, TRANSITION)
        info = transition(physics, stream, memory, log_density, step, task.max_treedepth)
        log_density = info.lp
        copy(memory.sample[0], output.positions[i])
        for j in range(len(info)):
            output.statistics[i, j] = info[j]
        if task.adapt_step_size:
            averaging, step = step_size.update(averaging, info.acceptance_rate, task.target_accept)
        if task.adapt_metric:
            # A momentum that the next iteration draws afresh serves as scratch.
            window_draws = variance.update(
                window_draws, window_mean, window_squares, memory.sample[0], memory.ends.momentum[0]
            )
    return Progress(log_density, step, averaging, window_draws)


class _KernelCache(NullCache):
    """Keeps the machine code in one file named by a digest of everything it was made from.

    numba's own cache notices edits of the cached function's file only, not of the files of the functions it calls,
    and shares one index between different machines that see the same home directory.
    """

    def __init__(self, objects: ObjectCache) -> None:
        self._objects = objects

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function, or None if it is not stored."""
        target_context.refresh()
        payload = self._objects.get(_key(sig, target_context))
        return None if payload is None else _rebuild(target_context, *pickle.loads(payload))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store the compiled function."""
        self._objects.put(_key(sig, data.target_context), _dumps(data._reduce()))


def _key(signature: Any, target: Any) -> str:
    made_from = (*_provenance(), str(signature), str(target.codegen().magic_tuple()))
    return hashlib.sha256(repr(made_from).encode()).hexdigest()


def _provenance() -> tuple[str, ...]:
    """What decides the machine code, apart from the processor: our sources, the compilers and their optimisation."""
    versions = (importlib.metadata.version(name) for name in ("numba", "llvmlite", "numpy"))
    return SOURCES_AT_IMPORT, platform.python_version(), *versions, str(vars(numba.config)["OPT"])


def transitions() -> Callable[..., Progress]:
    """The compiled sampler: many iterations of a chain in one call, without the GIL.

    Called with (physics, stream, key, task, progress, window mean, window squares, memory, output), the types of
    `_transitions`; it changes ``memory.sample``, the window's arrays and the output in place. The first call in a
    process loads the machine code, or makes it (seconds), and keeps it.
    """
    with _LOADING:
        return _load()


# Two chains' threads that start together must not both compile.
_LOADING = threading.Lock()


@functools.cache
def _load() -> Callable[..., Progress]:
    dispatcher = numba.njit(nogil=True, **OPTIONS)(_transitions)
    objects = default_cache()
    # Sources that changed since they were imported would be filed under a digest that is not theirs.
    if objects is not None and source_digest() == SOURCES_AT_IMPORT:
        dispatcher._cache = _KernelCache(objects)
    function: Callable[..., Progress] = dispatcher
    return function
