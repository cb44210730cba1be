"""Laws: a distribution with values, as wrappers use it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from exmc.distributions import (
    BetaBinomial,
    Categorical,
    Dirichlet,
    HalfNormal,
    Mixture,
    MvNormal,
    Normal,
    Poisson,
    Truncated,
    Uniform,
    ZeroSumNormal,
)
from exmc.errors import ModelError
from tests.distributions.rows import law


def test_edges_and_bounds() -> None:
    assert law(Normal(0.0, 1.0)).edges == (None, None)
    assert law(HalfNormal(1.0)).edges == (0, None)
    assert law(Uniform(-1.0, 2.0)).edges == (-1.0, 2.0)
    assert law(Categorical([0.5, 0.5])).edges == (0, 1)
    assert law(Poisson(2.0)).edges == (0, None)
    assert law(Truncated(Uniform(-1.0, 2.0), lower=0.0)).bounds == (0.0, 2.0)
    assert law(Truncated(Truncated(Normal(0.0, 1.0), lower=0.0), lower=-1.0, upper=3.0)).edges == (0.0, 3.0)
    assert law(Truncated(Poisson(2.0), lower=1.0)).bounds == (1.0, np.inf)


def test_a_number_stands_for_a_vector_of_equal_elements() -> None:
    wide = law(Dirichlet(np.full(4, 2.0)))
    value = np.full(4, 0.25)
    assert law(Dirichlet(2.0)).log_density(value) == wide.log_density(value)
    same = law(Dirichlet(2.0)).draw(np.random.default_rng(1), (3, 4))
    np.testing.assert_array_equal(same, wide.draw(np.random.default_rng(1), (3, 4)))


def test_check_names_the_path_of_the_culprit() -> None:
    with pytest.raises(ModelError, match="sigma") as caught:
        law(Mixture(np.array([0.5, 0.5]), (Normal(0.0, 1.0), Normal(0.0, -1.0)))).check()
    assert caught.value.where == ("components", "sigma")
    with pytest.raises(ModelError, match="probabilities that sum to 1"):
        law(Mixture(np.array([0.5, 0.6]), (Normal(0.0, 1.0), Normal(0.0, 1.0)))).check()


def test_what_has_no_distribution_function_cannot_be_truncated() -> None:
    for of in (BetaBinomial(1.0, 1.0, 5), Mixture([0.5, 0.5], (BetaBinomial(1.0, 1.0, 5), Poisson(1.0)))):
        with pytest.raises(ModelError, match="of: Truncated needs cumulative probabilities"):
            law(Truncated(of, lower=1.0)).form  # noqa: B018


def test_batches_of_parameters() -> None:
    generator = np.random.default_rng(3)
    factors = np.linalg.cholesky(np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.2], [-0.2, 3.0]]]))
    values = generator.normal(size=(4, 2, 2))
    found = law(MvNormal(np.zeros(2), chol=factors)).log_density(values)
    for j, factor in enumerate(factors):
        expected = scipy.stats.multivariate_normal(np.zeros(2), factor @ factor.T).logpdf(values[:, j])
        np.testing.assert_allclose(found[:, j], expected, rtol=1e-12)
    sigma = np.array([1.0, 2.0])
    vectors = law(ZeroSumNormal(sigma)).draw(generator, (2, 3))
    for j in range(2):
        expected = law(ZeroSumNormal(sigma[j])).log_density(vectors[j])
        assert law(ZeroSumNormal(sigma)).log_density(vectors)[j] == pytest.approx(expected, rel=1e-13)
    weights = np.array([[0.2, 0.8], [0.9, 0.1]])
    mixed = law(Mixture(weights, (Normal(0.0, 1.0), Normal(3.0, 1.0)))).log_density(np.array([1.0, 1.0]))
    one = law(Mixture(weights[1], (Normal(0.0, 1.0), Normal(3.0, 1.0)))).log_density(1.0)
    assert mixed[1] == pytest.approx(one, rel=1e-14)


@pytest.mark.parametrize(("lower", "upper"), [(30.0, 31.0), (-31.0, -30.0), (-1.0, 1.5), (8.0, None), (None, -40.0)])
def test_truncated_normals_far_out_in_density_probabilities_and_draws(lower, upper) -> None:
    bounds = {name: bound for name, bound in (("lower", lower), ("upper", upper)) if bound is not None}
    found = law(Truncated(Normal(0.0, 1.0), **bounds))
    exact = scipy.stats.truncnorm(-np.inf if lower is None else lower, np.inf if upper is None else upper)
    value = exact.ppf([0.01, 0.3, 0.6, 0.99])
    np.testing.assert_allclose(found.log_density(value), exact.logpdf(value), rtol=1e-9)
    # scipy's own distribution functions have about eight digits there.
    np.testing.assert_allclose(found.log_cdf(value), np.log([0.01, 0.3, 0.6, 0.99]), rtol=1e-6)
    np.testing.assert_allclose(found.log_ccdf(value), np.log([0.99, 0.7, 0.4, 0.01]), rtol=1e-6)
    draws = found.draw(np.random.default_rng(11), (4000,))
    assert scipy.stats.kstest(draws, exact.cdf).pvalue > 1e-4


def test_truncated_counts_far_out() -> None:
    found = law(Truncated(Poisson(0.01), lower=4.0))
    draws = found.draw(np.random.default_rng(2), (2000,))
    assert draws.dtype == np.int64
    # P(5) / P(4) is 0.01 / 5: about four in 2000.
    assert draws.min() == 4
    assert (draws > 4).sum() < 20
    assert np.exp(found.log_density(np.arange(4.0, 30.0))).sum() == pytest.approx(1.0, rel=1e-12)
