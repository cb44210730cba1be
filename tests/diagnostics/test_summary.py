from __future__ import annotations

import time

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics import convergence, summary
from exmc.diagnostics.summary import COLUMNS, scalar_labels, summarise
from exmc.errors import StoreError
from tests.diagnostics.trees import healthy, with_group


def test_a_summary_has_a_row_per_scalar() -> None:
    table = summarise(healthy())
    assert table.scalar.values.tolist() == ["mu", "theta[Choate]", "theta[Exeter]", "one", "total"]
    assert table["variable"].values.tolist() == ["mu", "theta", "theta", "one", "total"]
    assert tuple(table.data_vars) == COLUMNS
    assert summarise(healthy(), ["theta"]).sizes["scalar"] == 2


def test_its_figures_are_those_of_arviz() -> None:
    tree = healthy()
    ours, theirs = (
        summarise(tree, ["mu", "theta"]),
        arviz_stats.summary(tree, var_names=["mu", "theta"], round_to="none"),
    )
    assert ours.scalar.values.tolist() == theirs.index.tolist()
    for column in ("mean", "mcse_mean", "ess_bulk", "r_hat"):
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-12)
    tails = arviz_stats.ess(tree, var_names=["mu", "theta"], method="tail", prob=(0.05, 0.95))
    np.testing.assert_allclose(ours.ess_tail, [tails.mu, *tails.theta.values], rtol=1e-12)
    draws = tree.posterior.theta.values.reshape(-1, 2)
    # ArviZ divides by n until version 1, by n - 1 since.
    np.testing.assert_allclose(ours.sd[1:], np.std(draws, axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(ours.q5[1:], np.quantile(draws, 0.05, axis=0))
    np.testing.assert_allclose(ours.q95[1:], np.quantile(draws, 0.95, axis=0))


def test_few_scalars_are_worked_on_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their memory is many times that of their draws; the figures are the same to the last bit."""
    whole, real, at_once = summarise(healthy()), convergence.r_hat, []

    def r_hat(draws: np.ndarray) -> np.ndarray:
        at_once.append(len(draws))
        return real(draws)

    monkeypatch.setattr(convergence, "r_hat", r_hat)
    monkeypatch.setattr(summary, "_NUMBERS_AT_ONCE", 2 * healthy().posterior.mu.size)
    parts = summarise(healthy())
    assert at_once == [2, 1]
    xr.testing.assert_identical(parts, whole)


def test_constants_have_no_r_hat() -> None:
    table = summarise(healthy())
    assert table.constant.values.tolist() == [False, False, False, True, True]
    for name in ("r_hat", "ess_bulk", "ess_tail"):
        assert np.isnan(table[name].values).tolist() == [False, False, False, True, True]
    assert table["mean"].values[3] == 1.0


def test_a_chain_stuck_elsewhere_is_no_constant() -> None:
    tree = healthy()
    stuck = xr.zeros_like(tree.posterior.mu) + xr.DataArray(np.arange(4.0), dims="chain")
    table = summarise(with_group(tree, "posterior", mu=stuck))
    assert not table.constant.values[0]
    assert table.r_hat.values[0] > 10


def test_draws_that_are_not_finite_are_marked() -> None:
    tree = healthy()
    mu = tree.posterior.mu.copy()
    mu[1, 3] = np.inf
    table = summarise(with_group(tree, "posterior", mu=mu))
    assert table.finite.values.tolist() == [False, True, True, True, True]
    assert np.isnan(table["mean"].values[0])
    assert np.isfinite(table.r_hat.values[1])


@pytest.mark.parametrize(("chains", "draws"), [(1, 500), (4, 3), (1, 1), (4, 0)])
def test_few_chains_and_draws(chains: int, draws: int) -> None:
    table = summarise(healthy(chains=chains, draws=draws))
    assert np.isfinite(table.r_hat.values[0]) == (draws > 3)


def test_integers_and_booleans_are_summarised() -> None:
    tree = healthy()
    table = summarise(with_group(tree, "posterior", mu=tree.posterior.mu > 3.0))
    np.testing.assert_allclose(table["mean"].values[0], (tree.posterior.mu > 3.0).mean())


def test_labels_name_every_axis() -> None:
    array = xr.DataArray(np.zeros((1, 1, 2, 2)), dims=("chain", "draw", "a", "b"), coords={"a": ["x", "y"]}, name="m")
    assert scalar_labels(array) == ["m[x, 0]", "m[x, 1]", "m[y, 0]", "m[y, 1]"]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(StoreError, match="Did you mean 'theta'"):
        summarise(healthy(), ["thetas"])
    with pytest.raises(StoreError, match="no group 'posterior'"):
        summarise(xr.DataTree())


def test_a_thousand_scalars_take_seconds() -> None:
    draws = np.random.default_rng(0).normal(size=(4, 1000, 1000))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"x": (("chain", "draw", "i"), draws)})})
    began = time.process_time()
    summarise(tree)
    assert time.process_time() - began < 15
