"""Draws from targets with known moments, judged by their Monte Carlo standard errors."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.density import LogDensity, from_function
from exmc.sampling.options import METRIC_NAMES, SamplerOptions
from tests.sampling.targets import draw, normal, python_normal, scaled_normal, z_score

# One z-score in 16 000 of a correct sampler is beyond 4; vectors of them are allowed the normal's maximum besides.
LIMIT = 4.0


def _check(draws: np.ndarray, covariance: np.ndarray) -> None:
    limit = LIMIT + np.log10(draws.shape[-1])
    for i in range(draws.shape[-1]):
        assert abs(z_score(draws[..., i], lambda x: x, 0.0)) < limit
        assert abs(z_score(draws[..., i], np.square, covariance[i, i])) < limit


@pytest.mark.parametrize("step_size", [0.1, 0.5, 0.9, 1.2, 1.5, 1.9])
def test_a_standard_normal_at_a_fixed_step_size(step_size: float) -> None:
    # A tree that draws from turning sub-trees has a variance of 1.61 at step size 0.9.
    options = SamplerOptions(seed=1, chains=2, draws=30_000, warmup=0, step_size=step_size)
    draws = draw(scaled_normal(np.ones(1)), options)[..., 0]
    assert abs(z_score(draws, lambda x: x, 0.0)) < LIMIT
    assert abs(z_score(draws, np.square, 1.0)) < LIMIT
    assert abs(z_score(draws, lambda x: x**4, 3.0)) < LIMIT
    assert abs(z_score(draws, lambda x: (np.abs(x) < 0.5).astype(float), 0.38292492254802624)) < LIMIT


@pytest.mark.parametrize("metric", METRIC_NAMES)
@pytest.mark.parametrize("dimension", [1, 2, 10])
def test_correlated_normals_after_warmup(metric: str, dimension: int) -> None:
    random = np.random.default_rng(dimension)
    root = random.normal(size=(dimension, dimension)) + 2.0 * np.eye(dimension)
    covariance = root @ root.T
    options = SamplerOptions(seed=2, chains=4, draws=3000, warmup=500, metric=metric)
    draws = draw(normal(np.linalg.inv(covariance)), options)
    _check(draws, covariance)
    if dimension > 1:
        product = z_score(draws, lambda x: x[..., 0] * x[..., 1], covariance[0, 1])
        assert abs(product) < LIMIT


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_scales_from_a_thousandth_to_a_thousand(metric: str) -> None:
    scales = 10.0 ** np.linspace(-3, 3, 13)
    options = SamplerOptions(seed=3, chains=4, draws=2000, warmup=1000, metric=metric)
    draws = draw(scaled_normal(scales), options) / scales
    _check(draws, np.eye(scales.size))


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_a_hundred_dimensions(metric: str) -> None:
    options = SamplerOptions(seed=4, chains=2, draws=1500, warmup=600, metric=metric)
    _check(draw(scaled_normal(np.ones(100)), options), np.eye(100))


def test_a_non_centred_funnel() -> None:
    """y = exp(v / 2) w with v ~ Normal(0, 3) and w ~ Normal(0, 1): log|y| has mean 0.5 E v + E log|w|."""
    options = SamplerOptions(seed=5, chains=4, draws=3000, warmup=500)
    draws = draw(scaled_normal(np.array([3.0, 1.0])), options)
    log_y = 0.5 * draws[..., 0] + np.log(np.abs(draws[..., 1]))
    assert abs(z_score(log_y, lambda x: x, -0.6351814227307392)) < LIMIT
    assert abs(z_score(log_y + 0.6351814227307392, np.square, 0.25 * 9.0 + np.pi**2 / 8)) < LIMIT


def _logistic() -> LogDensity:
    """Tails heavier than a normal's; the variance is pi**2 / 3."""

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(-x[0] - 2 * np.logaddexp(0.0, -x[0])), -np.tanh(0.5 * x)

    return from_function(1, function)


def test_a_logistic_whose_energy_is_not_quadratic() -> None:
    options = SamplerOptions(seed=6, chains=2, draws=6000, warmup=0, step_size=2.5)
    draws = draw(_logistic(), options)[..., 0]
    assert abs(z_score(draws, lambda x: x, 0.0)) < LIMIT
    assert abs(z_score(draws, np.square, np.pi**2 / 3)) < LIMIT


def test_a_half_normal_by_a_wall_of_divergences() -> None:
    """Where the density is not a number no draw may be, and the rest must keep its proportions."""

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        return (-0.5 * float(x @ x) if x[0] > 0 else float("nan")), -x

    options = SamplerOptions(seed=7, chains=2, draws=8000, warmup=0, step_size=0.4)
    draws = draw(from_function(1, function), options, np.ones(1))[..., 0]
    assert draws.min() > 0
    assert abs(z_score(draws, lambda x: x, np.sqrt(2 / np.pi))) < LIMIT
    assert abs(z_score(draws, np.square, 1.0)) < LIMIT


def test_the_judge_rejects_a_biased_sampler() -> None:
    options = SamplerOptions(seed=8, chains=2, draws=3000, warmup=100)
    draws = draw(python_normal(1), options)[..., 0]
    assert abs(z_score(draws, np.square, 1.0)) < LIMIT
    assert abs(z_score(1.15 * draws, np.square, 1.0)) > LIMIT
