"""`exmc.sample` and `exmc.prior_predictive`: the whole way in one process."""

from __future__ import annotations

import numpy as np
import pytest

import exmc
from exmc import Builder
from exmc.errors import SamplingError


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


def test_prior_predictive_without_sampling() -> None:
    tree = exmc.prior_predictive(seed_example(), draws=40, seed=1)
    assert tree["prior_predictive"]["x_obs"].shape == (1, 40, 10)


def test_an_improper_prior_has_no_predictive() -> None:
    with pytest.raises(SamplingError, match="prior"):
        exmc.prior_predictive(Builder().rv("x", "Flat"))


def test_nothing_to_sample() -> None:
    with pytest.raises(SamplingError, match="no free variables"):
        exmc.sample(Builder().rv("y", "Normal", mu=0, sigma=1, observed=[1.0]))
