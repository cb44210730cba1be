"""A rewritten model with its machine code: everything a chain needs, as one value that travels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from exmc.compile.interpreted import AutogradDensity, AutogradOutputs
from exmc.compile.kernel import Engine, Kernel, NativeOutputs, compile_density, compile_outputs
from exmc.compile.layout import Layout, layout_of, posterior_names
from exmc.compile.logp import constrain_function, log_density_function, pointwise_function
from exmc.density import FloatArray, LogDensity
from exmc.errors import MissingLoweringError
from exmc.ir.model import Model

Arrays = dict[str, NDArray[Any]]


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
        "native", or "autograd" if that was asked for or the model uses something without machine code.
    note
        Why the engine is not the one asked for; empty if it is.
    cache
        The folder where machine code is kept; None: the user's.
    """

    source: Model
    model: Model
    layout: Layout
    engine: Engine
    note: str
    cache: Path | None
    _density: Kernel | AutogradDensity
    _constrain: NativeOutputs | AutogradOutputs

    def density(self) -> LogDensity:
        """The log density of the flat unconstrained vector, for samplers of this process."""
        return self._density.load()

    def constrain(self, positions: FloatArray) -> Arrays:
        """Constrained values of the posterior's variables: positions (n, dimension) to arrays (n, *shape) by name."""
        return dict(zip(posterior_names(self.source, self.model), self._constrain(positions), strict=True))

    def pointwise(self) -> tuple[Callable[[FloatArray], list[FloatArray]], tuple[str, ...], tuple[str, ...]]:
        """A batch form of `exmc.compile.logp.pointwise_function`, and the names of likelihoods and priors.

        Compiled at the call: a chain does not need it.
        """
        function, likelihoods, priors = pointwise_function(self.source, self.model)
        return _outputs(function, self.layout.dimension, self.engine, self.cache), likelihoods, priors


def compile_model(
    source: Model, rewritten: Model, *, engine: Engine = "native", cache: Path | None = None
) -> CompiledModel:
    """Compile `rewritten`, what rewriting made of `source`.

    Where a primitive of the model has no machine code, the result runs by the autograd engine, and its `note` says so.
    Raises `CompileError` if the density cannot be recorded or its machine code is wrong.
    """
    layout = layout_of(rewritten)
    density = log_density_function(rewritten)
    note = ""
    try:
        kernel = compile_density(density, layout.dimension, engine=engine, cache=cache)
    except MissingLoweringError as error:
        engine, note = "autograd", f"{error} The autograd engine, much slower, is used instead."
        kernel = compile_density(density, layout.dimension, engine=engine)
    constrain = constrain_function(rewritten, posterior_names(source, rewritten))
    outputs = _outputs(constrain, layout.dimension, engine, cache)
    return CompiledModel(source, rewritten, layout, engine, note, cache, kernel, outputs)


def _outputs(
    function: Callable[[Any], Any], dimension: int, engine: Engine, cache: Path | None
) -> NativeOutputs | AutogradOutputs:
    try:
        return compile_outputs(function, dimension, engine=engine, cache=cache)
    except MissingLoweringError:
        return compile_outputs(function, dimension, engine="autograd")
