"""A horseshoe, whose ridges bend and narrow: chains warmed up by the defaults get along them, and mean the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

import exmc
from exmc import Builder
from exmc.sampling.options import AUTO

SEEDS = (1, 2, 3, 4, 5)
LARGEST_Z = 4.5


def horseshoe(rows: int = 50, predictors: int = 10) -> Builder:
    """A regression of which two predictors matter."""
    generator = np.random.default_rng(1)
    design = generator.normal(size=(rows, predictors))
    seen = 0.5 + 2.0 * design[:, 0] - 1.5 * design[:, 1] + generator.normal(size=rows)
    return (
        Builder()
        .data("X", design)
        .rv("alpha", "Normal", mu=0, sigma=5)
        .rv("tau", "HalfCauchy", beta=0.1)
        .rv("lambda_", "HalfCauchy", beta=1, shape=predictors)
        .rv("z", "Normal", mu=0, sigma=1, shape=predictors)
        .rv("sigma", "HalfNormal", sigma=2)
        .rv("y", "Normal", mu="alpha + X @ (z * lambda_ * tau)", sigma="sigma", observed=seen)
    )


@cache
def drawn(seed: int, **options: Any) -> np.ndarray:
    """Every scalar, scales by their logarithms; shape (chains, draws, scalars)."""
    posterior = exmc.sample(horseshoe(), seed=seed, predictive=False, **options)["posterior"].to_dataset()
    logged = {"tau", "lambda_", "sigma"}
    arrays = [np.log(values) if name in logged else values for name, values in posterior.items()]
    return np.concatenate([array.values.reshape(*array.shape[:2], -1) for array in arrays], axis=2)


def bulk(draws: np.ndarray) -> np.ndarray:
    """The bulk ESS of each scalar."""
    return np.array([array_stats.ess(draws[..., i], chain_axis=0, draw_axis=1) for i in range(draws.shape[2])])


def test_by_default_most_runs_are_worth_hundreds_of_draws() -> None:
    """Medians of the least: 1100; with steps for a target of 0.8 480, and with scales from gradients alone 320."""
    careful, careless = (
        np.median([bulk(drawn(seed, target_accept=target)).min() for seed in SEEDS]) for target in (AUTO, 0.8)
    )
    assert careful > 500
    assert careful > 1.5 * careless


def test_what_is_learnt_by_default_is_what_small_steps_of_stans_find() -> None:
    ours = np.concatenate([drawn(seed, target_accept=AUTO) for seed in SEEDS])
    stans = drawn(6, adaptation="stan", target_accept=0.98, draws=4000)
    means, errors = [], []
    for draws in (ours, stans):
        means.append(draws.mean(axis=(0, 1)))
        errors.append(draws.std(axis=(0, 1)) / np.sqrt(bulk(draws)))
    z = (means[0] - means[1]) / np.hypot(*errors)
    assert np.abs(z).max() < LARGEST_Z
