"""Weights by which the predictive distributions of several models are best averaged."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def stacking_weights(pointwise: FloatArray) -> FloatArray:
    """The weights, at least 0 and of sum 1, under which a mixture of the models predicts best.

    Parameters
    ----------
    pointwise
        The elpd of each data point under each model, shape (points, models).

    Returns
    -------
    array
        Shape (models,): where the sum over points of log(sum over models of weight * exp(elpd)) is largest (Yao,
        Vehtari, Simpson & Gelman, "Using stacking to average Bayesian predictive distributions", 2018, equation 4).
        The problem is concave; arviz-stats solves it by the same minimiser to six digits.
    """
    # Imported here, by name: it takes a quarter of a second, and only a comparison of models needs it.
    optimize: Any = import_module("scipy.optimize")
    models = pointwise.shape[1]
    # A factor common to all models moves no weight, and keeps the densities of far points above zero; what is 1e-30 of
    # the best model's adds nothing to the sum, but its logarithm must be finite where the minimiser tries it alone.
    densities = np.exp(np.maximum(pointwise - pointwise.max(axis=1, keepdims=True), np.log(1e-30)))

    def loss(weights: FloatArray) -> float:
        return -float(np.mean(np.log(densities @ weights)))

    def slope(weights: FloatArray) -> FloatArray:
        return np.asarray(-np.mean(densities / (densities @ weights)[:, None], axis=0))

    found = optimize.minimize(
        loss,
        np.full(models, 1.0 / models),
        jac=slope,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * models,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.maximum(np.asarray(found.x), 0.0)
    return np.asarray(weights / weights.sum())
