"""ADVI: the best of each family where that is known, and when it stops."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.density import from_function
from exmc.errors import SamplingError
from exmc.methods import normal
from exmc.methods.advi import ADVI, AdviSettings
from exmc.methods.method import Problem
from exmc.sampling.options import SamplerOptions
from tests.methods.exact import Conjugate, correlated, fitted, problem_for


def covariance_of(found: normal.Normal) -> np.ndarray:
    factor = np.stack([found.place(unit) - found.mean for unit in np.eye(found.mean.size)], axis=1)
    return factor @ factor.T


def test_the_full_family_holds_a_normal_posterior() -> None:
    """Where the approximation is exact its gradients have no noise, so that it is found to rounding."""
    target = correlated()
    fit = fitted(ADVI, problem_for(target, AdviSettings(family="full_rank", restarts=2)))
    found = normal.from_arrays(fit)
    assert found.mean == pytest.approx(target.mean, abs=1e-6)
    assert covariance_of(found) == pytest.approx(target.covariance, rel=1e-5)
    assert ADVI.report(fit)["elbo"] == pytest.approx([target.log_evidence] * 2, abs=1e-6)
    assert ADVI.report(fit)["pareto_k"] < 0.7


def test_independent_coordinates_have_the_conditional_variances() -> None:
    """The best mean is the true one, the best variances those of each coordinate given the others."""
    target = correlated()
    fits = [fitted(ADVI, problem_for(target, AdviSettings(restarts=1), seed=seed)) for seed in range(8)]
    found = [normal.from_arrays(fit) for fit in fits]
    # Optimisations differ by their noise, of which each run is an independent draw.
    for values, truth in (
        (np.stack([f.mean for f in found]), target.mean),
        (np.stack([np.log(f.deviations()) for f in found]), -0.5 * np.log(np.diag(target.precision))),
    ):
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        assert np.abs((values.mean(axis=0) - truth) / error).max() < 6.0
        assert values.std(axis=0).max() < 0.03
    elbo = np.mean([ADVI.report(fit)["elbo"][0] for fit in fits])
    gap = 0.5 * (np.log(np.diag(target.precision)).sum() - np.linalg.slogdet(target.precision)[1])
    assert elbo == pytest.approx(target.log_evidence - gap, abs=0.02)


def test_scales_and_places_far_apart_do_not_matter() -> None:
    design = np.diag([1e-3, 1.0, 1e4])
    target = Conjugate(design, np.array([2.0, 100.0, 3e5]), prior_scale=1e5)
    found = normal.from_arrays(fitted(ADVI, problem_for(target, AdviSettings(restarts=1))))
    deviations = np.sqrt(np.diag(target.covariance))
    assert (found.mean - target.mean) / deviations == pytest.approx(np.zeros(3), abs=0.05)
    assert found.deviations() / deviations == pytest.approx(np.ones(3), rel=0.05)


def test_one_that_does_not_stop_fails_and_others_go_on() -> None:
    problem = problem_for(correlated(), AdviSettings(max_rounds=1, restarts=2))
    fit = ADVI.pool(problem, None, {part: ADVI.work(problem, None, 0, part) for part in (0, 1)})
    assert ADVI.parts(problem.options, problem.settings, fit) == (0, 1)
    assert "0 of 2 done" in ADVI.progress(fit)
    with pytest.raises(SamplingError, match="Restart 1 still raises its ELBO after 1 rounds"):
        ADVI.work(problem, fit, 1, 1)
    fewer = ADVI.pool(problem, fit, {0: ADVI.work(problem_for(correlated(), AdviSettings()), fit, 1, 0)})
    assert fewer["restarts"].tolist() == [0]


def test_a_density_on_half_the_space_is_met_by_the_other_draws() -> None:
    def function(x):  # type: ignore[no-untyped-def]
        return (-0.5 * float(x @ x), -x) if x[0] < 4.0 else (float("nan"), np.full(1, np.nan))

    options = SamplerOptions(seed=1, warmup=0)
    problem = Problem(from_function(1, function), options, AdviSettings(restarts=1, gradient_draws=2))
    found = normal.from_arrays(fitted(ADVI, problem))
    assert found.mean == pytest.approx([0.0], abs=0.05)
    nowhere = Problem(
        from_function(1, lambda x: (-0.5 * float(x @ x), -x if abs(x[0]) < 1e-9 else np.full(1, np.nan))),
        SamplerOptions(seed=1, warmup=0, initial_radius=0.0), AdviSettings(),
    )  # fmt: skip
    with pytest.raises(SamplingError, match="not finite at any of 8 draws"):
        ADVI.work(nowhere, None, 0, 0)


def test_families_are_known_by_name() -> None:
    with pytest.raises(SamplingError, match=r"no family 'meanfield'.* Did you mean 'mean_field'"):
        AdviSettings(family="meanfield")
