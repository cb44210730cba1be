"""Positive variables are sampled well by default, whatever their units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import exmc
from exmc import DISTRIBUTIONS, Builder, Gamma, HalfNormal, Normal, StudentT
from exmc.transforms import NONNEGATIVE, POSITIVE, TRANSFORMS

FAMILIES = [name for name, d in DISTRIBUTIONS.items() if d.support in (POSITIVE, NONNEGATIVE)]


@pytest.mark.parametrize("name", FAMILIES)
def test_other_units_shift_the_unconstrained_scale_and_no_more(name: str) -> None:
    """Then step sizes, and divergences, do not depend on units."""
    unconstrain = TRANSFORMS[DISTRIBUTIONS[name].transform].unconstrain
    values = np.geomspace(1e-3, 1e3, 20)
    for unit in (1e-3, 60.0, 1e6):
        shift = unconstrain(unit * values) - unconstrain(values)
        np.testing.assert_allclose(shift, shift[0], rtol=1e-9)


def test_degrees_of_freedom_of_a_regression_do_not_diverge() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=100)
    model = (
        Builder()
        .data("x", x)
        .rv("a", Normal, mu=0, sigma=5)
        .rv("b", Normal, mu=0, sigma=5)
        .rv("s", HalfNormal, sigma=2)
        .rv("nu", Gamma, alpha=2, beta=0.1)
        .rv("y", StudentT, nu="nu", mu="a + b * x", sigma="s", observed=1 + 2 * x + 0.7 * rng.normal(size=100))
    )
    trace = exmc.sample(model, draws=500, warmup=500, chains=4, seed=1, predictive=False)
    assert int(trace["sample_stats"]["diverging"].sum()) == 0
    assert exmc.diagnose(trace).passed


def test_a_gamma_of_large_scale_is_sampled_exactly() -> None:
    trace = exmc.sample(Builder().rv("g", Gamma, alpha=3, beta=0.001), seed=2, predictive=False)
    found = exmc.diagnose(trace)
    assert found.passed
    row = found.summary.sel(scalar="g")
    assert abs(float(row["mean"]) - stats.gamma(3, scale=1000).mean()) < 4 * float(row["mcse_mean"])
