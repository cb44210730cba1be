"""What is taken from arviz-stats, which carries no types of its own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def psis_loo(terms: FloatArray, relative_efficiency: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """PSIS-LOO of log likelihoods, shape (observation, chain, draw): elpd, Pareto k and p of each observation.

    Vehtari, Simpson, Gelman, Yao & Gabry, "Pareto smoothed importance sampling" (2024).
    """
    # Imported here, by name: it takes half a second, and only a comparison of models needs it.
    array_stats: Any = import_module("arviz_stats.base.array").array_stats
    pointwise, pareto_k, p = array_stats.loo(terms, chain_axis=1, draw_axis=2, r_eff=relative_efficiency)
    return pointwise, pareto_k, p
