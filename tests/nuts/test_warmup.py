from __future__ import annotations

import numpy as np
import pytest

from exmc.nuts import variance, warmup
from exmc.nuts.metric import METRICS
from exmc.nuts.stages import Stage
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import SamplerOptions
from tests.sampling.targets import scaled_normal


@pytest.mark.parametrize("name", METRICS)
def test_the_end_of_a_slow_stage_replaces_the_metric_and_empties_the_window(name: str) -> None:
    before = warmup.init(name, 3, 0.5)
    scratch, draws = np.zeros(3), 0
    for position in np.random.default_rng(0).normal(size=(30, 3)):
        draws = variance.update(draws, before.window.mean, before.window.squares, position, scratch)
    before = before._replace(window=before.window._replace(draws=draws))
    assert warmup.replaces_metric(Stage(30, True), before)
    assert not warmup.replaces_metric(Stage(30, False), before)
    after = warmup.replace_metric(name, before)
    assert np.array_equal(after.inverse_mass_matrix, METRICS[name].estimate(before.window))
    assert after.window.draws == 0
    assert not after.window.mean.any()
    assert after.step_size == before.step_size


def test_one_draw_makes_no_metric() -> None:
    before = warmup.init("diagonal", 2, 0.5)
    assert not warmup.replaces_metric(Stage(1, True), before._replace(window=before.window._replace(draws=1)))


def test_averaging_restarts_at_the_searched_step_size_and_ends_at_the_average() -> None:
    tuning = warmup.restart_averaging(warmup.init("diagonal", 2, 0.5), 0.25)
    assert (tuning.step_size, tuning.averaging.updates) == (0.25, 0.0)
    assert tuning.averaging.center == pytest.approx(np.log(2.5))
    assert warmup.final(tuning).step_size == 0.25
    averaged = tuning._replace(averaging=tuning.averaging._replace(updates=3.0, log_mean=np.log(0.1)))
    assert warmup.final(averaged).step_size == pytest.approx(0.1)


@pytest.mark.parametrize("count", [20, 25, 30, 60])
def test_the_shortest_warmups_reach_the_target_acceptance(count: int) -> None:
    """Judged by the standard error over chains: nearly all proposals were rejected where two updates were left."""
    density = scaled_normal(np.array([0.1, 1.0, 7.0, 1.0]))
    options = SamplerOptions(seed=3, draws=50, warmup=count, chains=30)
    rates = []
    for chain in range(options.chains):
        state, _ = advance(density, options, begin(density, options, chain), count)
        _, block = advance(density, options, state, options.draws)
        rates.append(block.statistics["acceptance_rate"].mean())
    error = np.std(rates, ddof=1) / np.sqrt(len(rates))
    assert (np.mean(rates) - options.target_accept) / error > -4
