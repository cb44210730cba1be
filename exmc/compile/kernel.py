"""Machine code as a value: compiled from a function, or found in the cache; pickled, loaded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from exmc.cache import ObjectCache, default_cache
from exmc.compile.function import DataFunction, with_data
from exmc.compile.interpreted import AutogradDensity, AutogradOutputs
from exmc.compile.library import Known, library_of
from exmc.compile.lowered import Program
from exmc.compile.machine import BATCH_SIGNATURE, Code, loaded
from exmc.compile.oracle import autograd_value_and_gradient, evaluate
from exmc.compile.primitives import Array
from exmc.compile.tape import MOST_EQUATIONS, Tape
from exmc.compile.verify import Oracle, remembered, verify_gradient, verify_outputs
from exmc.density import FloatArray, LogDensity
from exmc.errors import CompileError
from exmc.late import Late
from exmc.machine_code import Target, host_target, object_code, object_key
from exmc.pace import Pace

if TYPE_CHECKING:
    from exmc.compile import lower, optimise, record
else:
    # What is found in the library needs none of the many modules that make such code.
    lower, optimise, record = (Late(f"exmc.compile.{name}") for name in ("lower", "optimise", "record"))

Engine = Literal["native", "autograd"]
LogDensityFunction = Callable[[Any], Any]


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
        return LogDensity(self.dimension, code.function, self.workspace_size, pointers, owner, pace=Pace(native=True))

    def evaluate_batch(self, positions: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
        """What the function returns, shape (n,), and writes, shape (n, width), at positions of shape (n, dimension)."""
        positions = np.ascontiguousarray(positions, dtype=np.float64)
        if positions.ndim != 2 or positions.shape[1] != self.dimension:
            raise ValueError(f"positions have shape {positions.shape}, not (n, {self.dimension})")
        count = len(positions)
        values, results = np.zeros(count), np.zeros((count, width))
        workspace = np.empty(max(self.workspace_size, 1))
        density = self.load()
        batch = BATCH_SIGNATURE(self._code().batch)
        batch(
            count,
            *(a.ctypes.data for a in (positions, values, results, workspace, density.pointers)),
        )
        return values, results

    def _code(self) -> Code:
        return loaded(self.text, self.object_code, self.target)


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
    most: int = MOST_EQUATIONS,
) -> Kernel | AutogradDensity:
    """The log density `function` and its gradient, ready for samplers.

    Parameters
    ----------
    function
        From a vector of shape (dimension,) to a scalar, written in autograd.numpy and exmc.special. What was compiled
        for a `DataFunction` with an identity is found again without recording, whatever the data's values.
    dimension
        The length of the vector.
    engine
        "native" compiles to machine code, about a thousand times as fast as "autograd", which interprets.
    cache
        The directory of compiled objects; None for the default one (`exmc.cache.default_directory`).
    most
        The number of operations beyond which compiling would take too long.

    Returns
    -------
    Kernel or AutogradDensity
        Both have `dimension` and `load() -> LogDensity`, and pickle (the latter if `function` does).

    Raises
    ------
    MissingLoweringError
        If the function uses something without machine code; engine="autograd" will do.
    TooLargeError
        If it has more than `most` operations; likewise.
    CompileError
        If the function cannot be recorded, or the machine code disagrees with autograd at some point.
    """
    if engine == "autograd":
        return AutogradDensity(function, dimension)
    _known(engine)
    source, oracle = with_data(function), remembered(autograd_value_and_gradient)

    def verify(kernel: Kernel, tape: Tape) -> None:
        density = kernel.load()
        for position in record.check_points(tape):
            value, gradient = density(position)
            verify_gradient("machine code", (np.asarray(value), gradient), position, source, oracle)

    return _native(source, dimension, verify, cache=cache, oracle=oracle, most=most)


def compile_outputs(
    function: Callable[[Any], Any],
    dimension: int,
    *,
    engine: Engine = "native",
    cache: Path | None = None,
    most: int = MOST_EQUATIONS,
) -> NativeOutputs | AutogradOutputs:
    """A function from a vector to a tuple of arrays, ready to be evaluated at many vectors.

    Parameters and errors are those of `compile_density`; the result is called with positions of shape (n, dimension)
    and gives one array of shape (n, *shape) for each output.
    """
    if engine == "autograd":
        return AutogradOutputs(function, dimension)
    _known(engine)
    source = with_data(function)

    def verify(kernel: Kernel, tape: Tape) -> None:
        outputs = NativeOutputs(kernel)
        for position in record.check_points(tape):
            found: tuple[Array, ...] = tuple(array[0] for array in outputs(position[None]))
            verify_outputs("machine code", found, evaluate(source, position), position, partial(evaluate, source))

    return NativeOutputs(_native(source, dimension, verify, cache=cache, oracle=None, most=most))


def _native(
    function: DataFunction,
    dimension: int,
    verify: Callable[[Kernel, Tape], None],
    *,
    cache: Path | None,
    oracle: Oracle | None,
    most: int,
) -> Kernel:
    """The kernel of a function, and of its gradient if there is an oracle for it; known ones from the cache."""
    directory = default_cache() if cache is None else ObjectCache(cache)
    gradient = oracle is not None
    library = library_of(function, f"{gradient} {dimension}", host_target(), directory)
    known = library.find() if library else None
    if known is not None:
        return build_kernel(known.program, dimension, known.output_shapes, directory)
    recording = record.record_function(function, dimension, gradient=gradient, oracle=oracle, most=most)
    preparation = recording.preparation
    tape = optimise.optimised(recording.tape, preparation.absorb)
    lower.require_machine_code(tape, recording.places)
    program = lower.lower(tape, scalar_first=gradient)
    kernel = build_kernel(program, dimension, tape.output_shapes, directory)
    verify(kernel, tape)
    if library:
        library.put(Known(program, tape.output_shapes), preparation, tape, bound=recording.bound)
    return kernel


def build_kernel(
    program: Program, dimension: int, output_shapes: tuple[tuple[int, ...], ...], cache: ObjectCache | None
) -> Kernel:
    """Compile a program, or take its object from the cache."""
    code = object_code(program.text, cache)
    table = program.packing.arrays(program.constants)
    return Kernel(dimension, output_shapes, program.text, code, host_target(), table, program.workspace_size)


def _known(engine: str) -> None:
    if engine != "native":
        raise CompileError(f"Unknown engine {engine!r}.", remedy="Known: native, autograd.")
