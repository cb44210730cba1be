"""The compiled sampler: the one function that Python calls, and its place on disk."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import pickle
import platform
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import compiler, serialize
from numba.core.caching import NullCache
from numpy.typing import NDArray

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

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def _path(self, signature: Any, target: Any) -> Path:
        key = (*_provenance(), str(signature), str(target.codegen().magic_tuple()))
        return self._directory / f"nuts-{hashlib.sha256(repr(key).encode()).hexdigest()[:40]}.bin"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function, or None if it is not stored or cannot be read."""
        target_context.refresh()
        try:
            content = self._path(sig, target_context).read_bytes()
            digest, payload = content[:32], content[32:]
            if hashlib.sha256(payload).digest() != digest:
                return None
            return _rebuild(target_context, *pickle.loads(payload))
        except OSError:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store the compiled function; a directory that cannot be written costs the next process a compilation."""
        payload = _dumps(data._reduce())
        path = self._path(sig, data.target_context)
        temporary = path.with_suffix(f".{uuid.uuid4().hex}")
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_bytes(hashlib.sha256(payload).digest() + payload)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _provenance() -> tuple[str, ...]:
    """What decides the machine code, apart from the processor: our sources, the compilers and their optimisation."""
    versions = (importlib.metadata.version(name) for name in ("numba", "llvmlite", "numpy"))
    return SOURCES_AT_IMPORT, platform.python_version(), *versions, str(vars(numba.config)["OPT"])


def cache_directory() -> Path | None:
    """Where machine code is kept: ``$EXMC_CACHE_DIR``, or ``exmc`` in the user's cache directory, if there is one."""
    chosen = os.environ.get("EXMC_CACHE_DIR")
    if chosen:
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(caches) / "exmc" if os.path.isabs(caches) else None


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
    directory = cache_directory()
    # Sources that changed since they were imported would be filed under a digest that is not theirs.
    if directory is not None and source_digest() == SOURCES_AT_IMPORT:
        dispatcher._cache = _KernelCache(directory)
    function: Callable[..., Progress] = dispatcher
    return function
