"""`exmc.sample` and `exmc.prior_predictive`: the whole way in one process."""

from __future__ import annotations

from typing import Any

import arviz_stats
import numpy as np
import pytest
import scipy.stats
import xarray as xr

import exmc
from exmc import Builder
from exmc.errors import ModelError, SamplingError
from tests.ir.sequential import SEQUENTIAL


def seed_example() -> Builder:
    """The example of the README."""
    values = [2.1, 1.8, 2.5, 2.0, 1.9, 2.3, 2.2, 1.7, 2.4, 2.6]
    return (
        Builder()
        .rv("mu", exmc.Normal, mu=0.0, sigma=5.0)
        .rv("sigma", exmc.HalfNormal, sigma=2.0)
        .rv("x", exmc.Normal, mu="mu", sigma="sigma")
        .obs("x_obs", "x", values)
    )


def lifted() -> Builder:
    """`z` is no parameter: the data determine it."""
    return (
        Builder()
        .rv("a", "Normal", mu=0, sigma=1)
        .rv("z", "Exponential", rate=1, shape=3)
        .det("y", "a + 2 * z")
        .obs("seen", "y", [1.0, 2.0, 3.0])
    )


def test_same_seed_same_draws_whatever_the_threads() -> None:
    one = exmc.sample(seed_example(), draws=50, warmup=60, chains=2, seed=7)
    two = exmc.sample(seed_example(), draws=50, warmup=60, chains=2, seed=7)
    for group in ("posterior", "sample_stats", "posterior_predictive", "prior"):
        assert one[group].to_dataset().equals(two[group].to_dataset())


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({}, {"adaptation": "fisher", "metric": "auto", "warmup": 400}),
        ({"adaptation": "stan"}, {"adaptation": "stan", "metric": "diagonal", "warmup": 1000}),
    ],
)
def test_an_adaptation_brings_its_metric_and_its_warm_up(said: dict[str, str], meant: dict[str, Any]) -> None:
    one, two = (exmc.sample(seed_example(), draws=20, chains=1, seed=7, predictive=False, **o) for o in (said, meant))
    assert one["posterior"].to_dataset().equals(two["posterior"].to_dataset())


def test_an_unknown_adaptation_is_refused() -> None:
    with pytest.raises(SamplingError, match="There is no adaptation 'stam'") as caught:
        exmc.sample(seed_example(), adaptation="stam")
    assert caught.value.where == ("adaptation",)


def test_engines_agree() -> None:
    native = exmc.sample(seed_example(), draws=20, warmup=30, chains=1, seed=3, predictive=False)
    autograd = exmc.sample(seed_example(), draws=20, warmup=30, chains=1, seed=3, predictive=False, engine="autograd")
    assert autograd.attrs["engine"] == "autograd"
    first = [float(t["posterior"]["mu"][0, 0]) for t in (native, autograd)]
    np.testing.assert_allclose(*first, rtol=1e-6)


def test_lifted_variables_are_no_parameters() -> None:
    trace = exmc.sample(lifted(), draws=50, warmup=50, chains=1, seed=1)
    assert list(trace["posterior"].data_vars) == ["a"]
    assert list(trace["log_prior"].data_vars) == ["a"]
    assert list(trace["prior"].data_vars) == ["a", "z", "y"]


def test_prior_plus_likelihood_plus_jacobian_is_lp() -> None:
    trace = exmc.sample(seed_example(), draws=20, warmup=50, chains=1, seed=2, predictive=False)
    prior = sum(trace["log_prior"][v] for v in ("mu", "sigma"))
    jacobian = np.log(trace["posterior"]["sigma"])
    lp = prior + trace["log_likelihood"]["x_obs"].sum("x_obs_dim_0") + jacobian
    np.testing.assert_allclose(lp, trace["sample_stats"]["lp"], rtol=1e-12)


