from __future__ import annotations

import warnings

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from exmc.diagnostics.elpd import METHODS, P_WAIC_LIMIT, Elpd, error_of_sum, loo, pointwise_terms, waic
from exmc.errors import StoreError
from tests.diagnostics.trees import Y, conjugate

PRIOR_SD = 2.0


def exact_loo() -> np.ndarray:
    """The log predictive density of each point given the others, in closed form."""
    found = []
    for i, y in enumerate(Y):
        others = np.delete(Y, i)
        variance = 1.0 / (PRIOR_SD**-2 + len(others))
        found.append(stats.norm.logpdf(y, variance * others.sum(), np.sqrt(1.0 + variance)))
    return np.array(found)


def exact_waic() -> tuple[np.ndarray, np.ndarray]:
    """lppd and p_waic of each point: for mu ~ N(m, v), log p is quadratic in mu, with a variance in closed form."""
    variance = 1.0 / (PRIOR_SD**-2 + len(Y))
    mean = variance * Y.sum()
    predictive = stats.norm.logpdf(Y, mean, np.sqrt(1.0 + variance))
    # Var[(y - mu)^2 / 2] = v (y - m)^2 + v^2 / 2.
    return predictive, variance * (Y - mean) ** 2 + variance**2 / 2


@pytest.mark.parametrize("method", METHODS)
def test_estimates_agree_with_the_closed_form(method: str) -> None:
    runs = [METHODS[method](conjugate(seed, PRIOR_SD), None) for seed in range(40)]
    predictive, p = exact_waic()
    wanted = exact_loo() if method == "loo" else predictive - p
    for values, exact in [
        (np.array([r.pointwise for r in runs]), wanted),
        (np.array([r.p_pointwise for r in runs]), p),
    ]:
        if method == "loo" and exact is p:
            exact = predictive - wanted
        z = (values.mean(axis=0) - exact) / (values.std(axis=0, ddof=1) / np.sqrt(len(runs)))
        # 20 t-scores of 39 degrees of freedom; the largest exceeds 4.5 once in a thousand times.
        assert np.abs(z).max() < 4.5


def test_waic_is_its_definition_draw_by_draw() -> None:
    tree = conjugate(0, PRIOR_SD, draws=50)
    found = waic(tree)
    terms = tree.log_likelihood.y.values.reshape(-1, len(Y))
    for i in range(len(Y)):
        densities = [float(np.exp(t)) for t in terms[:, i]]
        predictive = np.log(sum(densities) / len(densities))
        mean = sum(terms[:, i]) / len(terms)
        p = sum((t - mean) ** 2 for t in terms[:, i]) / (len(terms) - 1)
        assert found.pointwise[i] == pytest.approx(predictive - p, rel=1e-12)
        assert found.p_pointwise[i] == pytest.approx(p, rel=1e-12)
    assert found.elpd == pytest.approx(found.pointwise.sum())
    assert found.se == pytest.approx(np.sqrt(len(Y)) * np.std(found.pointwise, ddof=1))
    assert found.pareto_k is None


def test_loo_is_arvizs() -> None:
    tree = conjugate(0, PRIOR_SD)
    ours, theirs = loo(tree), arviz_stats.loo(tree, pointwise=True)
    assert ours.elpd == pytest.approx(float(theirs.elpd), rel=1e-12)
    # ArviZ divides by n until version 1, by n - 1 since.
    by_n = np.sqrt((len(Y) - 1) / len(Y)) if arviz_stats.__version__.startswith("0.") else 1.0
    assert ours.se * by_n == pytest.approx(float(theirs.se), rel=1e-12)
    assert ours.p == pytest.approx(float(theirs.p), rel=1e-12)
    np.testing.assert_allclose(ours.pareto_k, theirs.pareto_k.values, rtol=1e-12)
    assert ours.labels[:2] == ("y[0]", "y[1]")


def test_the_standard_error_is_the_spread_of_estimates_over_data() -> None:
    """Of sums over ten independent normal terms, whose standard deviation is known."""
    terms = np.random.default_rng(3).normal(scale=2.0, size=(4000, 10))
    squares = np.array([error_of_sum(row) ** 2 for row in terms])
    z = (squares.mean() - 10 * 4.0) / (squares.std(ddof=1) / np.sqrt(len(squares)))
    assert abs(z) < 4
    assert np.isnan(error_of_sum(terms[0, :1]))


def surprising() -> xr.DataTree:
    """One point far from what the posterior expects."""
    tree = conjugate(0, PRIOR_SD)
    terms = tree.log_likelihood.y.copy()
    terms[..., 4] = stats.norm.logpdf(40.0, tree.posterior.mu, 1.0)
    return tree.assign({"log_likelihood": xr.DataTree(xr.Dataset({"y": terms}))})


@pytest.mark.parametrize("method", METHODS)
def test_points_that_cannot_be_trusted_are_marked(method: str) -> None:
    found: Elpd = METHODS[method](surprising(), None)
    assert found.unreliable[4]
    assert found.unreliable.sum() == 1
    assert not METHODS[method](conjugate(0, PRIOR_SD), None).unreliable.any()


def test_marks_are_where_arviz_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = arviz_stats.loo(surprising(), pointwise=True)
    np.testing.assert_array_equal(loo(surprising()).unreliable, theirs.pareto_k.values > theirs.good_k)
    assert waic(surprising()).p_pointwise[4] > P_WAIC_LIMIT


def test_all_observed_variables_count_unless_one_is_named() -> None:
    tree = conjugate(0, PRIOR_SD)
    group = tree.log_likelihood.to_dataset()
    both = tree.assign({"log_likelihood": xr.DataTree(group.assign(z=group.y.isel(row=0, drop=True)))})
    labels, terms = pointwise_terms(both)
    assert len(labels) == 21
    assert labels[-1] == "z"
    assert terms.shape == (21, 4, 1000)
    assert loo(both, "y").elpd == loo(tree).elpd
    with pytest.raises(StoreError, match="no variable 'x'"):
        loo(both, "x")


def test_masked_points_do_not_count() -> None:
    tree = conjugate(0, PRIOR_SD)
    masked = tree.log_likelihood.y.copy()
    masked[..., 3] = 0.0
    found = waic(tree.assign({"log_likelihood": xr.DataTree(xr.Dataset({"y": masked}))}))
    keep = np.arange(len(Y)) != 3
    np.testing.assert_array_equal(found.pointwise, waic(tree).pointwise[keep])
    assert "y[3]" not in found.labels


def test_what_is_no_log_likelihood_is_refused() -> None:
    tree = conjugate(0, PRIOR_SD)
    with pytest.raises(StoreError, match="no group 'log_likelihood'"):
        loo(xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset()}))
    zero = tree.assign({"log_likelihood": xr.DataTree(0 * tree.log_likelihood.to_dataset())})
    with pytest.raises(StoreError, match="no data point"):
        waic(zero)
    broken = tree.log_likelihood.to_dataset().copy(deep=True)
    broken.y[0, 0, 2] = np.nan
    with pytest.raises(StoreError, match=r"y\[2\] is not finite"):
        waic(tree.assign({"log_likelihood": xr.DataTree(broken)}))
