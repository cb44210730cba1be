"""The rule for series: its marginal likelihood against the dense one, and both answers where each is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from exmc.distributions import AR, GaussianRandomWalk, MvGaussianRandomWalk, Normal
from exmc.ir.builder import Builder
from exmc.rewrite.evidence import weigh
from exmc.rewrite.series_evidence import Estimates, Steps, log_evidence, log_gain
from exmc.rewrite.verdict import Verdict

# The first values' prior is flat: in the oracle, normal with this deviation.
WIDE = 1e4


def seen_at(seed: int, gaps: bool) -> Estimates:
    """Two series of six values with errors of their own, some of them unknown."""
    generator = np.random.default_rng(seed)
    information = generator.uniform(0.2, 3.0, size=(2, 6))
    if gaps:
        information[:, [1, 4]] = 0.0
    return Estimates(generator.normal(size=(2, 6)), information)


def dense(seen: Estimates, steps: Steps, row: int) -> float:
    """The log density of the known estimates of one series, by the covariance of all."""
    drift, scale, rho = steps.drift[row], steps.scale[row], steps.coefficients[row]
    length, order = seen.values.shape[1], rho.size
    recursion = np.eye(length)
    for t in range(order, length):
        recursion[t, t - order : t] = -rho[::-1]
    inverse = np.linalg.inv(recursion)
    deviations = np.where(np.arange(length) < order, WIDE, scale)
    mean = inverse @ np.where(np.arange(length) < order, 0.0, drift)
    covariance = inverse @ np.diag(deviations**2) @ inverse.T
    known = seen.information[row] > 0.0
    covariance = covariance[np.ix_(known, known)] + np.diag(1.0 / seen.information[row][known])
    return float(multivariate_normal.logpdf(seen.values[row][known], mean[known], covariance))


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("order", [1, 2])
def test_the_evidence_is_that_of_the_dense_normal(order: int, gaps: bool) -> None:
    """Up to a constant, which differences between steps do not have."""
    seen = seen_at(1, gaps)
    several = [
        Steps(np.array([0.0, 0.3]), np.array([0.5, 2.0]), np.tile([0.6, 0.2][:order], (2, 1))),
        Steps(np.array([-1.0, 0.1]), np.array([1.5, 0.1]), np.tile([1.0, 0.0][:order], (2, 1))),
    ]
    found = log_evidence(seen, several[0]) - log_evidence(seen, several[1])
    expected = [dense(seen, several[0], i) - dense(seen, several[1], i) for i in range(2)]
    # What the wide prior is not wide enough for.
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("scale", [np.nan, 0.0, -1.0])
def test_impossible_steps_have_no_evidence(scale: float) -> None:
    steps = Steps(np.zeros(2), np.array([1.0, scale]), np.ones((2, 1)))
    assert np.isnan(log_evidence(seen_at(1, False), steps)).all()


def by_matrices(r: float, rho: float, length: int) -> float:
    """What the rule says of a known scale, by the eigenvalues of both posteriors."""
    recursion = np.eye(length) - rho * np.eye(length, k=-1)
    inverse = np.linalg.inv(recursion)
    centred = np.linalg.eigvalsh(recursion.T @ recursion + r * np.eye(length))
    noncentred = np.linalg.eigvalsh(np.eye(length) + r * inverse.T @ inverse)
    return float(0.5 * np.log(noncentred[-1] / noncentred[0] / (centred[-1] / centred[0])))


@pytest.mark.parametrize("rho", [1.0, 0.8, -0.5])
@pytest.mark.parametrize("r", [1e-3, 0.1, 3.0, 100.0])
def test_a_known_scale_is_judged_by_the_posteriors_condition_numbers(rho: float, r: float) -> None:
    assert log_gain(r, np.array([rho]), 60, known=True) == pytest.approx(by_matrices(r, rho, 60), abs=0.1)


def test_an_unknown_scale_makes_centring_dearer() -> None:
    for r in (1e-3, 0.1, 3.0):
        assert log_gain(r, np.ones(1), 60, known=False) < log_gain(r, np.ones(1), 60, known=True)


def test_nothing_known_is_never_centred() -> None:
    assert log_gain(0.0, np.ones(1), 10, known=True) == -np.inf


def local_level(noise: float, length: int = 60, units: float = 1.0, family: str = "Normal", **more: Any) -> Builder:
    """A walk of unit steps seen with noise of unknown deviation, all times `units`."""
    generator = np.random.default_rng(2)
    level = np.cumsum(generator.normal(size=length))
    build = Builder().rv("sigma", "HalfNormal", sigma=5.0 * units)
    build.rv("x", GaussianRandomWalk(0.0, "sigma", Normal(0.0, 5.0 * units)), shape=length)
    if family == "Poisson":
        return build.rv("y", "Poisson", mu="exp(4 + x / 5)", observed=generator.poisson(np.exp(4.0 + level / 5.0)))
    build.rv("noise", "HalfNormal", sigma=5.0 * units)
    seen = units * (level + noise * generator.normal(size=length))
    return build.rv("y", family, mu="x", sigma="noise", observed=seen, **more)


def verdict(build: Builder) -> Verdict:
    model = build.build()
    return weigh(model, [v for v in model.free if v.name == "x"])["x"]


@pytest.mark.parametrize("units", [1e-3, 1.0, 1e3])
def test_little_noise_centres_and_much_does_not(units: float) -> None:
    assert verdict(local_level(0.1, units=units)).centred
    assert not verdict(local_level(10.0, units=units)).centred


def test_heavy_tails_of_unknown_scale_do_not_hide_the_noise() -> None:
    """Without pooling their scale goes to 0, where every value explains its row."""
    assert not verdict(local_level(10.0, family="StudentT", nu=4.0)).centred
    assert verdict(local_level(0.1, length=200, family="StudentT", nu=4.0)).centred


def test_counts_that_tell_much_centre() -> None:
    assert verdict(local_level(0.0, family="Poisson")).centred


def autoregression(noise: float) -> Builder:
    generator = np.random.default_rng(3)
    x = np.zeros((3, 40))
    for t in range(1, 40):
        x[:, t] = 0.5 + 0.8 * x[:, t - 1] + generator.normal(size=3)
    return (
        Builder()
        .rv("sigma", "HalfNormal", sigma=2.0, shape=3)
        .rv("rho", "Uniform", low=-1.0, high=1.0, shape=1)
        .rv("c", "Normal")
        .rv("x", AR("rho", "sigma", "c", Normal("c / (1 - rho)", 2.0)), shape=(3, 40))
        .rv("y", "Normal", mu="x", sigma=noise, observed=x + noise * generator.normal(size=x.shape))
    )


def test_autoregressions_are_judged_alike() -> None:
    assert verdict(autoregression(0.1)).centred
    assert not verdict(autoregression(5.0)).centred


@pytest.mark.parametrize("matrix", ["cov", "precision", "chol"])
def test_vectors_are_judged_by_component(matrix: str) -> None:
    generator = np.random.default_rng(4)
    walk = np.cumsum(generator.normal(size=(40, 2)), axis=0)

    def build(noise: float) -> Builder:
        law = MvGaussianRandomWalk(**{matrix: np.eye(2)}, init_dist=Normal(0.0, 1.0))
        return Builder().rv("x", law, shape=(40, 2)).rv("y", "Normal", mu="x", sigma=noise, observed=walk)

    assert verdict(build(0.1)).centred
    assert not verdict(build(20.0)).centred


def test_what_the_data_do_not_tell_is_not_centred() -> None:
    def series() -> Builder:
        return Builder().rv("s", "HalfNormal").rv("x", GaussianRandomWalk(0.0, "s", Normal(0.0, 1.0)), shape=9)

    assert verdict(series()).why == "no data bear on it"
    total = series().rv("y", "Normal", mu="sum(x)", sigma=0.01, observed=1.0)
    assert verdict(total) == Verdict(False, "rows of data depend on several of its values")
    ends = series().rv("y", "Normal", mu="x[-2:]", sigma=0.01, observed=[1.0, 2.0])
    assert verdict(ends) == Verdict(False, "the data tell too few of its values")


def test_the_reason_gives_what_it_would_cost() -> None:
    assert verdict(local_level(10.0)).why.startswith("centred, a draw would cost some ")
    assert "times as much (standard error" in verdict(local_level(0.1)).why


def test_a_level_above_is_told_by_what_the_series_tell() -> None:
    """The estimates of the drifts of several series stand for their data in the verdict on the drifts."""
    generator = np.random.default_rng(6)
    drifts = 5.0 * generator.normal(size=8)
    x = np.cumsum(drifts[:, None] + generator.normal(size=(8, 50)), axis=1)
    model = (
        Builder()
        .rv("spread", "HalfNormal", sigma=10.0)
        .rv("drift", "Normal", mu=0.0, sigma="spread", shape=8)
        .rv("x", GaussianRandomWalk("drift", 1.0, Normal(0.0, 10.0)), shape=(8, 50))
        .rv("y", "Normal", mu="x", sigma=0.1, observed=x)
        .build()
    )
    found = weigh(model, [v for v in model.free if v.name in ("drift", "x")])
    assert found["x"].centred
    assert found["drift"].centred
