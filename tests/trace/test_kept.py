from __future__ import annotations

import warnings
from pathlib import Path

import arviz_stats
import numpy as np
import pytest
import xarray as xr

import exmc
from exmc import Builder, HalfNormal, Normal
from exmc.diagnostics.elpd import loo, waic
from exmc.errors import ModelError
from exmc.ir.model import Model
from pipelines.run import run_config

VALUES = np.array([1.0, 2.0, 3.0, 99.0, 2.5, 1.5, 0.2, 99.0])
KEPT = VALUES < 50
LABELS = list("abcdefgh")


def model(**options: object) -> Model:
    return (
        Builder()
        .coords(item=LABELS)
        .data("seen", VALUES, ("item",))
        .rv("mu", Normal, mu=0, sigma=5)
        .rv("s", HalfNormal, sigma=2)
        .rv("y", Normal, mu="mu", sigma="s", dims=("item",), observed="seen", **options)
        .build()
    )


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return exmc.sample(model(mask=KEPT), draws=500, warmup=500, seed=1)


def test_only_what_counts_is_in_the_groups(tree: xr.DataTree) -> None:
    for group in ("log_likelihood", "posterior_predictive", "prior_predictive", "observed_data"):
        found = tree[group]["y"]
        assert found.dims[-1] == "y_kept"
        assert found["y_kept"].values.tolist() == ["a", "b", "c", "e", "f", "g"]
    np.testing.assert_array_equal(tree.observed_data.y, VALUES[KEPT])
    z = (VALUES[KEPT] - tree.posterior.mu.values[..., None]) / tree.posterior.s.values[..., None]
    expected = -0.5 * z**2 - np.log(tree.posterior.s.values[..., None]) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(tree.log_likelihood.y, expected, rtol=1e-12)
    # What is left out is predicted all the same.
    assert tree.predictions.y.shape == (4, 500, 2)
    assert tree.predictions["y_left_out"].values.tolist() == ["d", "h"]


def test_predictions_of_the_others_are_those_of_a_model_without_the_mask(tree: xr.DataTree) -> None:
    from exmc.predictive.predict import posterior_predictive

    whole = posterior_predictive(model(), {v: a.values for v, a in tree.posterior.data_vars.items()}, seed=1)["y"]
    np.testing.assert_array_equal(tree.posterior_predictive.y, whole[..., KEPT])
    np.testing.assert_array_equal(tree.predictions.y, whole[..., ~KEPT])


def test_arviz_takes_them(tree: xr.DataTree) -> None:
    """Where 0 stood for what is left out, `loo` failed; with NaN its sum is NaN."""
    with warnings.catch_warnings():
        # ArviZ tells of its own deprecations.
        warnings.simplefilter("ignore")
        theirs = arviz_stats.loo(tree, pointwise=True)
        pit = arviz_stats.loo_pit(tree)
        arviz_stats.metrics(tree)
    assert theirs.n_data_points == 6
    ours = loo(tree)
    np.testing.assert_allclose(ours.pointwise, theirs.elpd_i, rtol=1e-10)
    assert ours.labels == waic(tree).labels == tuple(f"y[{label}]" for label in "abcefg")
    assert np.isfinite(pit["y"].values).all()


def test_a_weight_of_zero_leaves_out_too() -> None:
    weights = np.where(KEPT, 2.0, 0.0)
    found = exmc.sample(model(weight=weights), draws=50, warmup=50, chains=1, seed=1)
    np.testing.assert_array_equal(found.observed_data.y, VALUES[KEPT])
    assert found.log_likelihood.y.shape == (1, 50, 6)


def test_axes_are_joined_in_the_labels() -> None:
    values = VALUES.reshape(2, 4)
    source = (
        Builder()
        .coords(row=["x", "z"])
        .rv("mu", Normal, mu=0, sigma=5)
        .rv("y", Normal, mu="mu", sigma=1, dims=("row", None), observed=values, mask=values < 50)
    )
    found = exmc.sample(source, draws=20, warmup=20, chains=1, seed=1)
    assert found.observed_data["y_kept"].values.tolist() == ["x, 0", "x, 1", "x, 2", "z, 0", "z, 1", "z, 2"]
    assert found.predictions["y_left_out"].values.tolist() == ["x, 3", "z, 3"]


def test_a_mask_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match=r"variables\.y\.mask: the mask leaves out every value"):
        exmc.sample(model(mask=np.zeros(8, dtype=bool)), draws=20, warmup=20)


def test_a_store_holds_them(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "model:\n  data: {m: {values: [1, 0, 1]}}\n  variables:\n    mu: {dist: Normal, mu: 0, sigma: 1}\n"
        "    y: {dist: Normal, mu: mu, sigma: 1, observed: [1, 2, 3], mask: m != 0}\n"
        "sampler: {draws: 120, warmup: 50, chains: 2, seed: 1}\n"
    )
    found = run_config(tmp_path / "c.yaml", out=tmp_path / "run")
    assert found["observed_data"]["y"].values.tolist() == [1.0, 3.0]
    assert found["predictions"]["y"].shape == (2, 120, 1)
    assert found["log_likelihood"]["y"].shape == (2, 120, 2)


def test_entries_of_vectors_are_whole_vectors() -> None:
    values = np.array([[1.0, 2.0], [99.0, 99.0], [0.5, -1.0]])
    source = Builder().rv("mu", Normal, mu=0, sigma=5)
    source = source.rv("y", exmc.MvNormal("mu", cov=np.eye(2)), observed=values, mask=[True, False, True])
    found = exmc.sample(source, draws=20, warmup=20, chains=1, seed=1)
    np.testing.assert_array_equal(found.observed_data.y, values[[0, 2]])
    assert found.log_likelihood.y.shape == (1, 20, 2)
    assert found.posterior_predictive.y.shape == (1, 20, 2, 2)
    assert found.predictions.y.shape == (1, 20, 1, 2)
    assert found.predictions["y_left_out"].values.tolist() == [1]
