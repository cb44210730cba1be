"""A rewritten model with its machine code: everything a chain needs, as one value that travels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from exmc.compile.function import DataFunction
from exmc.compile.interpreted import AutogradDensity, AutogradOutputs
from exmc.compile.kernel import Engine, Kernel, NativeOutputs, compile_density, compile_outputs
from exmc.compile.layout import Layout, layout_of, posterior_names
from exmc.compile.logp import (
    constrain_function,
    log_density_function,
    pointwise_function,
    tempered_density_function,
)
from exmc.compile.sequential import loop_values
from exmc.compile.tape import MOST_EQUATIONS
from exmc.density import FloatArray, LogDensity
from exmc.errors import CompileError, MissingLoweringError, TooLargeError
from exmc.ir.loops import Body
from exmc.ir.model import Model

Arrays = dict[str, NDArray[Any]]
Compiled = TypeVar("Compiled")


class Pointwise(NamedTuple):
    """Pointwise log likelihoods, then log priors, of many positions, and the names of both.

    Attributes
    ----------
    function
        From positions (n, dimension) to one array (n, ...) a name.
    note
        Why autograd computes them and not machine code, if so.
    """

    function: Callable[[FloatArray], list[FloatArray]]
    likelihoods: tuple[str, ...]
    priors: tuple[str, ...]
    note: CompileError | None


@dataclass(frozen=True, slots=True, eq=False)
class CompiledModel:
    """What `compile_model` makes of a model. It pickles; code is loaded once a process.

    Attributes
    ----------
    source
        The model as its user wrote it.
    model
        What rewriting made of it: the one that is sampled.
    layout
        Where its free variables lie in the flat vector.
    engine
        "native", or "autograd" if that was asked for or the log density has no machine code.
    notes
        What autograd computes although machine code was asked for, and why, with its place in the model.
    """

    source: Model
    model: Model
    layout: Layout
    engine: Engine
    notes: tuple[CompileError, ...]
    _compiler: _Compiler
    _density: Kernel | AutogradDensity
    _constrain: NativeOutputs | AutogradOutputs

    def density(self) -> LogDensity:
        """The log density of the flat unconstrained vector, for samplers of this process."""
        return self._density.load()

    def tempered(self, temperature: float) -> LogDensity:
        """The log density with likelihoods and potentials raised to the power `temperature`: 0 leaves the prior.

        Compiled at the first call, for all temperatures.
        """
        density, _ = self._compiler.density(tempered_density_function(self.model, temperature))
        return density.load()

    def constrain(self, positions: FloatArray) -> Arrays:
        """Constrained values of the posterior's variables: positions (n, dimension) to arrays (n, *shape) by name."""
        return dict(zip(posterior_names(self.source, self.model), self._constrain(positions), strict=True))

    def pointwise(self) -> Pointwise:
        """A batch form of `exmc.compile.logp.pointwise_function`. Compiled at the call: a chain does not need it."""
        function, likelihoods, priors = pointwise_function(self.source, self.model)
        outputs, note = self._compiler.outputs("Pointwise log likelihoods and priors are", function)
        return Pointwise(outputs, likelihoods, priors, note)

    def loop_values(self, body: Body, operands: Sequence[Any], varying: Sequence[bool]) -> NDArray[np.float64] | None:
        """The values of a scan or an ode of the model for many samples: `exmc.compile.sequential.loop_values`."""
        return loop_values(body, operands, varying, engine=self.engine, cache=self._compiler.cache)


def compile_model(
    source: Model,
    rewritten: Model,
    *,
    engine: Engine = "native",
    cache: Path | None = None,
    most: int = MOST_EQUATIONS,
) -> CompiledModel:
    """Compile `rewritten`, what rewriting made of `source`.

    What was compiled before, here or in another process, for data of the same shapes is found in `cache`, a folder
    (None: the user's). What has no machine code, or more than `most` operations, is computed by autograd instead, and
    `notes` says so. Raises `CompileError` if the density cannot be recorded or its machine code is wrong.
    """
    layout = layout_of(rewritten)
    compiler = _Compiler(layout.dimension, engine, cache, most)
    density, slow = compiler.density(log_density_function(rewritten))
    names = posterior_names(source, rewritten)
    constrain, slow_outputs = compiler.outputs("Posterior values are", constrain_function(rewritten, names))
    notes = tuple(note for note in (slow, slow_outputs) if note is not None)
    used: Engine = "autograd" if isinstance(density, AutogradDensity) else "native"
    return CompiledModel(source, rewritten, layout, used, notes, compiler, density, constrain)


@dataclass(frozen=True, slots=True)
class _Compiler:
    """How the functions of one model are compiled: each natively if it can be, with a note if it cannot."""

    dimension: int
    engine: Engine
    cache: Path | None
    most: int

    def density(self, function: DataFunction) -> tuple[Kernel | AutogradDensity, CompileError | None]:
        return self._either("The log density is", compile_density, function)

    def outputs(self, what: str, function: DataFunction) -> tuple[NativeOutputs | AutogradOutputs, CompileError | None]:
        return self._either(what, compile_outputs, function)

    def _either(
        self, what: str, compile_function: Callable[..., Compiled], function: DataFunction
    ) -> tuple[Compiled, CompileError | None]:
        try:
            return compile_function(
                function, self.dimension, engine=self.engine, cache=self.cache, most=self.most
            ), None
        except (MissingLoweringError, TooLargeError) as error:
            note = type(error)(f"{what} computed by autograd, which is much slower: {error.message}", where=error.where)
            return compile_function(function, self.dimension, engine="autograd"), note
