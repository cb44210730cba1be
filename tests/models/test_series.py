"""Series sampled by their innovations: exact posteriors, and everything else as if they were not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats

import exmc
from exmc import Builder
from exmc.distributions import AR, GaussianRandomWalk, MvGaussianRandomWalk, Normal
from exmc.distributions.base import Given
from exmc.ir.model import Model
from exmc.ir.nodes import Centering
from exmc.predictive.predict import lifted
from exmc.rewrite.run import rewrite

LARGEST_Z = 4.5
LENGTH, NOISE = 12, 1.5
SEEN = np.cumsum(np.random.default_rng(8).normal(size=LENGTH))
CHOL = np.array([[1.0, 0.0], [0.5, 0.7]])


class Target(NamedTuple):
    """A series, and its values x by ``recursion @ x = drifts + inverse(factor) @ e``, with e standard normals."""

    series: Given
    shape: tuple[int, ...]
    factor: np.ndarray
    recursion: np.ndarray
    drifts: np.ndarray


def walk() -> Target:
    law = GaussianRandomWalk(0.1, 0.8, Normal(1.0, 2.0))
    factor = np.diag([0.5, *[1.0 / 0.8] * (LENGTH - 1)])
    recursion = np.eye(LENGTH) - np.eye(LENGTH, k=-1)
    return Target(law, (LENGTH,), factor, recursion, np.array([1.0, *[0.1] * (LENGTH - 1)]))


def autoregression() -> Target:
    law = AR([0.6, -0.3], 0.8, 0.2, Normal(0.5, 2.0))
    factor = np.diag([0.5, 0.5, *[1.0 / 0.8] * (LENGTH - 2)])
    recursion = np.eye(LENGTH) - 0.6 * np.eye(LENGTH, k=-1) + 0.3 * np.eye(LENGTH, k=-2)
    recursion[:2] = np.eye(LENGTH)[:2]
    return Target(law, (LENGTH,), factor, recursion, np.array([0.5, 0.5, *[0.2] * (LENGTH - 2)]))


def vectors() -> Target:
    chol, steps = np.array([[1.0, 0.0], [0.5, 0.7]]), LENGTH // 2
    law = MvGaussianRandomWalk([0.1, -0.2], chol=chol, init_dist=Normal(1.0, 2.0))
    factor = np.kron(np.eye(steps), np.linalg.inv(chol))
    factor[:2, :2] = np.eye(2) / 2.0
    recursion = np.eye(LENGTH) - np.eye(LENGTH, k=-2)
    return Target(law, (steps, 2), factor, recursion, np.array([1.0, 1.0, *[0.1, -0.2] * (steps - 1)]))


@pytest.mark.parametrize("target", [walk, autoregression, vectors])
def test_moments_are_those_of_the_normal_posterior(target: Callable[[], Target]) -> None:
    law, shape, factor, recursion, drifts = target()
    build = Builder().rv("x", law, shape=shape, centering="noncentered")
    build.rv("y", "Normal", mu="x", sigma=NOISE, observed=SEEN.reshape(shape))
    draws = exmc.sample(build, draws=1500, warmup=500, chains=4, seed=3)["posterior"]["x"].values
    whitened = factor @ recursion
    covariance = np.linalg.inv(whitened.T @ whitened + np.eye(LENGTH) / NOISE**2)
    mean = covariance @ (whitened.T @ factor @ drifts + SEEN / NOISE**2)
    centred = draws.reshape(4, -1, LENGTH) - mean
    next_to = centred[..., :-1] * centred[..., 1:]
    exact = (np.zeros(LENGTH), np.diagonal(covariance), np.diagonal(covariance, offset=1))
    for values, truth in zip((centred, centred**2, next_to), exact, strict=True):
        errors = [float(array_stats.mcse(values[..., i], chain_axis=0, draw_axis=1)) for i in range(values.shape[2])]
        z = (values.mean(axis=(0, 1)) - truth) / errors
        assert np.abs(z).max() < LARGEST_Z, z


def volatility(centering: Centering) -> Builder:
    returns = np.random.default_rng(9).standard_t(5.0, size=30)
    return (
        Builder()
        .coords(day=list(range(30)))
        .rv("sigma", "HalfNormal", sigma=0.3)
        .rv("rho", "Beta", alpha=20.0, beta=2.0, shape=1)
        .rv("s", GaussianRandomWalk(0.0, "sigma", Normal(0.0, "sigma")), dims="day", centering=centering)
        .rv("a", AR("rho", "sigma", 0.0, Normal(0.0, 1.0)), dims="day", centering=centering)
        .rv("r", "Normal", mu="a", sigma="exp(s / 2)", observed=returns, dims="day")
    )


@cache
def sampled(centering: Centering) -> xr.DataTree:
    return exmc.sample(volatility(centering), draws=20, warmup=30, chains=1, seed=1, init="prior")


def test_results_have_the_same_form_whatever_was_sampled() -> None:
    centred, noncentred = sampled("centered"), sampled("noncentered")
    for group in ("posterior", "log_likelihood", "log_prior", "posterior_predictive"):
        expected = {str(k): (v.dims, v.shape) for k, v in centred[group].data_vars.items()}
        assert {str(k): (v.dims, v.shape) for k, v in noncentred[group].data_vars.items()} == expected
    assert centred["posterior"]["s"].dims == ("chain", "draw", "day")


def test_log_prior_is_that_of_the_series_as_written() -> None:
    tree = sampled("noncentered")
    s, sigma = tree["posterior"]["s"].values, tree["posterior"]["sigma"].values
    steps = np.diff(s, axis=-1, prepend=0.0) / sigma[..., None]
    expected = np.sum(-0.5 * steps**2 - np.log(sigma[..., None]) - 0.5 * np.log(2.0 * np.pi), axis=-1)
    assert tree["log_prior"]["s"].values == pytest.approx(expected, rel=1e-9)


def test_the_prior_does_not_know_of_centring() -> None:
    """Its draws are the very same numbers."""
    centred, noncentred = (exmc.prior_predictive(volatility(c), draws=20, seed=1) for c in ("centered", "noncentered"))
    for group in ("prior", "prior_predictive"):
        assert centred[group].to_dataset().equals(noncentred[group].to_dataset())


def test_a_series_is_a_parameter_still() -> None:
    source: Model = volatility("noncentered").build()
    assert lifted(source, rewrite(source).model) == frozenset()
