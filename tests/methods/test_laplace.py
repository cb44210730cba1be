"""Laplace's approximation: exact where the posterior is normal, and refused where there is no mode."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.density import from_function
from exmc.errors import SamplingError
from exmc.methods import normal
from exmc.methods.laplace import LAPLACE, LaplaceSettings, curvature
from exmc.methods.method import Problem
from exmc.sampling.options import SamplerOptions
from tests.methods.exact import correlated, drawn, fitted, problem_for, z_over_chains


def problem_of(dimension: int, function, **options) -> Problem:  # type: ignore[no-untyped-def]
    chosen = SamplerOptions(**({"seed": 1, "warmup": 0} | options))
    return Problem(from_function(dimension, function), chosen, LaplaceSettings(starts=2))


def test_a_normal_posterior_is_found_exactly() -> None:
    target = correlated()
    problem = problem_for(target, LaplaceSettings(), chains=16, draws=250)
    fit = fitted(LAPLACE, problem)
    found = normal.from_arrays(fit)
    factor = np.stack([found.place(unit) - found.mean for unit in np.eye(5)], axis=1)
    assert factor @ factor.T == pytest.approx(target.covariance, rel=1e-9)
    assert found.mean == pytest.approx(target.mean, abs=1e-6)
    draws = drawn(LAPLACE, problem, fit)
    assert np.abs(z_over_chains(draws, target.mean)).max() < 4.5


def test_the_curvature_of_other_densities_has_many_digits() -> None:
    """Of log-Gamma(3) in each of two coordinates, scales a million apart, with an interaction."""

    def function(x):  # type: ignore[no-untyped-def]
        y = np.array([x[0] * 1e3, x[1] / 1e3])
        mixed = 0.1 * np.sin(y[0] * y[1])
        slope = 3.0 - np.exp(y) + 0.1 * np.cos(y[0] * y[1]) * y[::-1]
        return float(np.sum(3.0 * y - np.exp(y)) + mixed), slope * np.array([1e3, 1e-3])

    y = np.array([1.0, 1.2])
    cross = 0.1 * np.cos(1.2) - 0.1 * np.sin(1.2) * 1.2
    expected = np.diag(np.exp(y) + 0.1 * np.sin(1.2) * y[::-1] ** 2) - np.array([[0.0, cross], [cross, 0.0]])
    units = np.array([1e3, 1e-3])
    found = curvature(problem_of(2, function), np.array([1e-3, 1.2e3]))
    assert found / np.outer(units, units) == pytest.approx(expected, rel=1e-8)


def test_the_highest_mode_counts_and_all_are_told() -> None:
    modes, heights = np.array([-4.0, 4.0]), np.log([0.2, 0.8])

    def function(x):  # type: ignore[no-untyped-def]
        terms = heights - 0.5 * (x[0] - modes) ** 2
        value = np.logaddexp(*terms)
        return float(value), np.array([np.sum(np.exp(terms - value) * (modes - x[0]))])

    problem = problem_of(1, function, seed=3)
    results = {part: LAPLACE.work(problem, None, 0, part) for part in range(6)}
    fit = LAPLACE.pool(problem, None, results)
    assert fit["mean"] == pytest.approx([4.0], abs=1e-6)
    said = LAPLACE.report(fit)["modes"]
    assert np.ptp(said) == pytest.approx(np.log(4.0))


def test_what_has_no_mode_is_refused() -> None:
    flat = problem_of(1, lambda x: (0.0, np.zeros(1)))
    with pytest.raises(SamplingError, match="does not curve down at its mode in coordinate 0"):
        fitted(LAPLACE, flat)
    rising = problem_of(1, lambda x: (float(x[0]), np.ones(1)))
    rising = Problem(rising.density, rising.options, LaplaceSettings(iterations=5))
    with pytest.raises(SamplingError, match="Start 1 led to no mode in 5 iterations"):
        LAPLACE.work(rising, None, 0, 1)
    ridge = problem_of(
        2, lambda x: (-float(x.sum() ** 4 + x.sum() ** 2), -(4 * x.sum() ** 3 + 2 * x.sum()) * np.ones(2))
    )
    with pytest.raises(SamplingError, match="a ridge, or a saddle"):
        fitted(LAPLACE, ridge)
