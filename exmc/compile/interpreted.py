"""Densities and outputs that autograd and numpy interpret: slow, and complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc.compile.oracle import autograd_value_and_gradient, evaluate
from exmc.density import FloatArray, LogDensity, from_function


@dataclass(frozen=True, slots=True, eq=False)
class AutogradDensity:
    """A density that autograd interprets: slow, and complete."""

    function: Callable[[Any], Any]
    dimension: int

    def load(self) -> LogDensity:
        """The density in this process. Concurrent calls wait for each other: autograd has one trace stack."""
        return from_function(self.dimension, self._evaluate)

    def _evaluate(self, position: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = autograd_value_and_gradient(self.function, position)
        return float(value), gradient


@dataclass(frozen=True, slots=True, eq=False)
class AutogradOutputs:
    """Outputs computed by calling the function."""

    function: Callable[[Any], Any]
    dimension: int

    def __call__(self, positions: FloatArray) -> list[FloatArray]:
        """Each output at each position: positions (n, dimension) to a list of arrays (n, *shape)."""
        positions = np.asarray(positions, dtype=np.float64)
        if positions.ndim != 2 or positions.shape[1] != self.dimension:
            raise ValueError(f"positions have shape {positions.shape}, not (n, {self.dimension})")
        # One more than asked for, so that no positions still have outputs of known shapes.
        rows = [evaluate(self.function, position) for position in [*positions, np.zeros(self.dimension)]]
        return [np.stack(arrays)[:-1] for arrays in zip(*rows, strict=True)]
