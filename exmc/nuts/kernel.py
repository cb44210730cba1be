"""The compiled sampler: the one function that Python calls."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.cache import default_cache
from exmc.machine_code import LOCK, LoadedCode, load, object_code
from exmc.nuts.hamiltonian import Physics
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.stream import STREAM_WORDS
from exmc.pace import Pace

FloatArray = NDArray[np.float64]
Words = NDArray[np.uint64]

SYMBOL = "exmc_transitions"
TEXT = Path(__file__).with_name("kernel.ll")
"""The sampler in LLVM's language, which ``scripts/generate_kernel`` makes of `exmc.nuts.iterations`."""


class Task(NamedTuple):
    """What one call does: so many `iterations` from number `first` on, after a step size search if `search`.

    With `adapt_metric` positions and gradients enter the moments, and gradients the output. `symmetric` says which
    acceptance rate the step size is adapted by (`exmc.nuts.transition.transition`); `spread` is the standard deviation
    of whitened momenta.
    """

    first: int
    iterations: int
    search: bool
    adapt_step_size: bool
    symmetric: bool
    adapt_metric: bool
    target_accept: float
    max_treedepth: int
    spread: float = 1.0


class Progress(NamedTuple):
    """The numbers that change from one iteration to the next; the arrays that do are changed in place."""

    log_density: float
    step_size: float
    averaging: DualAveraging
    window_draws: int


class Output(NamedTuple):
    """Where draws go: positions, shape (count, dimension), and `Transition` statistics, shape (count, 10).

    `gradients`, of the shape of the positions, is written only while the metric is adapted.
    """

    positions: FloatArray
    statistics: FloatArray
    gradients: FloatArray


class Arguments(NamedTuple):
    """The C function's arguments, in order: addresses and counts, each an int64, but for one double.

    The addresses are those of contiguous arrays: doubles, or for `stream` and `key` words of 64 bits. `progress` holds
    `Progress` as seven doubles, before and after.
    """

    density: int
    pointers: int
    scratch: int
    metric: int
    factor: int
    factor_rows: int
    dimension: int
    stream: int
    key: int
    first: int
    iterations: int
    search: int
    adapt_step_size: int
    symmetric: int
    adapt_metric: int
    target_accept: float
    max_treedepth: int
    spread: float
    progress: int
    moments: int
    memory: int
    positions: int
    statistics: int
    gradients: int


ARGUMENT_KINDS: tuple[str, ...] = tuple(
    "double" if name in ("target_accept", "spread") else "i64" for name in Arguments._fields
)
"""Their types, as LLVM calls them."""

_C_KINDS: dict[str, Any] = {"double": ctypes.c_double, "i64": ctypes.c_int64}
# It returns 0: nothing in it can fail.
_TYPES = (ctypes.c_int32, *(_C_KINDS[kind] for kind in ARGUMENT_KINDS))
_WITHOUT_LOCK, _WITH_LOCK = ctypes.CFUNCTYPE(*_TYPES), ctypes.PYFUNCTYPE(*_TYPES)
_NOTHING = ctypes.c_char * 0


def transitions(
    physics: Physics,
    key: Words,
    task: Task,
    progress: Progress,
    moments: FloatArray,
    memory: FloatArray,
    output: Output,
    pace: Pace,
) -> Progress:
    """Do many iterations of a chain in one call of machine code; returns where they led.

    Parameters
    ----------
    key : ndarray of uint64, shape (2,)
        The chain's (`exmc.sampling.seeds`).
    moments : ndarray, shape (4, dimension)
        Those of the warm-up window (`exmc.nuts.variance.Moments`), changed in place.
    memory : ndarray, shape (memory_rows(max_treedepth), dimension)
        Seen through `exmc.nuts.trajectory.workspace`. ``sample`` in it is the state of the chain, before and after;
        the rest is scratch.
    pace
        Of the calls before with this density, to which this one is added. Other threads run Python meanwhile, unless
        by it the call will be short.

    Raises
    ------
    TypeError
        If an array is not contiguous, or read-only.
    """
    numbers = np.array([progress.log_density, progress.step_size, *progress.averaging, progress.window_draws])
    stream = np.zeros(STREAM_WORDS, dtype=np.uint64)
    # By place: by keyword it takes five times as long.
    arguments = Arguments(
        physics.address,
        _address(physics.pointers),
        _address(physics.scratch),
        physics.metric,
        _address(physics.factor),
        physics.factor.shape[0],
        memory.shape[1],
        _address(stream),
        _address(key),
        *task,
        _address(numbers),
        _address(moments),
        _address(memory),
        _address(output.positions),
        _address(output.statistics),
        _address(output.gradients),
    )
    # A search is a few steps, as an iteration is.
    rounds = task.iterations + task.search
    function = machine_code(with_lock=pace.is_short(rounds, task.max_treedepth))
    started = time.thread_time()
    function(*arguments)
    pace.note(rounds, time.thread_time() - started)
    log_density, step_size, *averaging, window_draws = numbers.tolist()
    return Progress(log_density, step_size, DualAveraging(*averaging), int(window_draws))


def _address(array: Any) -> int:
    """Where the array's data lie. (``array.ctypes.data`` takes four times as long.)"""
    return ctypes.addressof(_NOTHING.from_buffer(array))


def machine_code(*, with_lock: bool = False) -> Callable[..., int]:
    """The C function, called `with_lock` held or given up meanwhile.

    The first call in a process loads it; the first on a machine compiles it from its text.
    """
    # Two chains' threads that start together must not both compile.
    with LOCK:
        loaded = _loaded()
    return loaded.with_lock if with_lock else loaded.function


class LoadedKernel(NamedTuple):
    """The C function, called without Python's lock and with it, and what keeps its machine code in this process."""

    function: Callable[..., int]
    with_lock: Callable[..., int]
    code: LoadedCode


@functools.cache
def _loaded() -> LoadedKernel:
    return link(TEXT.read_text(encoding="utf-8"))


def link(text: str) -> LoadedKernel:
    """A kernel in LLVM's language as a C function in this process."""
    code = load(object_code(text, default_cache()))
    address = code.address(SYMBOL)
    return LoadedKernel(_WITHOUT_LOCK(address), _WITH_LOCK(address), code)