def test_lp_is_the_sum_of_its_parts_for_vectors_and_potentials() -> None:
    model = (
        Builder()
        .data("keep", [True, True, True, False])
        .rv("w", exmc.Dirichlet([1.0, 2.0, 3.0]))
        .rv("c", exmc.Normal(0, 2), shape=2, transform="ordered")
        .rv("k", exmc.Categorical("w"), observed=[0, 2, 1])
        .rv(
            "y",
            exmc.MvNormal("c", cov=[[1.0, 0.2], [0.2, 2.0]]),
            observed=np.ones((4, 2)),
            mask="keep",
        )
        .potential("p", "-c**2", keep=True)
    )
    trace = exmc.sample(model, draws=20, warmup=50, chains=1, seed=2, predictive=False)
    assert trace["log_prior"]["w"].shape == (1, 20)
    assert trace["log_prior"]["c"].shape == (1, 20, 2)
    assert trace["log_likelihood"]["y"].shape == (1, 20, 3), "the entry that is masked is left out"
    assert "p" not in trace["log_prior"]
    posterior = trace["posterior"]
    jacobian = np.log(posterior["w"]).sum("w_dim_0") + 0.5 * np.log(3.0)
    jacobian = jacobian + np.log(posterior["c"].diff("c_dim_0")).sum("c_dim_0")
    terms = [v.sum([d for d in v.dims if d not in ("chain", "draw")]) for v in trace["log_likelihood"].values()]
    terms += [v.sum([d for d in v.dims if d not in ("chain", "draw")]) for v in trace["log_prior"].values()]
    lp = sum(terms) + jacobian + posterior["p"].sum("p_dim_0")
    np.testing.assert_allclose(lp, trace["sample_stats"]["lp"], rtol=1e-12)


def test_the_posterior_of_a_simplex_is_the_exact_one() -> None:
    counts, prior = np.array([7, 2, 11]), np.array([1.0, 2.0, 0.5])
    model = (
        Builder().rv("w", exmc.Dirichlet(prior)).rv("k", exmc.Categorical("w"), observed=np.repeat(range(3), counts))
    )
    trace = exmc.sample(model, draws=1000, warmup=500, chains=2, seed=5, predictive=False)
    exact = scipy.stats.dirichlet(prior + counts)
    draws = trace["posterior"]["w"]
    found, errors = draws.mean(("chain", "draw")).values, np.sqrt(exact.var())
    effective = effective_draws(draws)
    assert np.all(np.abs(found - exact.mean()) < 4.0 * errors / np.sqrt(effective))


def effective_draws(draws: xr.DataArray) -> np.ndarray:
    return np.asarray(arviz_stats.ess(draws.to_dataset(name="w"))["w"])


def test_prior_predictive_without_sampling() -> None:
    tree = exmc.prior_predictive(seed_example(), draws=40, seed=1)
    assert tree["prior_predictive"]["x_obs"].shape == (1, 40, 10)


def test_an_improper_prior_has_no_predictive() -> None:
    with pytest.raises(SamplingError, match="prior"):
        exmc.prior_predictive(Builder().rv("x", "Flat"))


def test_nothing_to_sample() -> None:
    with pytest.raises(SamplingError, match="no free variables"):
        exmc.sample(Builder().rv("y", "Normal", mu=0, sigma=1, observed=[1.0]))


def test_counts_of_numpy_are_counts() -> None:
    trace = exmc.sample(seed_example(), draws=np.int64(4), warmup=np.int32(5), chains=np.int8(1), seed=np.uint32(2))
    assert (trace["posterior"].sizes["draw"], trace.attrs["seed"]) == (4, 2)


@pytest.mark.parametrize("function", [exmc.sample, exmc.prior_predictive])
def test_misuse_is_one_clear_error(function: object) -> None:
    with pytest.raises(ModelError, match="is no model"):
        function("eight schools")
    for arguments in ({"draws": -1}, {"draws": 2.5}, {"seed": -1}):
        with pytest.raises(SamplingError, match=f"{next(iter(arguments))}: "):
            function(seed_example(), **arguments)


def test_priors_that_refer_to_observed_variables_do_not_cost_the_run() -> None:
    model = seed_example().rv("z", "Normal", mu="x[0]").rv("y", "Normal", mu="z", observed=1.0)
    trace = exmc.sample(model, draws=5, warmup=20, chains=1, seed=1)
    z = trace["posterior"]["z"]
    np.testing.assert_allclose(trace["log_prior"]["z"], -0.5 * (z - 2.1) ** 2 - 0.5 * np.log(2 * np.pi), rtol=1e-12)


@pytest.mark.parametrize("name", ["garch", "predators"])
def test_models_with_loops_go_the_whole_way(name: str) -> None:
    tree = exmc.sample(SEQUENTIAL[name](), draws=20, warmup=30, chains=1, seed=3)
    assert not tree.attrs["skipped_groups"]
    assert {"posterior_predictive", "prior", "prior_predictive", "log_likelihood"} <= set(tree.children)
    seen = {"garch": "seen", "predators": "y"}[name]
    assert np.isfinite(tree["posterior_predictive"][seen].values).all()
    assert exmc.prior_predictive(SEQUENTIAL[name](), draws=5, seed=4)["prior"].sizes["draw"] == 5
