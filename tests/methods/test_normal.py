"""Normal distributions in factored form, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from exmc.errors import SamplingError
from exmc.methods import normal
from exmc.methods.normal import Normal
from exmc.methods.random import ASSESS
from exmc.sampling.seeds import chain_key
from tests.methods.exact import correlated, problem_for

RNG = np.random.default_rng(5)
VARIANCES, COLUMNS, INNER = RNG.random(6) + 0.5, RNG.normal(size=(6, 4)), np.diag([1.0, -0.02, 0.5, 2.0])
# The last column depends on the others.
DEPENDENT = np.column_stack([COLUMNS[:, :3], COLUMNS[:, 0] + COLUMNS[:, 1]])
FACTOR = np.linalg.cholesky(np.cov(RNG.normal(size=(6, 30))))
MEAN = RNG.normal(size=6)

FORMS = {
    "independent": (normal.independent(MEAN, VARIANCES), np.diag(VARIANCES**2)),
    "dense": (normal.dense(MEAN, FACTOR), FACTOR @ FACTOR.T),
    "low rank": (
        normal.low_rank(MEAN, VARIANCES, COLUMNS, INNER),
        np.diag(VARIANCES) + COLUMNS @ INNER @ COLUMNS.T,
    ),
    "dependent columns": (
        normal.low_rank(MEAN, VARIANCES, DEPENDENT, INNER),
        np.diag(VARIANCES) + DEPENDENT @ INNER @ DEPENDENT.T,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_its_dense_matrix(name: str) -> None:
    found, covariance = FORMS[name]
    factor = np.stack([found.place(unit) - found.mean for unit in np.eye(6)], axis=1)
    assert factor @ factor.T == pytest.approx(covariance, rel=1e-10, abs=1e-12)
    standard = RNG.normal(size=6)
    position = found.place(standard)
    expected = multivariate_normal(MEAN, covariance).logpdf(position)
    assert found.log_density(standard) == pytest.approx(expected, rel=1e-10)
    assert normal.log_densities(found, np.stack([position, MEAN]))[0] == pytest.approx(expected, rel=1e-10)
    assert found.deviations() == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-10)
    again = normal.from_arrays(normal.to_arrays(found))
    assert np.array_equal(again.place(standard), position)


def test_what_is_no_covariance_is_refused() -> None:
    with pytest.raises(SamplingError):
        normal.low_rank(MEAN, VARIANCES, COLUMNS, -INNER)


def test_the_exact_posterior_has_no_tail_and_a_narrow_one_a_heavy_one() -> None:
    target = correlated()
    problem, key = problem_for(target, None), chain_key(1, 0)
    exact = normal.dense(target.mean, np.linalg.cholesky(target.covariance))
    # Ratios that differ by rounding alone have no shape.
    assessed = normal.assess(problem, exact, key, ASSESS)
    assert assessed.pareto_k == 0.0
    assert (assessed.weights == 1 / assessed.weights.size).all()
    narrow = Normal(exact.mean, exact.scale, exact.basis, 0.5 * exact.core)
    assert normal.assess(problem, narrow, key, ASSESS).pareto_k > 0.7
