"""The contract between compiler and samplers: a log density behind a C function pointer."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from exmc.pace import Pace

FloatArray = NDArray[np.float64]

# double f(const double* position, double* gradient, double* workspace, const int64_t* pointers)
DENSITY_SIGNATURE = ctypes.CFUNCTYPE(
    ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)


@dataclass(slots=True, eq=False)
class Failure:
    """Holds the first exception raised inside a density written in Python."""

    error: BaseException | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LogDensity:
    """A log density and its gradient, callable from machine code.

    Samplers reach it through `address`, a C function

        double f(const double* position, double* gradient, double* workspace, const int64_t* pointers)

    which returns the log density at `position` (`dimension` doubles) and writes its gradient. It allocates
    nothing, takes no lock and may be called from many threads, each with a `workspace` of its own
    (`workspace_size` doubles). `pointers` is passed through unchanged: it is where compiled code finds its data.
    `owner` keeps alive whatever the address and the pointers refer to. `pace` is how fast samplers are with it.
    """

    dimension: int
    address: int
    workspace_size: int
    pointers: NDArray[np.int64]
    owner: object
    failure: Failure = field(default_factory=Failure)
    pace: Pace = field(default_factory=Pace)

    def __call__(self, position: FloatArray) -> tuple[float, FloatArray]:
        """The log density (a float) and its gradient, shape (dimension,), at `position`."""
        position = np.ascontiguousarray(position, dtype=np.float64)
        if position.shape != (self.dimension,):
            raise ValueError(f"position has shape {position.shape}, not ({self.dimension},)")
        gradient = np.zeros(self.dimension)
        workspace = np.empty(max(self.workspace_size, 1))
        function = DENSITY_SIGNATURE(self.address)
        value = function(position.ctypes.data, gradient.ctypes.data, workspace.ctypes.data, self.pointers.ctypes.data)
        self.raise_failure()
        return float(value), gradient

    def raise_failure(self) -> None:
        """Raise what a Python density raised. Exceptions cannot cross machine code, so callers ask afterwards."""
        if self.failure.error is not None:
            raise self.failure.error


def from_function(dimension: int, function: Callable[[FloatArray], tuple[float, FloatArray]]) -> LogDensity:
    """A `LogDensity` around a Python function that returns (value, gradient).

    An exception inside `function` makes this and every later call return NaN, so that a sampler's trajectory ends
    at once; the exception itself is found in `failure`.
    """
    failure = Failure()

    def callback(position: int, gradient: int, _workspace: int, _pointers: int) -> float:
        if failure.error is not None:
            return float("nan")
        try:
            where = _doubles(position, dimension)
            value, slope = function(where.copy())
            _doubles(gradient, dimension)[:] = slope
            return float(value)
        except BaseException as error:
            failure.error = error
            return float("nan")

    pointer = DENSITY_SIGNATURE(callback)
    address = ctypes.cast(pointer, ctypes.c_void_p).value
    assert address is not None
    return LogDensity(dimension, address, 0, np.zeros(1, dtype=np.int64), pointer, failure)


def _doubles(address: int, count: int) -> FloatArray:
    if count == 0:
        return np.empty(0)
    return np.ctypeslib.as_array((ctypes.c_double * count).from_address(address))
