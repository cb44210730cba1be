"""Densities with known moments, and the judge of draws from them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity, from_function
from exmc.pace import Pace
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import SamplerOptions

FloatArray = NDArray[np.float64]
_SIGNATURE = "double(CPointer(double), CPointer(double), CPointer(double), CPointer(int64))"


def normal(precision: FloatArray) -> LogDensity:
    """Normal with mean zero and this precision matrix, in machine code."""
    dimension = precision.shape[0]

    @numba.cfunc(_SIGNATURE)
    def function(position, gradient, _workspace, _pointers):  # type: ignore[no-untyped-def]
        value = 0.0
        for i in range(dimension):
            slope = 0.0
            for j in range(dimension):
                slope -= precision[i, j] * position[j]
            gradient[i] = slope
            value += 0.5 * position[i] * slope
        return value

    return LogDensity(dimension, function.address, 0, np.zeros(1, dtype=np.int64), function, pace=Pace(native=True))


def scaled_normal(scales: FloatArray) -> LogDensity:
    """Independent normals with mean zero and these standard deviations, in machine code."""
    dimension, precisions = scales.size, scales**-2

    @numba.cfunc(_SIGNATURE)
    def function(position, gradient, _workspace, _pointers):  # type: ignore[no-untyped-def]
        value = 0.0
        for i in range(dimension):
            gradient[i] = -precisions[i] * position[i]
            value += 0.5 * position[i] * gradient[i]
        return value

    return LogDensity(dimension, function.address, 0, np.zeros(1, dtype=np.int64), function, pace=Pace(native=True))


def walled_normal(dimension: int) -> LogDensity:
    """Standard normal, in Python, and nothing beyond 1 in the first coordinate: trajectories diverge there."""
    return from_function(dimension, lambda x: (-0.5 * float(x @ x) if x[0] < 1.0 else -math.inf, -x))


def python_normal(dimension: int) -> LogDensity:
    """Standard normal, in Python."""
    return from_function(dimension, lambda x: (-0.5 * float(x @ x), -x))


def draw(density: LogDensity, options: SamplerOptions, initial: FloatArray | None = None) -> FloatArray:
    """Draws after warm-up, shape (chains, draws, dimension)."""
    chains = []
    for chain in range(options.chains):
        state = begin(density, options, chain, initial)
        if options.warmup:
            state, _ = advance(density, options, state, options.warmup)
        _, block = advance(density, options, state, options.draws)
        chains.append(block.positions)
    return np.stack(chains)


def z_score(draws: FloatArray, function: Callable[[FloatArray], FloatArray], truth: FloatArray | float) -> FloatArray:
    """How many Monte Carlo standard errors the mean of ``function(draws)`` is from `truth`.

    `draws` has shape (chains, draws, ...). The standard error is that of the means of consecutive batches, some
    thirty per chain, which are as good as independent when a batch is much longer than the autocorrelation.
    """
    values = function(draws)
    chains, count = values.shape[:2]
    batches = 30
    length = count // batches
    means = values[:, : batches * length].reshape(chains * batches, length, *values.shape[2:]).mean(axis=1)
    error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    return (means.mean(axis=0) - truth) / error
