"""Predictions have the moments that theory gives them, and depend on labels, not on places or batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import exmc
import exmc.prediction
from exmc.errors import ModelError, SamplingError, StoreError
from exmc.ir.builder import Builder
from exmc.prediction import predict
from pipelines.run import run_config

DRAWS = 4000


def z_of_mean(draws: np.ndarray, mean: Any) -> np.ndarray:
    """How far the means over the first axis, of independent draws, are from `mean`, in standard errors."""
    return np.asarray((draws.mean(axis=0) - mean) / (draws.std(axis=0, ddof=1) / np.sqrt(len(draws))))


def assert_moments(draws: xr.DataArray, mean: Any, variance: Any) -> None:
    flat = draws.values.reshape(-1, *draws.shape[2:])
    assert np.abs(z_of_mean(flat, mean)).max() < 4
    assert np.abs(z_of_mean((flat - mean) ** 2, variance)).max() < 4


def as_trace(**values: np.ndarray) -> xr.DataTree:
    """Independent draws of a posterior that is known, shape (DRAWS, ...), as two chains."""
    group = xr.Dataset(
        {
            n: (("chain", "draw", *(f"{n}_{i}" for i in range(v.ndim - 1))), v.reshape(2, -1, *v.shape[1:]))
            for n, v in values.items()
        },
        coords={"chain": [0, 1], "draw": np.arange(DRAWS // 2)},
    )
    return xr.DataTree.from_dict({"posterior": group})


def line(x: np.ndarray, y: np.ndarray) -> Builder:
    return (
        Builder()
        .data("x", x, dims="row")
        .rv("a", "Normal", mu=0, sigma=3)
        .rv("b", "Normal", mu=0, sigma=2)
        .det("mean", "a + b * x")
        .rv("y", "Normal", mu="mean", sigma=0.7, observed=y)
    )


def test_a_line_at_new_points_has_its_closed_form() -> None:
    """Bishop (2006), equations 3.49 to 3.59, with the prior's own variances."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=12)
    y = 1 - 2 * x + 0.7 * rng.normal(size=12)
    design = np.stack([np.ones(12), x], axis=1)
    covariance = np.linalg.inv(np.diag([1 / 9, 1 / 4]) + design.T @ design / 0.49)
    mean = covariance @ design.T @ y / 0.49
    a, b = rng.multivariate_normal(mean, covariance, DRAWS).T
    new = np.array([-3.0, 0.0, 1.0, 10.0])
    seen = np.array([7.0, 1.0, -1.0, -19.0])
    at = np.stack([np.ones(4), new], axis=1)
    spread = np.einsum("ij,jk,ik->i", at, covariance, at)
    found = predict(as_trace(a=a, b=b), line(x, y), {"x": new, "y": seen}, seed=2)
    assert_moments(found["predictions"]["y"], at @ mean, spread + 0.49)
    assert_moments(found["predictions"]["mean"], at @ mean, spread)
    # The density of what was seen, averaged over the posterior, is the predictive one.
    density = np.exp(found["log_likelihood"]["y"].values.reshape(-1, 4))
    variance = spread + 0.49
    expected = np.exp(-0.5 * (seen - at @ mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
    assert np.abs(z_of_mean(density, expected)).max() < 4
    np.testing.assert_array_equal(found["predictions_constant_data"]["x"], new)


def groups(seen: np.ndarray) -> Builder:
    return (
        Builder()
        .coords(site=["a", "b", "c"])
        .data("of", [0, 1, 2, 0], dims="row")
        .rv("mu", "Normal", mu=1, sigma=1)
        .rv("tau", "HalfNormal", sigma=1)
        .rv("t", "Normal", mu="mu", sigma="tau", dims="site")
        .det("twice", "2 * t")
        .rv("y", "Normal", mu="t[of]", sigma=0.5, observed=seen)
    )


def group_draws() -> xr.DataTree:
    rng = np.random.default_rng(5)
    mu, tau = rng.normal(2.0, 0.3, DRAWS), rng.gamma(4.0, 0.25, DRAWS)
    return as_trace(mu=mu, tau=tau, t=rng.normal([5.0, 6.0, 7.0], 0.1, (DRAWS, 3)))


def test_a_new_group_has_the_variance_of_its_prior_and_the_noise() -> None:
    sites, rows = {"site": ["a", "b", "c", "d"]}, {"of": [3, 3, 0]}
    found = predict(group_draws(), groups(np.zeros(4)), rows, sites, seed=1)["predictions"]
    # E tau^2 = 4 * 5 / 16; the draws of mu have variance 0.09.
    prior = 0.09 + 1.25
    assert_moments(found["y"], [2.0, 2.0, 5.0], [prior + 0.25, prior + 0.25, 0.01 + 0.25])
    assert_moments(found["twice"].sel(site="d"), 4.0, 4 * prior)
    first, second = (found["y"].values[..., i].reshape(-1) - 2.0 for i in (0, 1))
    # Two rows of one new group share it.
    assert abs(z_of_mean(first * second, prior)) < 4


def test_what_is_known_is_the_draws_themselves_wherever_its_label_is() -> None:
    trace = group_draws()
    one = predict(trace, groups(np.zeros(4)), {}, seed=1, variables=["t", "twice"])["predictions"]
    for sites in (["c", "a", "b"], ["b"], ["z", "c", "y", "a"]):
        other = predict(trace, groups(np.zeros(4)), {}, {"site": sites}, seed=1, variables=["t", "twice"])[
            "predictions"
        ]
        assert other["t"]["site"].values.tolist() == sites
        shared = [site for site in sites if site in "abc"]
        xr.testing.assert_equal(one["twice"].sel(site=shared), other["twice"].sel(site=shared))
    np.testing.assert_array_equal(one["t"].values, trace["posterior"]["t"].values)


def test_the_run_s_own_data_are_predicted_as_in_the_run() -> None:
    """Two independent simulations from the same draws: each entry's mean and variance agree."""
    source = groups(np.array([1.0, 2.0, 3.0, 1.5])).build()
    trace = exmc.sample(source, draws=1000, chains=2, seed=1, target_accept=0.95)
    found = predict(trace, source)["predictions"]["y"].values.reshape(-1, 4)
    own = trace["posterior_predictive"]["y"].values.reshape(-1, 4)
    assert np.abs(z_of_mean(found - own, 0.0)).max() < 4
    assert np.abs(z_of_mean((found - own.mean(0)) ** 2 - (own - own.mean(0)) ** 2, 0.0)).max() < 4
    assert (found != own).all()
    # Draws keep their variables: what the run computed is computed again.
    twice = predict(trace, source)["predictions"]["twice"]
    np.testing.assert_array_equal(twice, trace["posterior"]["twice"])


def test_results_do_not_depend_on_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = xr.DataTree.from_dict({"posterior": group_draws()["posterior"].to_dataset().isel(draw=slice(100))})
    arguments = (trace, groups(np.zeros(4)), {"of": [3, 0], "y": [1.0, 2.0]}, {"site": ["a", "b", "c", "d"]})
    whole = predict(*arguments, seed=4)
    for elements in (1, 100):
        monkeypatch.setattr(exmc.prediction, "_ELEMENTS_AT_ONCE", elements)
        monkeypatch.setattr(exmc.prediction, "_MOST_DRAWS", 37)
        parts = predict(*arguments, seed=4)
        for name in whole.children:
            xr.testing.assert_equal(whole[name].to_dataset(), parts[name].to_dataset())
    assert not predict(*arguments, seed=5)["predictions"].equals(whole["predictions"])


def test_a_chain_s_predictions_do_not_depend_on_the_others() -> None:
    trace = group_draws()
    second = xr.DataTree.from_dict({"posterior": trace["posterior"].to_dataset().isel(chain=[1])})
    one = predict(trace, groups(np.zeros(4)), seed=1)["predictions"].to_dataset()
    other = predict(second, groups(np.zeros(4)), seed=1)["predictions"].to_dataset()
    xr.testing.assert_equal(one.sel(chain=[1]), other)


def test_a_walk_goes_on_from_where_it_was() -> None:
    """Steps of new times are drawn, those before keep their draws: the walk's variance grows from the last known."""
    source = (
        Builder()
        .coords(time=[1, 2, 3])
        .rv("step", "Normal", mu=0, sigma=1, dims="time")
        .det("walk", "cumsum(step)")
        .rv("y", "Normal", mu="walk", sigma=0.1, observed=[1.0, 2.0, 3.0])
    )
    steps = np.random.default_rng(3).normal(1.0, 0.2, (DRAWS, 3))
    found = predict(as_trace(step=steps), source, {}, {"time": [1, 2, 3, 4, 5]}, seed=1)["predictions"]
    assert_moments(found["walk"], [1, 2, 3, 3, 3], 0.04 * np.array([1, 2, 3, 3, 3]) + [0, 0, 0, 1, 2])
    assert found["y"].sizes["time"] == 5


def test_an_improper_prior_has_no_new_groups() -> None:
    source = (
        Builder().coords(g=["a", "b"]).rv("t", "Flat", dims="g").rv("y", "Normal", mu="t", sigma=1, observed=[1, 2])
    )
    trace = as_trace(t=np.zeros((DRAWS, 2)))
    assert predict(trace, source, {}, {"g": ["b"]}, seed=1)["predictions"]["y"].sizes["g"] == 1
    with pytest.raises(ModelError, match=r"variables.t: .*Flat"):
        predict(trace, source, {}, {"g": ["a", "z"]}, seed=1)


def test_what_cannot_be_predicted_from() -> None:
    source = groups(np.zeros(4))
    with pytest.raises(SamplingError, match="seed"):
        predict(group_draws(), source, seed=-1)
    with pytest.raises(StoreError, match="there is no group 'posterior'"):
        predict(xr.DataTree(), source)
    with pytest.raises(ModelError, match="holds no variable of this model"):
        predict(as_trace(other=np.zeros(DRAWS)), source)
    with pytest.raises(ModelError, match=r"variables.t: the posterior draws have shape"):
        predict(as_trace(t=np.zeros((DRAWS, 2))), source)
    with pytest.raises(ModelError, match="nothing to predict"):
        predict(as_trace(a=np.zeros(DRAWS)), Builder().rv("a", "Normal", mu=0, sigma=1))
    with pytest.raises(StoreError, match="there is no run here"):
        predict("nowhere", source)


def test_a_directory_is_predicted_from_like_its_trace(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "model:\n  data: {x: [0.0, 1.0]}\n  variables:\n    b: {dist: Normal, mu: 0, sigma: 1}\n"
        "    y: {dist: Normal, mu: b * x, sigma: 1, observed: [1.0, 2.0]}\n"
        f"sampler: {{draws: 50, warmup: 50, chains: 2, seed: 3}}\nrun: {{out: {tmp_path / 'out'}}}\n"
    )
    tree = run_config(config)
    source = Builder().data("x", [0.0, 1.0]).rv("b", "Normal", mu=0, sigma=1)
    source.rv("y", "Normal", mu="b * x", sigma=1, observed=[1.0, 2.0])
    one, other = (predict(t, source, {"x": [3.0]})["predictions"].to_dataset() for t in (tree, tmp_path / "out"))
    xr.testing.assert_equal(one, other)


def smooth(x: np.ndarray, y: np.ndarray, how: str) -> Builder:
    """Values of a Gaussian process at `x`, seen with noise; as vectors, or by the factor of their covariance."""
    builder = Builder().coords(at=list(range(len(x)))).data("x", x, dims="at")
    builder.det("K", "exp(-0.5 * (expand_dims(x, axis=1) - x) ** 2) + 1e-9 * (expand_dims(x, axis=1) == x)", keep=False)
    if how == "factor":
        builder.rv("z", "Normal", mu=0, sigma=1, dims="at").det("f", "cholesky(K) @ z", dims="at")
    else:
        builder.rv("f", "MvNormal", mu=0, **{how: {"cov": "K", "chol": "cholesky(K)"}[how]}, dims="at")
    return builder.rv("y", "Normal", mu="f", sigma=0.3, observed=y)


@pytest.mark.parametrize("how", ["cov", "chol", "factor"])
def test_a_gaussian_process_goes_on_given_what_is_known(how: str) -> None:
    """Rasmussen and Williams (2006), equations 2.25 and 2.26."""
    rng = np.random.default_rng(7)
    x, y = np.array([0.0, 1.0, 2.5]), np.array([0.5, -0.3, 1.0])
    whole = np.array([0.0, 1.0, 2.5, 0.4, 4.0])
    kernel = np.exp(-0.5 * (whole[:, None] - whole) ** 2) + 1e-9 * np.eye(5)
    old, gain = kernel[:3, :3], kernel[:, :3] @ np.linalg.inv(kernel[:3, :3] + 0.09 * np.eye(3))
    mean, covariance = gain @ y, kernel - gain @ kernel[:3]
    f = rng.multivariate_normal(mean[:3], covariance[:3, :3], DRAWS)
    draws = {"z": f @ np.linalg.inv(np.linalg.cholesky(old)).T} if how == "factor" else {"f": f}
    found = predict(
        as_trace(**draws), smooth(x, y, how), {"x": whole}, {"at": [0, 1, 2, 3, 4]}, seed=1, variables=["f", "y"]
    )["predictions"]
    assert_moments(found["f"], mean, np.diag(covariance))
    assert_moments(found["y"], mean, np.diag(covariance) + 0.09)
    new = found["f"].values.reshape(-1, 5)[:, 3:] - mean[3:]
    assert abs(z_of_mean(new.prod(axis=1), covariance[3, 4])) < 4
    np.testing.assert_allclose(found["f"].values.reshape(-1, 5)[:, :3], f, atol=1e-6)
    if how != "factor":
        with pytest.raises(ModelError, match="labels of the run are missing, on which it depends"):
            predict(as_trace(**draws), smooth(x, y, how), {"x": whole[2:]}, {"at": [2, 3, 4]}, seed=1)
