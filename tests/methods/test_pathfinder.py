"""Pathfinder: the covariance that it reads off the path, the choice among paths, and modes by their mass."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.density import from_function
from exmc.errors import SamplingError
from exmc.methods.method import Problem
from exmc.methods.pathfinder import PATHFINDER, PathfinderSettings, run_path
from exmc.sampling.options import SamplerOptions
from tests.methods.exact import correlated, drawn, fitted, problem_for, z_over_chains


def test_a_path_finds_a_correlated_normal() -> None:
    """The history spans the space, and what it says of a quadratic is exact but for the last, tiny steps."""
    target = correlated(4)
    found = run_path(problem_for(target, None), 0, PathfinderSettings(history=10))
    assert found.normal.mean == pytest.approx(target.mean, abs=0.1)
    # The ELBO is at most the log evidence, by which the density is normalised.
    assert abs(found.elbo - target.log_evidence) < 1.0
    assert found.gradients > 25


def test_draws_agree_with_a_correlated_normal() -> None:
    target = correlated()
    problem = problem_for(target, PathfinderSettings(candidates=2000), chains=16, draws=250)
    fit = fitted(PATHFINDER, problem)
    draws = drawn(PATHFINDER, problem, fit)
    assert np.abs(z_over_chains(draws, target.mean)).max() < 4.5
    squares = (draws - target.mean) ** 2
    assert np.abs(z_over_chains(squares, np.diag(target.covariance))).max() < 4.5


def test_modes_count_by_their_mass_and_not_by_the_paths_that_lead_to_them() -> None:
    """A narrow mode of mass 0.3 and a wide one of 0.7, to which all but few starts lead."""
    modes, scales, masses = np.array([-6.0, 6.0]), np.array([0.5, 1.0]), np.array([0.3, 0.7])

    def function(x):  # type: ignore[no-untyped-def]
        terms = np.log(masses / scales) - 0.5 * ((x[0] - modes) / scales) ** 2
        value = np.logaddexp(*terms)
        return float(value), np.array([np.sum(np.exp(terms - value) * (modes - x[0]) / scales**2)])

    options = SamplerOptions(seed=2, warmup=0, chains=16, draws=250, initial_radius=8.0)
    problem = Problem(from_function(1, function), options, PathfinderSettings(paths=20, candidates=400))
    fit = fitted(PATHFINDER, problem)
    left = np.sum(fit["mean"] < 0)
    assert 0 < left < 20
    draws = drawn(PATHFINDER, problem, fit)
    # The 8 000 candidates' error is small beside that of the 4 000 draws.
    assert abs(z_over_chains((draws < 0).astype(float), np.array([0.3]))[0]) < 4.5


def test_failed_paths_are_left_out() -> None:
    problem = problem_for(correlated(), PathfinderSettings(paths=3))
    results = {part: PATHFINDER.work(problem, None, 0, part) for part in (0, 2)}
    fit = PATHFINDER.pool(problem, None, results)
    assert PATHFINDER.report(fit)["paths"] == [0, 2]
    assert set(PATHFINDER.draw(problem, fit, 0, 0, 50).statistics["path"]) <= {0, 2}


def test_a_flat_density_has_no_approximation() -> None:
    density = from_function(2, lambda x: (0.0, np.zeros(2)))
    problem = Problem(density, SamplerOptions(seed=1, warmup=0), PathfinderSettings())
    with pytest.raises(SamplingError, match="Path 3 met no normal approximation"):
        run_path(problem, 3, PathfinderSettings())
