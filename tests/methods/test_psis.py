"""Pareto smoothing against arviz-stats, and against tails whose shape is known."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from exmc.methods.psis import fit_pareto, smooth


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.4, 0.9])
@pytest.mark.parametrize("count", [200, 4000])
def test_weights_are_those_of_arviz(shape: float, count: int) -> None:
    uniform = np.random.default_rng(3).random(count)
    ratios = -np.log1p(-uniform) if shape == 0 else np.expm1(-shape * np.log1p(-uniform)) / shape
    logs = np.log(ratios + 0.1)
    array_stats: Any = import_module("arviz_stats.base.array").array_stats
    expected, k = array_stats.psislw(-logs, axis=-1)
    found = smooth(logs)
    assert found.pareto_k == pytest.approx(float(k), rel=1e-9)
    assert np.log(found.weights) == pytest.approx(expected, rel=1e-9)


def test_the_shape_of_a_pareto_tail_is_found() -> None:
    """The estimate's standard deviation is about (1 + k) / sqrt(n)."""
    uniform = np.random.default_rng(1).random(10_000)
    for k in (0.2, 0.7, 1.2):
        excess = np.sort(3.0 * np.expm1(-k * np.log1p(-uniform)) / k)
        shape, scale = fit_pareto(excess)
        assert abs(shape - k) < 4.0 * (1.0 + k) / 100.0
        assert scale == pytest.approx(3.0, rel=0.1)


def test_what_has_no_density_weighs_nothing() -> None:
    logs = np.random.default_rng(2).normal(size=500)
    logs[:3] = -np.inf, np.nan, -np.inf
    weights = smooth(logs).weights
    assert (weights[:3] == 0.0).all()
    assert weights.sum() == pytest.approx(1.0)


def test_ratios_without_spread_are_perfect_and_without_any_density_hopeless() -> None:
    assert smooth(np.full(100, 2.5)).pareto_k == 0.0
    hopeless = smooth(np.full(100, -np.inf))
    assert hopeless.pareto_k == np.inf
    assert (hopeless.weights == 0.01).all()
    assert smooth(np.arange(4.0)).pareto_k == np.inf
