"""Tempered SMC: evidence and posteriors known in closed form, several modes, and its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from exmc.density import LogDensity, from_function
from exmc.errors import SamplingError
from exmc.methods.method import Problem
from exmc.methods.random import generator
from exmc.methods.smc import SMC, SmcSettings, combined, moments, next_temperature, resample
from exmc.sampling.options import SamplerOptions
from exmc.sampling.seeds import chain_key
from tests.methods.exact import FloatArray, correlated, drawn, fitted, problem_for, z_over_chains


@pytest.mark.parametrize("metric", ["diagonal", "dense"])
def test_evidence_and_draws_of_a_correlated_normal(metric: str) -> None:
    target = correlated()
    problem = problem_for(target, SmcSettings(metric=metric), chains=16, draws=200)
    fit = fitted(SMC, problem)
    # The estimates of the evidence, not of its logarithm, are unbiased.
    ratios = np.exp(fit["log_evidence"] - target.log_evidence)
    assert abs((ratios.mean() - 1.0) / (ratios.std(ddof=1) / 4.0)) < 4.5
    said = SMC.report(fit)
    assert abs(said["log_evidence"] - target.log_evidence) < 4.5 * said["log_evidence_error"]
    assert said["log_evidence_error"] < 0.1
    draws = drawn(SMC, problem, fit)
    assert np.abs(z_over_chains(draws, target.mean)).max() < 4.5
    assert np.abs(z_over_chains((draws - target.mean) ** 2, np.diag(target.covariance))).max() < 4.5


@dataclass(frozen=True, eq=False)
class TwoModes:
    """x ~ N(0, 25) in one dimension, and a likelihood of two peaks that no chain of NUTS would go between."""

    peaks = np.array([-6.0, 5.0])
    widths = np.array([0.3, 0.2])
    heights = np.array([1.0, 4.0])

    def density(self, temperature: float) -> LogDensity:
        def function(x: FloatArray) -> tuple[float, FloatArray]:
            terms = np.log(self.heights) - 0.5 * ((x[0] - self.peaks) / self.widths) ** 2
            likelihood = np.logaddexp(*terms)
            slope = np.sum(np.exp(terms - likelihood) * (self.peaks - x[0]) / self.widths**2)
            prior = -0.5 * x[0] ** 2 / 25.0 - 0.5 * np.log(2 * np.pi * 25.0)
            return float(prior + temperature * likelihood), np.array([-x[0] / 25.0 + temperature * slope])

        return from_function(1, function)

    def draw_prior(self, chain: int, first: int, count: int) -> FloatArray:
        key = chain_key(0, chain)
        return np.stack([5.0 * generator(key, first + i, 99).standard_normal(1) for i in range(count)])

    def masses(self) -> FloatArray:
        """The evidence that each peak contributes: products of two normals, integrated."""
        variance = self.widths**2
        prior = np.exp(-0.5 * self.peaks**2 / (25.0 + variance)) / np.sqrt(2 * np.pi * (25.0 + variance))
        return np.asarray(self.heights * np.sqrt(2 * np.pi * variance) * prior)


def test_modes_have_their_masses() -> None:
    target = TwoModes()
    options = SamplerOptions(seed=3, warmup=0, chains=16, draws=150)
    problem = Problem(target.density(1.0), options, SmcSettings(moves=1), lambda: target)
    fit = fitted(SMC, problem)
    draws, masses = drawn(SMC, problem, fit), target.masses()
    assert abs(z_over_chains((draws < 0).astype(float), np.array([masses[0] / masses.sum()]))[0]) < 4.5
    ratios = np.exp(fit["log_evidence"]) / masses.sum()
    assert abs((ratios.mean() - 1.0) / (ratios.std(ddof=1) / 4.0)) < 4.5


def test_the_next_temperature_leaves_the_effective_sample_size_asked_for() -> None:
    logs = np.random.default_rng(1).normal(scale=30.0, size=1000)
    for start in (0.0, 0.01):
        raised = next_temperature(logs, start, 0.5)
        weights = np.exp((raised - start) * (logs - logs.max()))
        assert weights.sum() ** 2 / np.sum(weights**2) == pytest.approx(500.0, rel=1e-6)
    assert next_temperature(0.01 * logs, 0.0, 0.5) == 1.0
    # Where most particles have no likelihood at all, the others count.
    logs[100:] = -np.inf
    raised = next_temperature(logs, 0.0, 0.5)
    assert 0.0 < raised < 1.0
    # And where one has nearly all of it, the temperature rises all the same.
    assert next_temperature(np.array([0.0, -1e300]), 0.5, 0.9) > 0.5


def test_systematic_resampling_keeps_each_as_often_as_its_weight_says() -> None:
    weights = np.random.default_rng(1).random(50)
    weights /= weights.sum()
    for uniform in (0.0, 0.3, 1.0 - 1e-16):
        kept = resample(weights, uniform)
        assert kept.size == 50
        counts = np.bincount(kept, minlength=50)
        assert np.abs(counts - 50 * weights).max() < 1.0 + 1e-9
        assert (np.diff(kept) >= 0).all()
    expected = np.mean([np.bincount(resample(weights, u), minlength=50) for u in np.linspace(0, 1, 2001)[:-1]], axis=0)
    assert expected == pytest.approx(50 * weights, abs=2e-2)


def test_moments_are_those_of_the_weighted_particles() -> None:
    rng = np.random.default_rng(4)
    positions, weights = rng.normal(size=(400, 3)), rng.random(400)
    weights[0], positions[0] = 0.0, np.inf
    weights /= weights.sum()
    expected = np.cov(positions[1:].T, aweights=weights[1:], ddof=0)
    worth = 1.0 / np.sum(weights**2)
    shrunk = expected * worth / (worth + 5.0) + 1e-3 * 5.0 / (worth + 5.0) * np.eye(3)
    assert moments(positions, weights, "dense") == pytest.approx(shrunk)
    assert moments(positions, weights, "diagonal") == pytest.approx(np.diag(shrunk))


def test_evidences_are_averaged_as_such() -> None:
    value, error = combined(np.log([1.0, 3.0]) - 1000.0)
    assert value == pytest.approx(np.log(2.0) - 1000.0)
    assert error == pytest.approx(np.sqrt(2.0) / np.sqrt(2.0) / 2.0)
    assert combined(np.array([-5.0])) == (-5.0, None)


def test_a_chain_that_lacks_a_block_is_out_and_the_others_go_on() -> None:
    target = correlated()
    problem = problem_for(target, SmcSettings(block=40), chains=2, draws=80)
    assert SMC.parts(problem.options, problem.settings, None) == (0, 1, 2, 3)
    fit = SMC.pool(problem, None, {part: SMC.work(problem, None, 0, part) for part in (0, 2, 3)})
    assert fit["chains"].tolist() == [1]
    assert SMC.parts(problem.options, problem.settings, fit) == (2, 3)
    assert SMC.draw(problem, fit, 1, 70, 5).positions.shape == (5, 5)
    with pytest.raises(SamplingError, match="Chain 0 failed in its fit"):
        SMC.draw(problem, fit, 0, 0, 5)
    with pytest.raises(SamplingError, match="No chain has all of its particles"):
        SMC.pool(problem, fit, {2: SMC.work(problem, fit, 1, 2)})


def test_what_cannot_go_on_says_why() -> None:
    target = correlated()
    problem = problem_for(target, SmcSettings(max_rounds=1), chains=1, draws=50)
    fit = SMC.pool(problem, None, {0: SMC.work(problem, None, 0, 0)})
    fit = SMC.pool(problem, fit, {0: SMC.work(problem, fit, 1, 0)})
    with pytest.raises(SamplingError, match=r"Chain 0 is at temperature 0\.\d+ after 1 rounds"):
        SMC.work(problem, fit, 2, 0)
    nowhere = {0: dict(SMC.work(problem, None, 0, 0)) | {"log_likelihoods": np.full(50, -np.inf)}}
    with pytest.raises(SamplingError, match="None of the 50 particles of chain 0 has a finite log likelihood"):
        SMC.pool(problem, None, nowhere)
