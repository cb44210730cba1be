"""The compiled sampler: the one function that Python calls."""

from __future__ import annotations

import ctypes
import functools
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
# Called without the GIL. It returns 0: nothing in it can fail.
_SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int32, *(_C_KINDS[kind] for kind in ARGUMENT_KINDS))


def transitions(
    physics: Physics,
    key: Words,
    task: Task,
    progress: Progress,
    moments: FloatArray,
    memory: FloatArray,
    output: Output,
) -> Progress:
    """Do many iterations of a chain in one call of machine code, without the GIL; returns where they led.

    Parameters
    ----------
    key : ndarray of uint64, shape (2,)
        The chain's (`exmc.sampling.seeds`).
    moments : ndarray, shape (4, dimension)
        Those of the warm-up window (`exmc.nuts.variance.Moments`), changed in place.
    memory : ndarray, shape (memory_rows(max_treedepth), dimension)
        Seen through `exmc.nuts.trajectory.workspace`. ``sample`` in it is the state of the chain, before and after;
        the rest is scratch.
    """
    arrays = (physics.factor, key, moments, memory, *output)
    if not all(array.flags.c_contiguous for array in arrays):
        raise ValueError("the kernel takes contiguous arrays only")
    numbers = np.array([progress.log_density, progress.step_size, *progress.averaging, progress.window_draws])
    stream = np.zeros(STREAM_WORDS, dtype=np.uint64)
    arguments = Arguments(
        density=physics.address,
        pointers=physics.pointers.ctypes.data,
        scratch=physics.scratch.ctypes.data,
        metric=physics.metric,
        factor=physics.factor.ctypes.data,
        factor_rows=physics.factor.shape[0],
        dimension=memory.shape[1],
        stream=stream.ctypes.data,
        key=key.ctypes.data,
        **task._asdict(),
        progress=numbers.ctypes.data,
        moments=moments.ctypes.data,
        memory=memory.ctypes.data,
        positions=output.positions.ctypes.data,
        statistics=output.statistics.ctypes.data,
        gradients=output.gradients.ctypes.data,
    )
    machine_code()(*arguments)
    log_density, step_size, *averaging, window_draws = (float(number) for number in numbers)
    return Progress(log_density, step_size, DualAveraging(*averaging), int(window_draws))


def machine_code() -> Callable[..., int]:
    """The C function. The first call in a process loads it; the first on a machine compiles it from its text."""
    # Two chains' threads that start together must not both compile.
    with LOCK:
        return _loaded().function


class LoadedKernel(NamedTuple):
    """The C function, and what keeps its machine code in this process."""

    function: Callable[..., int]
    code: LoadedCode


@functools.cache
def _loaded() -> LoadedKernel:
    return link(TEXT.read_text(encoding="utf-8"))


def link(text: str) -> LoadedKernel:
    """A kernel in LLVM's language as a C function in this process."""
    code = load(object_code(text, default_cache()))
    return LoadedKernel(_SIGNATURE(code.address(SYMBOL)), code)
