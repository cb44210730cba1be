"""R-hat and effective sample sizes from batches, against those from the draws."""

from __future__ import annotations

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics.convergence import ess_bulk, ess_mean
from exmc.diagnostics.live.batches import Batches
from exmc.diagnostics.live.chain import Detail
from exmc.diagnostics.live.convergence import ESS_ERROR, effective_draws, split_r_hat
from exmc.diagnostics.live.moments import FloatArray, Moments


def autoregressive(seed: int, scalars: int, chains: int, draws: int) -> FloatArray:
    """Draws of AR(1) processes from antithetic to slow, shape (scalar, chain, draw)."""
    rng = np.random.default_rng(seed)
    rho = np.linspace(-0.5, 0.9, scalars)[:, np.newaxis]
    noise = rng.standard_normal((scalars, chains, draws))
    found = np.empty_like(noise)
    found[:, :, 0] = noise[:, :, 0] / np.sqrt(1 - rho**2)
    for t in range(1, draws):
        found[:, :, t] = rho * found[:, :, t - 1] + noise[:, :, t]
    return found


def batches_of(draws: FloatArray, most: int = 256) -> list[Batches]:
    found = []
    for chain in range(draws.shape[1]):
        batches = Batches(len(draws), most)
        batches.add(draws[:, chain])
        found.append(batches)
    return found


def total_of(draws: FloatArray) -> Moments:
    return Moments.of(draws.reshape(len(draws), -1))


def test_split_r_hat_is_arvizs() -> None:
    """Exact where the middle is the end of a batch: 1024 draws in batches of 4 or 8."""
    draws = autoregressive(1, 20, 4, 1024)
    draws[3] += np.array([0.0, 1.0, 2.0, 3.0])[:, np.newaxis]
    data = xr.Dataset({"x": (("scalar", "chain", "draw"), draws)})
    expected = arviz_stats.rhat(data, method="split")["x"].values
    np.testing.assert_allclose(split_r_hat(batches_of(draws)), expected, rtol=1e-12)
    assert expected[3] > 1.2


def test_r_hat_elsewhere_is_that_of_halves_that_differ_by_a_batch() -> None:
    draws = autoregressive(2, 20, 4, 1015)
    chains = batches_of(draws)
    first = chains[0].halves()[0].draws
    assert 0 < abs(first - 507.5) <= chains[0].size / 2
    halves = [part for c in range(4) for part in (draws[:, c, :first], draws[:, c, first:])]
    within = np.mean([half.var(axis=1, ddof=1) for half in halves], axis=0)
    between = np.var([half.mean(axis=1) for half in halves], axis=0, ddof=1)
    count = 1015 / 2
    np.testing.assert_allclose(split_r_hat(chains), np.sqrt(between / within + (count - 1) / count), rtol=1e-12)


def test_few_draws_have_the_effective_sample_size_of_their_mean() -> None:
    draws = autoregressive(3, 50, 4, 200)
    found = effective_draws(batches_of(draws), total_of(draws))
    np.testing.assert_allclose(found, ess_mean(draws), rtol=1e-9)


@pytest.mark.parametrize(("chains", "draws"), [(4, 1000), (4, 8000), (1, 4000), (64, 500)])
@pytest.mark.parametrize("scalars", [10, 3000])
def test_of_many_draws_it_is_within_its_error(chains: int, draws: int, scalars: int) -> None:
    """Nineteen of twenty scalars are; and on average it is that of all draws, which are normal here."""
    most = Detail.fitting(scalars, chains).batches
    values = autoregressive(4, 100, chains, draws)
    ratios = np.log(effective_draws(batches_of(values, most), total_of(values)) / ess_bulk(values))
    assert np.quantile(np.abs(ratios), 0.95) < np.log1p(ESS_ERROR)
    assert abs(ratios.mean()) < np.log1p(ESS_ERROR) / 3


def test_chains_that_disagree_have_few_effective_draws() -> None:
    draws = autoregressive(5, 30, 4, 1000)
    draws += 10 * np.arange(4)[:, np.newaxis]
    found = effective_draws(batches_of(draws), total_of(draws))
    expected = ess_mean(draws)
    assert (expected < 20).all()
    np.testing.assert_allclose(found, expected, rtol=ESS_ERROR)


def test_what_the_last_draws_of_the_longer_chains_tell_holds_for_all() -> None:
    """Exact where a batch is a draw; chains of less than four say nothing."""
    lengths = (2000, 1700, 400, 3)
    draws = autoregressive(6, 50, 4, 2000)
    chains = [batches_of(draws[:, c : c + 1, :n], 2048)[0] for c, n in enumerate(lengths)]
    parts = np.concatenate([draws[:, c, :n] for c, n in enumerate(lengths)], axis=1)
    last = np.stack([draws[:, c, n - 400 : n] for c, n in enumerate(lengths[:3])], axis=1)
    per_draw = last.reshape(50, -1).var(axis=1, ddof=1) * last[0].size / ess_mean(last)
    expected = parts.var(axis=1, ddof=1) * parts.shape[1] / per_draw
    np.testing.assert_allclose(effective_draws(chains, Moments.of(parts)), expected, rtol=1e-9)
    assert np.isfinite(split_r_hat(chains)).all()


def test_chains_whose_batches_differ_in_size_are_compared_in_the_largest() -> None:
    draws = autoregressive(7, 50, 2, 1024)
    chains = [batches_of(draws[:, c : c + 1, :n], 64)[0] for c, n in enumerate((1024, 256))]
    assert [chain.size for chain in chains] == [16, 4]
    means = np.stack([draws[:, 0, 768:], draws[:, 1, :256]], axis=1).reshape(50, 2, 16, 16).mean(axis=3)
    per_draw = means.reshape(50, -1).var(axis=1, ddof=1) * 512 / ess_mean(means)
    parts = np.concatenate([draws[:, 0], draws[:, 1, :256]], axis=1)
    expected = np.minimum(parts.var(axis=1, ddof=1) * 1280 / per_draw, 1280 * np.log10(1280))
    np.testing.assert_allclose(effective_draws(chains, Moments.of(parts)), expected, rtol=1e-9)


def test_of_constants_and_of_few_draws_nothing_is_said() -> None:
    constant = np.ones((2, 4, 100))
    assert np.isnan(split_r_hat(batches_of(constant))).all()
    assert np.isnan(effective_draws(batches_of(constant), total_of(constant))).all()
    few = autoregressive(7, 2, 2, 3)
    assert np.isnan(split_r_hat(batches_of(few))).all()
    assert np.isnan(effective_draws(batches_of(few), total_of(few))).all()
    mixed = autoregressive(8, 2, 2, 100)
    mixed[0] = np.inf
    with np.errstate(invalid="ignore"):
        found = effective_draws(batches_of(mixed), total_of(mixed))
    assert np.isnan(found[0])
    assert np.isfinite(found[1])
