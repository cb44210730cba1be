"""A compiled model between its prior and its posterior, as tempered methods see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exmc.compile.program import CompiledModel
from exmc.density import LogDensity
from exmc.predictive.simulate import Samples
from exmc.priors import prior_positions

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CompiledTempering:
    """The tempering (`exmc.methods.method.Tempering`) of `compiled`; its prior draws are those of `seed`.

    Potentials count as likelihood: nobody can draw from them.
    """

    compiled: CompiledModel
    seed: int

    def density(self, temperature: float) -> LogDensity:
        """Log prior + `temperature` * log likelihood."""
        return self.compiled.tempered(temperature)

    def draw_prior(self, chain: int, first: int, count: int) -> FloatArray:
        """Positions drawn from the prior; raises `ModelError` if it is improper."""
        draws = np.arange(first, first + count, dtype=np.int64)
        return prior_positions(self.compiled, self.seed, "smc", Samples(np.full(count, chain, dtype=np.int64), draws))
