"""Machine code as a value: compiled from a function, pickled, loaded."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from exmc.cache import ObjectCache, default_cache
from exmc.compile.columns import split_columns
from exmc.compile.interpreted import AutogradDensity, AutogradOutputs
from exmc.compile.lower import BATCH_SYMBOL, SYMBOL, Program, lower
from exmc.compile.primitives import Array
from exmc.compile.record import autograd_value_and_gradient, check_points, evaluate, record
from exmc.compile.simplify import simplify
from exmc.compile.symbols import external_symbols, symbol_address
from exmc.compile.verify import remembered, verify_gradient, verify_outputs
from exmc.density import FloatArray, LogDensity
from exmc.errors import CompileError
from exmc.machine_code import LOCK, LoadedCode, Target, emit_object, host_target, load, object_code, object_key

Engine = Literal["native", "autograd"]
LogDensityFunction = Callable[[Any], Any]

_LOADED: dict[str, _Code] = {}
"""Loaded code by digest: machine code cannot be unloaded while a density may call it, so each is loaded once."""

_BATCH_SIGNATURE = ctypes.CFUNCTYPE(
    None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)


class _Code(NamedTuple):
    function: int
    batch: int
    loaded: LoadedCode


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A compiled function of the position: its machine code, its data, and the text both came from.

    It pickles. `load` works in any process: where the CPU or the versions of LLVM differ from those it was compiled
    for, the text is compiled again.

    Attributes
    ----------
    dimension
        The length of the position.
    output_shapes
        The shapes of what the function computes; for a density, () and (dimension,).
    workspace_size
        Doubles of scratch memory for each concurrent call.
    """

    dimension: int
    output_shapes: tuple[tuple[int, ...], ...]
    text: str
    object_code: bytes
    target: Target
    constants: tuple[Array, ...]
    workspace_size: int

    @property
    def digest(self) -> str:
        """Identifies the machine code: that of its text and of what it was compiled for."""
        return object_key(self.text, self.target)

    def load(self) -> LogDensity:
        """The density as a function pointer in this process."""
        code = self._code()
        pointers = np.array([c.ctypes.data for c in self.constants], dtype=np.int64)
        owner = (code, self.constants)
        return LogDensity(self.dimension, code.function, self.workspace_size, pointers, owner)

    def evaluate_batch(self, positions: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
        """What the function returns, shape (n,), and writes, shape (n, width), at positions of shape (n, dimension)."""
        positions = np.ascontiguousarray(positions, dtype=np.float64)
        if positions.ndim != 2 or positions.shape[1] != self.dimension:
            raise ValueError(f"positions have shape {positions.shape}, not (n, {self.dimension})")
        count = len(positions)
        values, results = np.zeros(count), np.zeros((count, width))
        workspace = np.empty(max(self.workspace_size, 1))
        density = self.load()
        batch = _BATCH_SIGNATURE(self._code().batch)
        batch(
            count,
            *(a.ctypes.data for a in (positions, values, results, workspace, density.pointers)),
        )
        return values, results

    def _code(self) -> _Code:
        here = host_target()
        with LOCK:
            key = object_key(self.text, here)
            if key not in _LOADED:
                ours = self.target == here and self.object_code
                _LOADED[key] = _link(self.text, self.object_code if ours else emit_object(self.text))
            return _LOADED[key]


@dataclass(frozen=True, slots=True, eq=False)
class NativeOutputs:
    """Outputs computed by machine code."""

    kernel: Kernel

    @property
    def dimension(self) -> int:
        """The length of the position."""
        return self.kernel.dimension

    def __call__(self, positions: FloatArray) -> list[FloatArray]:
        """Each output at each position: positions (n, dimension) to a list of arrays (n, *shape)."""
        sizes = [math.prod(shape) for shape in self.kernel.output_shapes]
        _, results = self.kernel.evaluate_batch(positions, sum(sizes))
        columns = np.split(results, np.cumsum(sizes)[:-1], axis=1) if sizes else []
        shapes = self.kernel.output_shapes
        return [c.reshape(len(results), *shape) for c, shape in zip(columns, shapes, strict=True)]


def compile_density(
    function: LogDensityFunction,
    dimension: int,
    *,
    engine: Engine = "native",
    cache: Path | None = None,
) -> Kernel | AutogradDensity:
    """The log density `function` and its gradient, ready for samplers.

    Parameters
    ----------
    function
        From a vector of shape (dimension,) to a scalar, written in autograd.numpy and exmc.special.
    dimension
        The length of the vector.
    engine
        "native" compiles to machine code, about a thousand times as fast as "autograd", which interprets.
    cache
        The directory of compiled objects; None for the default one (`exmc.cache.default_directory`).

    Returns
    -------
    Kernel or AutogradDensity
        Both have `dimension` and `load() -> LogDensity`, and pickle (the latter if `function` does).

    Raises
    ------
    MissingLoweringError
        If the function uses something without machine code; engine="autograd" will do.
    CompileError
        If the function cannot be recorded, or the machine code disagrees with autograd at some point.
    """
    if engine == "autograd":
        return AutogradDensity(function, dimension)
    _known(engine)
    oracle = remembered(autograd_value_and_gradient)
    tape = split_columns(simplify(record(function, dimension, gradient=True, oracle=oracle)))
    kernel = build_kernel(lower(tape, scalar_first=True), dimension, tape.output_shapes, _cache(cache))
    density = kernel.load()
    for position in check_points(tape):
        value, gradient = density(position)
        found = (np.asarray(value), gradient)
        verify_gradient("machine code", found, position, function, oracle)
    return kernel


def compile_outputs(
    function: Callable[[Any], Any],
    dimension: int,
    *,
    engine: Engine = "native",
    cache: Path | None = None,
) -> NativeOutputs | AutogradOutputs:
    """A function from a vector to a tuple of arrays, ready to be evaluated at many vectors.

    Parameters and errors are those of `compile_density`; the result is called with positions of shape (n, dimension)
    and gives one array of shape (n, *shape) for each output.
    """
    if engine == "autograd":
        return AutogradOutputs(function, dimension)
    _known(engine)
    tape = split_columns(simplify(record(function, dimension, gradient=False)))
    kernel = build_kernel(lower(tape, scalar_first=False), dimension, tape.output_shapes, _cache(cache))
    outputs = NativeOutputs(kernel)
    for position in check_points(tape):
        found: tuple[Array, ...] = tuple(array[0] for array in outputs(position[None]))
        verify_outputs("machine code", found, evaluate(function, position), position)
    return outputs


def build_kernel(
    program: Program, dimension: int, output_shapes: tuple[tuple[int, ...], ...], cache: ObjectCache | None
) -> Kernel:
    """Compile a program, or take its object from the cache."""
    code = object_code(program.text, cache)
    target = host_target()
    return Kernel(dimension, output_shapes, program.text, code, target, program.constants, program.workspace_size)


def _link(text: str, code: bytes) -> _Code:
    """Load object code into this process."""
    symbols = {f"exmc_{name}": symbol_address(name, arity) for name, arity in sorted(set(external_symbols(text)))}
    loaded = load(code, symbols)
    return _Code(loaded.address(SYMBOL), loaded.address(BATCH_SYMBOL), loaded)


def _known(engine: str) -> None:
    if engine != "native":
        raise CompileError(f"Unknown engine {engine!r}.", remedy="Known: native, autograd.")


def _cache(directory: Path | None) -> ObjectCache | None:
    return default_cache() if directory is None else ObjectCache(directory)
